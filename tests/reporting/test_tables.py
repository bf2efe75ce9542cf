"""The report tables: against worked results, against a second implementation, and their laws."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import date, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import Tables, all_tables
from safety_monitor.reporting.tables.adverse_events import GRADES, OVERVIEW_ROWS
from safety_monitor.reporting.tables.base import SEPARATOR, Study, Table
from safety_monitor.reporting.tables.edish import quadrant
from safety_monitor.stats.competing import aalen_johansen, incidence_at
from safety_monitor.study import StudySettings


def _beside(path: str) -> ModuleType:
    """A test module that is not a test: loaded by its place, since test folders are no packages."""
    name = "tests_" + Path(path).stem
    spec = spec_from_file_location(name, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frames = _beside("study_frames.py")
oracle = _beside("../oracle.py")

STUDIES = ("hcc_synth_demo", "onc_rcd_armB", "pilot_low")
KEYS = {
    "overview": ["row"],
    "ae_soc_pt_worst_grade": ["level", "SOC", "PT"],
    "related_ae_soc_pt_worst_grade": ["level", "SOC", "PT"],
    "sae_listing": ["USUBJID", "AESEQ"],
    "deaths": ["USUBJID"],
    "exposure_adjusted": ["row"],
    "cif_data_grade3plus": ["USUBJID"],
    "lab_worst_grade": ["term"],
    "lab_shift": ["term", "baseline", "worst"],
    "edish_peaks": ["USUBJID"],
}
# Sorted by subject here; the worked results keep the order of their source files, which no snapshot has.
OWN_ORDER = {"deaths", "cif_data_grade3plus", "sae_listing"}


def by_the_rules(shared: Path, name: str) -> Snapshot:
    graded = shared / "reference/tables" / name / "_lab_graded.csv"
    snapshot: Snapshot = frames.snapshot_of(shared / "data" / name, graded if graded.exists() else None)
    return snapshot


@pytest.fixture(scope="module")
def made() -> dict[tuple[str, str], tuple[Snapshot, dict[str, Table]]]:
    return {}


@pytest.fixture(params=["by the rules", "by import"])
def study_tables(
    request: pytest.FixtureRequest,
    shared: Path,
    frozen: Callable[[str], Snapshot],
    made: dict[tuple[str, str], tuple[Snapshot, dict[str, Table]]],
) -> Callable[[str], Any]:
    """Snapshot and tables of a shared study, made once each of two ways that share no code: straight from its
    files by the counting rules, and imported into a database and frozen.
    """
    way = request.param

    def make(name: str) -> tuple[Snapshot, dict[str, Table]]:
        if (way, name) not in made:
            snapshot = frozen(name) if way == "by import" else by_the_rules(shared, name)
            made[way, name] = snapshot, all_tables(snapshot)
        return made[way, name]

    return make


def same(expected: str, found: str) -> bool:
    """Equal as text, or as numbers to the digits that the worked result prints."""
    try:
        wanted, got = float(expected), float(found)
    except ValueError:
        return expected == found
    printed = len(expected.partition(".")[2])
    return abs(wanted - got) <= 0.5 * 10**-printed + 1e-9


OF_LABORATORY = {"lab_worst_grade", "lab_shift", "edish_peaks"}
# the oncology arm's laboratory values mean nothing, so it has no worked laboratory results
WORKED = [(name, table) for name in STUDIES for table in KEYS if name != "onc_rcd_armB" or table not in OF_LABORATORY]


@pytest.mark.parametrize(("name", "table"), WORKED)
def test_worked_results_cell_by_cell(
    shared: Path, study_tables: Callable[[str], Any], name: str, table: str
) -> None:
    path = shared / "reference/tables" / name / f"{table}.csv"
    _, tables = study_tables(name)
    key = KEYS[table]
    expected = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    found = {tuple(row[k] for k in key): row for row in csv.DictReader(io.StringIO(tables[table].to_csv()))}
    assert expected
    if table.startswith("lab_"):  # the worked results cover 20 terms, an import all that were measured
        covered = {row["term"] for row in expected}
        found = {row: cells for row, cells in found.items() if row[0] in covered}
    if table not in OWN_ORDER:
        assert list(found) == [tuple(row[k] for k in key) for row in expected]
    assert len(found) == len(expected)
    wrong = [
        (row[key[0]], column, value, found[tuple(row[k] for k in key)][column])
        for row in expected
        for column, value in row.items()
        if not same(value, found[tuple(row[k] for k in key)][column])
    ]
    assert wrong == []


@pytest.mark.parametrize("name", STUDIES)
def test_worked_incidence(shared: Path, study_tables: Callable[[str], Any], name: str) -> None:
    summary = json.loads((shared / "reference/tables" / name / "summary.json").read_text())[
        "cif_first_grade_ge3"
    ]
    _, tables = study_tables(name)
    data = tables["cif_data_grade3plus"].frame
    curve = aalen_johansen(data["time"].to_list(), data["status"].to_list())
    for day, incidence in summary["cif"].items():
        assert incidence_at(curve, int(day)) == pytest.approx(incidence, abs=6e-7)
    by_day = {row["day"]: row for row in tables["cumulative_incidence"].frame.to_dicts()}
    for day in (30, 60, 90):
        assert by_day[day]["cif"] == pytest.approx(summary["cif"][str(day)], abs=6e-7)
        assert by_day[day]["one_minus_km"] == pytest.approx(summary["one_minus_km"][str(day)], abs=6e-7)


@pytest.mark.parametrize("name", ["hcc_synth_demo", "pilot_low"])
def test_worked_hys_law(shared: Path, study_tables: Callable[[str], Any], name: str) -> None:
    expected = json.loads((shared / "reference/tables" / name / "summary.json").read_text())["hys_law"]
    _, tables = study_tables(name)
    listed, peaks = tables["hys_law"].frame, tables["edish_peaks"].frame
    columns = {
        "peak_candidates": "peak_candidate", "peak_candidates_strict_gt": "peak_candidate_strict_gt",
        "same_day": "same_day", "bili_0_30d_after_TA": "bili_0_30d_after_TA",
        "peak_and_ALP_lt2": "peak_and_ALP_lt2",
    }  # fmt: skip
    for key, column in columns.items():
        assert listed.filter(column)["USUBJID"].to_list() == expected[key]
    quadrants = peaks.select(quadrant()).drop_nulls()["quadrant"].to_list()
    assert {q: quadrants.count(q) for q in expected["quadrants"]} == expected["quadrants"]
    assert peaks.height == expected["N"]
    for limit in (3, 5, 10, 20):
        assert peaks.filter(pl.col("TA") >= limit).height == expected[f"TA_ge{limit}"]


# A small random study ---------------------------------------------------------------------------------------

FIRST = date(2025, 3, 1)
COMPONENTS = ("ablation", "pd1")
SETTINGS = {
    "study": {"id": "S", "title": "Random", "timezone": "UTC"},
    "components": [{"name": "ablation", "kind": "procedure"}, {"name": "pd1"}],
    "stopping": [{"event": "related_grade_ge3", "p0": 0.2, "n_max": 6}],
}
GRADE = st.sampled_from([None, 0, 1, 2, 3, 4, 5])
FLAG = st.sampled_from([True, False])
EVENT = st.fixed_dictionaries({
    "who": st.integers(0, 6), "aebodsys": st.sampled_from(["Alpha", "Beta", None]),
    "aedecod": st.sampled_from(["One", "Two", "Three", None]), "grade": GRADE,
    "serious_as_flagged": FLAG, "other_criterion": FLAG, "related": FLAG,
    "aesdth": st.sampled_from([None, True, False]),
    "aeout": st.sampled_from([None, "FATAL", "RECOVERED/RESOLVED"]),
    "aeacn": st.sampled_from([None, "DRUG WITHDRAWN", "DRUG INTERRUPTED", "DOSE REDUCED"]),
    "treatment_emergent": FLAG, "onset": st.integers(0, 200),
    "related_ablation": st.sampled_from([None, True, False]),
    "related_pd1": st.sampled_from([None, True, False]),
    "level_ablation": st.sampled_from([None, "UNLIKELY", "POSSIBLE"]),
    "level_pd1": st.sampled_from(["DEFINITE"]),
})  # fmt: skip
SUBJECT = st.fixed_dictionaries({
    "treated": st.sampled_from([True, True, True, False]), "start": st.integers(0, 60),
    "length": st.sampled_from([None, 0, 20, 100]), "death": st.sampled_from([None, None, 5, 90]),
    "siteid": st.sampled_from(["01", "02", None]),
})  # fmt: skip
LAB = st.fixed_dictionaries({
    "who": st.integers(0, 6), "term": st.sampled_from(["Anemia", "GGT increased", "Zeta"]), "grade":
    st.sampled_from([None, 0, 1, 2, 3, 4]), "on": st.integers(0, 50), "place": st.sampled_from(["bl",
    "post", "other"]),
})  # fmt: skip


@st.composite
def studies(draw: st.DrawFn) -> Snapshot:
    people = draw(st.lists(SUBJECT, min_size=0, max_size=7))
    subjects = []
    for number, person in enumerate(people):
        first = FIRST + timedelta(days=person["start"]) if person["treated"] else None
        known = first is not None and person["length"] is not None
        subjects.append({
            **person, "usubjid": f"S-{number}", "first_treatment_on": first, "consented_on": FIRST,
            "last_treatment_on": first + timedelta(days=person["length"]) if first and known else None,
            "dthfl": person["death"] is not None,
            "death_on": first + timedelta(days=person["death"]) if first and person["death"] else None,
        })  # fmt: skip
    events = [
        {
            **event, "usubjid": f"S-{event['who']}", "aeseq": number, "aeterm": "verbatim",
            "serious": event["serious_as_flagged"] or event["other_criterion"],
            "treated": people[event["who"]]["treated"],
            "fatal": event["aesdth"] is True or event["aeout"] == "FATAL" or event["grade"] == 5,
            "onset_on": FIRST + timedelta(days=event["onset"]), "n_queries": 1,
            "siteid": people[event["who"]]["siteid"],
        }
        for number, event in enumerate(draw(st.lists(EVENT, max_size=25)))
        if event["who"] < len(people)
    ]  # fmt: skip
    labs = [
        {
            **lab, "usubjid": f"S-{lab['who']}", "lbseq": number, "lbtestcd": "X",
            "on": FIRST + timedelta(days=lab["on"]),
            "is_baseline": lab["place"] == "bl", "post_baseline": lab["place"] == "post",
        }
        for number, lab in enumerate(draw(st.lists(LAB, max_size=25)))
        if lab["who"] < len(people)
    ]  # fmt: skip
    configured = StudySettings.of(SETTINGS)
    schema = frames.event_schema(configured) | {f"level_{name}": pl.String for name in COMPONENTS}
    content = {
        "subjects": frames.framed(subjects, frames.SUBJECTS, ("usubjid",)),
        "events": frames.framed(events, schema, ("usubjid", "aeseq")),
        "labs": frames.framed(labs, frames.LABS, ("usubjid", "on", "lbseq")),
    }
    return Snapshot(
        configured.model_dump(mode="json"), draw(st.sampled_from([None, date(2025, 7, 1)])), content, {}
    )


RANDOM = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _equal(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for row, wanted in zip(found, expected, strict=True):
        for column, value in wanted.items():
            if isinstance(value, float):
                assert row[column] == pytest.approx(value, rel=1e-9, abs=1e-9), (row, column)
            else:
                assert row[column] == value, (row, column)


@RANDOM
@given(studies())
def test_second_implementation_agrees(snapshot: Snapshot) -> None:
    tables = Tables(snapshot)
    events = oracle.emergent(snapshot)
    _equal(tables["overview"].frame.to_dicts()[: len(OVERVIEW_ROWS)], oracle.overview(snapshot))
    _equal(tables["ae_soc_pt_worst_grade"].frame.to_dicts(), oracle.by_term(snapshot, events))
    related = [event for event in events if event["related"]]
    _equal(tables["related_ae_soc_pt_worst_grade"].frame.to_dicts(), oracle.by_term(snapshot, related))
    _equal(tables["exposure_adjusted"].frame.to_dicts(), oracle.exposure_adjusted(snapshot))
    shift = {(r["term"], r["baseline"], r["worst"]): r["n"] for r in tables["lab_shift"].frame.to_dicts()}
    assert shift == oracle.lab_shift(snapshot)
    worst = {r.pop("term"): r for r in tables["lab_worst_grade"].frame.to_dicts()}
    assert worst == oracle.lab_worst_grade(snapshot)


@pytest.mark.parametrize("asked", ["since_last_report", "overview", "accrual", "dose_advice"])
def test_tables_made_when_they_are_asked_for_are_the_same(frozen: Callable[[str], Snapshot], asked: str) -> None:
    snapshot = frozen("hcc_synth_demo")
    wanted = all_tables(snapshot)
    made = Tables(snapshot)
    assert made[asked].frame.equals(wanted[asked].frame)
    assert set(made) == set(wanted) - {"drilldown"}
    assert len(made) == len(wanted) - 1
    for name, table in made.items():
        assert table.frame.equals(wanted[name].frame), name
    with pytest.raises(KeyError, match="no_such_table"):
        made["no_such_table"]


@RANDOM
@given(studies())
def test_tables_cross_foot(snapshot: Snapshot) -> None:
    tables = Tables(snapshot)
    n = Study(snapshot).n
    overview = {row["row"]: row for row in tables["overview"].frame.to_dicts()}
    everything = tables["ae_soc_pt_worst_grade"].frame
    related = tables["related_ae_soc_pt_worst_grade"].frame
    grades = [*(f"g{grade}" for grade in GRADES), "gmiss"]
    for name, table in tables.items():
        if not name.endswith("soc_pt_worst_grade") or table.not_collected:
            continue
        rows = table.frame
        assert rows.filter(pl.sum_horizontal(grades) != pl.col("n")).is_empty(), name
        assert rows.filter(pl.sum_horizontal("g3", "g4", "g5") != pl.col("ge3")).is_empty(), name
        assert rows.filter(pl.col("n") > n).is_empty(), name
        assert rows.filter((pl.col("pct") * n / 100 - pl.col("n")).abs() > 1e-9).is_empty(), name
        for level in (1, 2):
            inner = rows.filter(pl.col("level") == level)
            assert inner["events"].sum() == rows["events"][0], name
            assert inner["n"].max() is None or inner["n"].max() <= rows["n"][0], name
    assert overview["Any TEAE"]["n"] == everything["n"][0]
    assert overview["Related TEAE"]["n"] == related["n"][0] == everything["rel_n"][0]
    assert overview["Grade >=3 TEAE"]["n"] == everything["ge3"][0]
    assert overview["Any SAE (AESER=Y)"]["n"] == everything["sae_n"][0]
    both = related.join(everything, on=["level", "SOC", "PT"], how="left", nulls_equal=True, suffix="_any")
    assert both.filter(pl.col("n") > pl.col("n_any").fill_null(-1)).is_empty()
    assert all(group["n"].sum() == n for _, group in tables["lab_shift"].frame.group_by("term"))
    sites = tables["sites"].frame
    assert sites["treated"].sum() == n
    assert sites["ae_n"].sum() == everything["n"][0]
    assert sites["ge3_n"].sum() == everything["ge3"][0]


@RANDOM
@given(studies())
def test_drilldown_lists_the_subjects_behind_each_number(snapshot: Snapshot) -> None:
    tables = all_tables(snapshot)
    cells = (
        tables["drilldown"]
        .frame.group_by("table", "row", "column")
        .agg(pl.col("USUBJID").n_unique().alias("subjects"), pl.len().alias("records"))
    )
    behind = {(row["table"], row["row"], row["column"]): row for row in cells.to_dicts()}
    nothing = {"subjects": 0, "records": 0}
    for row in tables["overview"].frame.to_dicts():
        if row["n"] is not None:
            found = behind.get(("overview", row["row"], "n"), nothing)
            assert found["subjects"] == row["n"]
            assert row["events"] is None or found["records"] == row["events"]
    for name, table in tables.items():
        if not name.endswith("soc_pt_worst_grade") or table.not_collected:
            continue
        for row in table.frame.to_dicts():
            label = row["SOC"] if row["PT"] is None else row["SOC"] + SEPARATOR + row["PT"]
            for column in ("n", "g1", "g2", "g3", "g4", "g5", "gmiss", "ge3", "sae_n", "rel_n"):
                assert behind.get((name, label, column), nothing)["subjects"] == row[column], (
                    name,
                    label,
                    column,
                )
            assert behind.get((name, label, "n"), nothing)["records"] == row["events"]


@RANDOM
@given(studies(), st.randoms(use_true_random=False))
def test_order_of_the_frames_changes_nothing(snapshot: Snapshot, random: Any) -> None:
    shuffled = {
        name: frame.sample(fraction=1, shuffle=True, seed=random.randint(0, 99))
        for name, frame in snapshot.frames.items()
    }
    again = all_tables(Snapshot(snapshot.study, snapshot.cutoff, shuffled, snapshot.versions))
    for name, table in all_tables(snapshot).items():
        assert again[name].to_csv() == table.to_csv(), name


# Single decisions -------------------------------------------------------------------------------------------


def study(events: list[dict[str, Any]], subjects: int = 4, **configured: Any) -> Snapshot:
    """*subjects* treated from 1 March to 10 April 2025, with *events* given as what differs from a mild
    related one.
    """
    plain = {
        "aeterm": "t", "aedecod": "Rash", "aebodsys": "Skin", "grade": 1, "serious": False,
        "serious_as_flagged": False,
        "related": True, "fatal": False, "treated": True, "treatment_emergent": True,
        "onset_on": date(2025, 3, 5),
        "n_queries": 0, "usubjid": "S-0", "aerel": "Y",
    }  # fmt: skip
    raw = StudySettings.of({"study": {"id": "S"}, "components": [{"name": "pd1"}], **configured})
    people = [
        {"usubjid": f"S-{k}", "siteid": "01", "treated": True, "dthfl": False,
        "first_treatment_on": date(2025, 3, 1),
         "last_treatment_on": date(2025, 4, 10)}
        for k in range(subjects)
    ]  # fmt: skip
    weighed = {"level_pd1": pl.String, "share_pd1": pl.Float64, "reviewer_pd1": pl.String}
    schema = frames.event_schema(raw) | {name: weighed[name] for name in weighed if any(name in event for event in events)}
    content = {
        "subjects": frames.framed(people, frames.SUBJECTS, ("usubjid",)),
        "events": frames.framed(
            [{"aeseq": k, **plain, **event} for k, event in enumerate(events)], schema, ("usubjid", "aeseq")
        ),
    }
    return Snapshot(raw.model_dump(mode="json"), None, content, {})


def test_what_was_not_collected_says_so() -> None:
    tables = all_tables(study([]))
    immune = "no component of the study is known to cause immune-mediated events, and no group is configured (aesi)"
    absent = {name: table.not_collected for name, table in tables.items() if table.not_collected}
    assert absent == {
        "exposure_components": "exposure (EX, PR) was not imported",
        "exposure_subjects": "exposure (EX, PR) was not imported",
        "dose_levels": "exposure (EX, PR) was not imported",
        "courses": "not collected: no records of what was given",
        "query_ages": "questions are not in this snapshot",
        "query_checks": "questions are not in this snapshot",
        "deviations": "protocol deviations (DV) were not imported",
        "deviation_listing": "protocol deviations (DV) were not imported",
        "eligibility": "eligibility criteria (IE) were not imported",
        "related_pd1_soc_pt_worst_grade": "no opinion on pd1 was reported",
        "ae_actions_soc_pt": "action taken with the study treatment (AEACN) was reported for no event",
        "special_interest": immune,
        "procedure_complications": "no component of the study is a procedure",
        "procedure_complications_by": "no component of the study is a procedure",
        "lab_worst_grade": "laboratory data (LB) were not imported",
        "lab_shift": "laboratory data (LB) were not imported",
        "edish_peaks": "laboratory data (LB) were not imported",
        "edish_baseline_multiples": "laboratory data (LB) were not imported",
        "hys_law": "laboratory data (LB) were not imported",
        "lab_episodes": "no results (LB, VS, EG) were imported",
        "reconciliation": "no results (LB, VS, EG) were imported",
        "lab_ungraded": "laboratory data (LB) were not imported",
        "lab_high_grade": "laboratory data (LB) were not imported",
        "lab_over_time": "laboratory data (LB) were not imported",
        "edish_quadrants": "laboratory data (LB) were not imported",
        "liver_function_change": "laboratory data (LB) were not imported",
        "measurement_worst": "vital signs (VS), ECG (EG) and laboratory data (LB) were not imported",
        "liver_screen": "laboratory data (LB) were not imported",
        "liver_function": "laboratory data (LB) were not imported",
        "hbv_flares": "laboratory data (LB) were not imported",
        "attribution_agreement": "no component was rated by investigator and engine both",
        "stopping": "not configured",
        "stopping_path": "not configured",
        "stopping_boundary": "not configured",
        "stopping_operating": "not configured",
        "since_last_report": "No earlier report of this kind has been issued.",
        "since_last_events": "No earlier report of this kind has been issued.",
    }
    assert all(tables[name].frame.is_empty() for name in absent)
    discontinued = tables["overview"].frame.filter(pl.col("row").str.starts_with("Discontinued"))
    assert discontinued["n"].to_list() == [None]


def test_action_taken_that_was_never_reported_is_said() -> None:
    assert "was reported for no event" in all_tables(study([{}]))["overview"].rule
    assert "was reported for no event" not in all_tables(study([{"aeacn": "DOSE REDUCED"}]))["overview"].rule


@pytest.mark.parametrize(
    ("onset", "emergent", "related", "listed"),
    [
        (date(2025, 5, 11), False, True, True),
        (date(2025, 7, 9), False, True, True),  # 90 days after the last treatment
        (date(2025, 7, 10), False, True, False),
        (date(2025, 5, 11), False, False, False),
        (date(2025, 5, 11), True, True, False),
        (date(2025, 2, 1), False, True, False),
    ],
)
def test_related_events_after_the_window(onset: date, emergent: bool, related: bool, listed: bool) -> None:
    event = {"onset_on": onset, "treatment_emergent": emergent, "related": related}
    frame = all_tables(study([event]))["post_window_related_soc_pt_worst_grade"].frame
    assert frame["n"][0] == int(listed)


def test_serious_events_are_listed_whenever_they_began() -> None:
    late = {"serious": True, "treatment_emergent": False, "onset_on": date(2026, 1, 1), "aeshosp": True}
    listed = all_tables(study([{}, late]))["sae_listing"].frame
    assert listed.select("AESEQ", "te", "ser", "ser_any", "AESHOSP", "AESDTH").rows() == [
        (1, False, False, True, "Y", None)
    ]


def test_blank_component_opinion_follows_the_overall_one() -> None:
    snapshot = study([
        {"usubjid": "S-0", "related_pd1": True},
        {"usubjid": "S-1", "related_pd1": False},
        {"usubjid": "S-2", "related_pd1": None, "related": True},
        {"usubjid": "S-3", "related_pd1": None, "related": False},
    ])  # fmt: skip
    assert all_tables(snapshot)["related_pd1_soc_pt_worst_grade"].frame["n"][0] == 2


def test_agreement_of_investigator_and_engine() -> None:
    cells = (
        [(True, "PROBABLE")] * 4
        + [(True, "UNLIKELY")]
        + [(False, "POSSIBLE")] * 2
        + [(False, "UNRELATED")] * 3
    )
    cells += [(None, "POSSIBLE"), (True, None)]
    snapshot = study([{"related_pd1": said, "level_pd1": level} for said, level in cells])
    (row,) = all_tables(snapshot)["attribution_agreement"].frame.to_dicts()
    assert row.pop("kappa") == pytest.approx(0.4)
    assert row == {
        "component": "pd1", "events": 10, "both_related": 4, "investigator_only": 1, "engine_only": 2,
        "neither": 3,
        "not_rated": 2, "agreement_pct": 70.0, "weighted_kappa": None, "far_apart": 0, "reviewed": None,
        "reviewer_agreement_pct": None, "reviewer_kappa": None, "reviewer_system_kappa": None,
    }  # fmt: skip


def test_agreement_on_levels_and_with_the_reviewer() -> None:
    said = [
        # investigator, related, system, reviewer
        ("1", False, "UNRELATED", "UNRELATED"), ("2", False, "POSSIBLE", "PROBABLE"), ("4", True, "PROBABLE", "PROBABLE"),
        ("DEFINITE", True, "PROBABLE", None), ("N", False, "PROBABLE", "UNLIKELY"), (None, None, "POSSIBLE", "POSSIBLE"),
    ]  # fmt: skip
    tables = all_tables(study([
        {"usubjid": "S-0", "investigator_pd1": word, "related_pd1": related, "level_pd1": level, "share_pd1": 0.5,
         "reviewer_pd1": reviewer}
        for word, related, level, reviewer in said
    ]))  # fmt: skip
    [row] = tables["attribution_agreement"].frame.to_dicts()
    assert row["weighted_kappa"] == pytest.approx(0.875)  # 1 1, 2 3, 4 4, 5 4; not N, which names no level
    assert (row["events"], row["not_rated"], row["far_apart"]) == (5, 1, 1)
    # with the investigator: no no, no yes, yes yes, no no
    assert (row["reviewed"], row["reviewer_agreement_pct"]) == (5, 75.0)
    assert row["reviewer_kappa"] == pytest.approx(0.5)
    # with the system: (1 1) (4 3) (4 4) (2 4) (3 3); 5 seen, 65 over all pairs of the five by five
    assert row["reviewer_system_kappa"] == pytest.approx(1 - 5 * 5 / 65)
    [apart] = tables["attribution_disagreements"].frame.to_dicts()
    assert (apart["investigator"], apart["system"], apart["share"], apart["reviewer"]) == ("N", "PROBABLE", 0.5, "UNLIKELY")


def test_stopping_rule_that_is_crossed() -> None:
    rule = {"event": "related_grade_ge3", "p0": 0.2, "phi": 0.05, "n_max": 30}
    bad = [{"usubjid": f"S-{k}", "grade": 3} for k in (0, 1, 2)]
    bad.append({"usubjid": "S-3", "grade": 3, "related": False})
    tables = all_tables(study(bad, subjects=6, stopping=[rule]))
    (row,) = tables["stopping"].frame.to_dicts()
    assert (row["n_treated"], row["n_events"], row["boundary"], row["crossed"]) == (6, 3, 4, False)
    assert row["first_crossed_at"] == 3
    assert row["next_trigger"] is None
    assert tables["stopping_boundary"].frame.height == 30
    assert tables["stopping_operating"].frame["stopped"][0] == pytest.approx(0.0495, abs=5e-5)


def test_accrual_by_month_and_site() -> None:
    frame = all_tables(study([], subjects=3, accrual={"planned": 60, "sites": {"01": 20}}))["accrual"].frame
    assert frame.rows() == [("2025-03", "01", None, 3, 3, 20, None), ("2025-03", "ALL", None, 3, 3, 60, None)]


def test_csv_writes_booleans_as_words_and_unknown_as_nothing() -> None:
    table = Table("t", "T", pl.DataFrame({"a": [True, None], "b": [None, "x,y"]}), "rule")
    assert table.to_csv() == 'a,b\nTrue,\n,"x,y"\n'
