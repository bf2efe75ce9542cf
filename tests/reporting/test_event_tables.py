"""Tables of adverse events: against the last report, by action, of special interest, of complications, of deaths."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
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
from safety_monitor.reporting.render import environment
from safety_monitor.reporting.sections import Material
from safety_monitor.reporting.tables import all_tables
from safety_monitor.reporting.tables.base import SEPARATOR, Study, Table
from safety_monitor.reporting.wording import speaking, t
from safety_monitor.study import StudySettings


def _beside(path: str) -> ModuleType:
    name = "shared_" + Path(path).stem
    spec = spec_from_file_location(name, Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


base = _beside("test_tables.py")
FIRST = base.FIRST
PREVIOUS = {
    "usubjid": pl.String, "aeseq": pl.Int64, "grade": pl.Int64, "serious": pl.Boolean, "fatal": pl.Boolean, "aeout": pl.String,
    "related": pl.Boolean, "aedecod": pl.String,
}  # fmt: skip
LAST = {
    "issued_on": pl.Date,
    "cutoff": pl.Date,
    "snapshot": pl.String,
    "n_treated": pl.Int64,
    "n_deaths": pl.Int64,
    "number": pl.Int64,
}
GIVEN = {
    "usubjid": pl.String, "domain": pl.String, "seq": pl.Int64, "treatment": pl.String, "component": pl.String,
    "dose": pl.Float64,
    "unit": pl.String, "frequency": pl.String, "location": pl.String, "start_on": pl.Date, "end_on": pl.Date,
}  # fmt: skip
CM = dict.fromkeys(("USUBJID", "CMTRT", "CMSTDTC"), pl.String)
DISPOSED = {"usubjid": pl.String, "dsdecod": pl.String, "dsterm": pl.String, "dscat": pl.String, "on": pl.Date}


def after(snapshot: Snapshot, previous: list[dict[str, Any]], cutoff: date = FIRST + timedelta(days=60)) -> Snapshot:
    """*snapshot* as the second report, after one that had *previous*."""
    last = [{"issued_on": cutoff, "cutoff": cutoff, "snapshot": "0", "n_treated": 1, "n_deaths": 0, "number": 1}]
    frames = {"previous": pl.DataFrame(previous, schema=PREVIOUS), "last_report": pl.DataFrame(last, schema=LAST)}
    return replace(snapshot, frames={**snapshot.frames, **frames})


def with_given(snapshot: Snapshot, rows: list[tuple[Any, ...]], **more: pl.DataFrame) -> Snapshot:
    """*snapshot* with exposures: subject, component, treatment, location, first and last day after FIRST."""
    given = [
        {"usubjid": who, "domain": "PR" if component == "ablation" else "EX", "seq": seq, "treatment": treatment,
         "component": component, "dose": None if component == "ablation" else 200.0, "location": location,
         "start_on": FIRST + timedelta(days=start), "end_on": FIRST + timedelta(days=end)}
        for seq, (who, component, treatment, location, start, end) in enumerate(rows)
    ]  # fmt: skip
    return replace(snapshot, frames={**snapshot.frames, "exposures": pl.DataFrame(given, schema=GIVEN), **more})


# Laws, on random studies -------------------------------------------------------------------------------------

ACTION = st.sampled_from([None, "DRUG WITHDRAWN", "DRUG INTERRUPTED", "DOSE REDUCED", "DOSE NOT CHANGED"])
WORDING = st.sampled_from(["verbatim", "liver abscess", "needle tract seeding", "immune colitis", "vitiligo"])


@st.composite
def reported_before(draw: st.DrawFn) -> Snapshot:
    """A random study of which a random part was in an earlier report, some of it otherwise than now."""
    snapshot: Snapshot = draw(base.studies())
    events = snapshot.frames["events"]
    each = st.lists
    n = events.height
    immune = draw(each(st.sampled_from([None, True, False]), min_size=n, max_size=n))
    terms = draw(each(WORDING, min_size=n, max_size=n))
    actions = draw(each(ACTION, min_size=n, max_size=n)) if draw(st.booleans()) else [None] * n
    events = events.with_columns(
        pl.Series("immune", immune, pl.Boolean), pl.Series("aeterm", terms, pl.String),
        pl.Series("action_pd1", actions, pl.String),
        aeendtc=pl.when(pl.col("aeseq") % 3 == 0).then((pl.col("onset_on") + pl.duration(days=9)).cast(pl.String)),
    )  # fmt: skip
    configured = {
        **base.SETTINGS, "immune_flag": "AEIRFL" if draw(st.booleans()) else None,
        "aesi": {"Ones": ["One"], "More": ["Two", "Three"]},
        "components": [{"name": "ablation", "kind": "procedure"}, {"name": "pd1", "profile": "pd1"}],
    }  # fmt: skip
    people = snapshot.frames["subjects"]["usubjid"].to_list()
    rows = [
        (who, component, treatment, draw(st.sampled_from([None, "LUNG", "LIVER"])), start, start)
        for who in people for component, treatment in (("ablation", "MWA"), ("ablation", "RFA"), ("pd1", "SINTILIMAB"))
        for start in draw(st.sets(st.integers(0, 150), max_size=2))
    ]  # fmt: skip
    cm = [{"USUBJID": who, "CMTRT": "Prednisone", "CMSTDTC": "2025-04-01"} for who in people[::2]]
    disposed = [{"usubjid": who, "dsdecod": draw(st.sampled_from(["DEATH", "ADVERSE EVENT"])), "dsterm": "DEATH - cancer",
                 "on": FIRST + timedelta(days=draw(st.integers(0, 99)))} for who in people[1:]]  # fmt: skip
    more = {"dispositions": pl.DataFrame(disposed, schema=DISPOSED)} | (
        {"cm": pl.DataFrame(cm, schema=CM)} if draw(st.booleans()) else {}
    )
    snapshot = with_given(replace(snapshot, frames={**snapshot.frames, "events": events}), rows, **more)
    snapshot = replace(snapshot, study=StudySettings.of(configured).model_dump(mode="json"))
    if draw(st.integers(0, 3)) == 0:
        return snapshot
    previous = [
        {**{name: row[name] for name in PREVIOUS}, **draw(st.sampled_from([
            {}, {}, {"grade": 1}, {"serious": False}, {"related": False},
         {"fatal": False, "aeout": "UNKNOWN"}, {"aedecod": "Before"}]))}
        for row in events.to_dicts() if draw(st.booleans())
    ]  # fmt: skip
    return after(snapshot, previous)


RANDOM = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
#: Table -> how its rows are named in the drill-down, and its columns that count subjects.
COUNTED: dict[str, tuple[Callable[[dict[str, Any]], str], tuple[str, ...]]] = {
    "overview_interval": (lambda row: row["row"] + (SEPARATOR + row["component"] if row["component"] else ""), ("n", "new_n")),
    "sae_soc_pt_interval": (lambda row: row["SOC"] + (SEPARATOR + row["PT"] if row["PT"] else ""), ("n", "new_n")),
    "common_terms": (lambda row: row["PT"], ("n", "ge3", "rel_n", "sae_n", "new_n")),
    "ae_actions_soc_pt": (
        lambda row: SEPARATOR.join(part for part in (row["component"] or "all", row["SOC"], row["PT"]) if part),
        ("n", "withdrawn_n", "interrupted_n", "reduced_n"),
    ),
    "special_interest": (
        lambda row: row["kind"] + SEPARATOR + row["group"],
        ("n", "new_n", "candidate_n", "steroid_n", "g1", "g2", "g3", "g4", "g5", "gmiss"),
    ),
    "procedure_complications": (
        lambda row: row["group"] + (SEPARATOR + row["PT"] if row["PT"] else ""), ("n", "ge3", "sae_n", "rel_n", "new_n"),
    ),
    "deaths_summary": (lambda row: row["kind"] + SEPARATOR + row["row"], ("within", "after", "unknown", "n", "new_n")),
    "exposure_adjusted": (lambda row: row["row"], ("subj",)),
}  # fmt: skip
for _name in ("ae", "related_ae", "related_ablation", "related_pd1", "post_window_related"):
    COUNTED[f"{_name}_soc_pt_worst_grade"] = (COUNTED["sae_soc_pt_interval"][0], ("n", "new_n", "g1", "g5", "gmiss", "ge3"))


@RANDOM
@given(reported_before())
def test_every_number_of_subjects_drills_down(snapshot: Snapshot) -> None:
    tables = all_tables(snapshot)
    found = tables["drilldown"].frame.group_by("table", "row", "column").agg(pl.col("USUBJID").n_unique().alias("n"))
    behind = {(row["table"], row["row"], row["column"]): row["n"] for row in found.to_dicts()}
    for name, (label, columns) in COUNTED.items():
        for row in tables[name].frame.to_dicts():
            for column in columns:
                assert row[column] is None or row[column] == behind.get((name, label(row), column), 0), (name, row, column)


@RANDOM
@given(reported_before())
def test_tables_of_events_cross_foot(snapshot: Snapshot) -> None:
    tables = all_tables(snapshot)
    rows = {name: table.frame.to_dicts() for name, table in tables.items()}
    n, first = Study(snapshot).n, Study(snapshot).last_report is None
    for name in COUNTED:
        for row in rows[name]:
            if "new_n" in row:
                assert first or row["new_n"] is None or row["new_n"] <= row["n"], (name, row)
                assert not first or row["new_n"] is None, (name, row)
            assert row.get("n", 0) <= n
    overview = {(row["row"], row["component"]): row for row in rows["overview_interval"]}
    for row in rows["overview"]:  # the worked rows, unchanged
        assert overview[row["row"], None]["n"] == row["n"]
        assert overview[row["row"], None]["events"] == row["events"]
    serious = overview["Any SAE (AESER=Y or any criterion)", None]
    top = rows["sae_soc_pt_interval"][0]
    assert [top[c] for c in ("n", "events", "new_n", "new_events")] == [
        serious[c] for c in ("n", "events", "new_n", "new_events")
    ]
    every = tables["ae_soc_pt_worst_grade"].frame
    assert overview["Any TEAE", None]["new_n"] == every["new_n"][0]
    for component in ("ablation", "pd1"):
        related = tables[f"related_{component}_soc_pt_worst_grade"]
        if not related.not_collected:
            assert overview["Related TEAE", component]["n"] == related.frame["n"][0]
            assert overview["Related TEAE", component]["new_n"] == related.frame["new_n"][0]
            assert overview["Related grade >=3", component]["n"] == related.frame["ge3"][0]
    labels = {"withdrawn": "Leading to discontinuation (AEACN)", "interrupted": "Dose interrupted", "reduced": "Dose reduced"}
    for row in rows["ae_actions_soc_pt"]:
        parts = [row[f"{action}_n"] for action in labels]
        assert max(parts) <= row["n"] <= sum(parts)
        if row["level"] == 0:
            assert parts == [overview[label, row["component"]]["n"] for label in labels.values()]
    for row in rows["special_interest"]:
        assert sum(row[f"g{grade}"] for grade in range(1, 6)) + row["gmiss"] == row["n"]
        assert row["resolved"] + row["ongoing"] + row["fatal"] + row["unknown"] == row["events"] >= row["n"]
        assert row["steroid_n"] is None if "cm" not in snapshot.frames else row["steroid_n"] <= row["n"]
    done = rows["procedure_complications"]
    assert all(row["n"] <= row["N_subjects"] and row["sessions"] <= row["N_sessions"] for row in done)
    assert all(row["n"] <= row["sessions"] <= row["events"] for row in done)
    assert sum(row["events"] for row in done if row["level"] == 1) == done[0]["events"]
    assert all(row["sessions"] >= row["with_any"] >= row["with_ge3"] for row in rows["procedure_complications_by"])
    summary = rows["deaths_summary"]
    assert all(row["within"] + row["after"] + row["unknown"] == row["n"] for row in summary)
    for kind in ("cause", "fatal event"):
        assert sum(row["n"] for row in summary if row["kind"] == kind) == summary[0]["n"] == tables["deaths"].frame.height


@RANDOM
@given(reported_before(), st.randoms(use_true_random=False))
def test_order_of_the_frames_changes_nothing(snapshot: Snapshot, random: Any) -> None:
    shuffled = {
        name: frame.sample(fraction=1, shuffle=True, seed=random.randint(0, 99)) for name, frame in snapshot.frames.items()
    }
    again = all_tables(replace(snapshot, frames=shuffled))
    tables = all_tables(snapshot)
    assert [name for name in tables if again[name].to_csv() != tables[name].to_csv()] == []


# Worked by hand ---------------------------------------------------------------------------------------------


def known(snapshot: Snapshot, **otherwise: dict[str, Any]) -> list[dict[str, Any]]:
    """The events as the last report had them; ``e0={"grade": 1}``: event 0 with what was different then."""
    events = [{name: row[name] for name in PREVIOUS} for row in snapshot.frames["events"].to_dicts()]
    return [event | otherwise.get(f"e{event['aeseq']}", {}) for event in events if otherwise.get(f"e{event['aeseq']}") != {}]


@pytest.mark.parametrize(
    ("then", "news"),
    [
        (None, "new"),
        ({"grade": 3}, "known"),
        ({"grade": 2}, "changed"),
        ({"grade": None}, "changed"),
        ({"serious": True}, "changed"),
        ({"fatal": True}, "changed"),
        ({"aeout": "FATAL"}, "changed"),
        ({"related": False}, "changed"),
        ({"aedecod": "Pruritus"}, "changed"),
    ],
)
def test_news_of_an_event(then: dict[str, Any] | None, news: str) -> None:
    snapshot = base.study([{"grade": 3}])
    before = known(snapshot, e0=then) if then else []
    assert Study(after(snapshot, before)).events["news"].to_list() == [news]
    assert Study(snapshot).events["news"].to_list() == [None]


def test_an_event_that_got_worse_is_new_where_it_was_not_counted() -> None:
    """Three subjects had rash: mild then and severe now; severe then as now; and not yet reported."""
    snapshot = base.study([{"usubjid": "S-0", "grade": 3}, {"usubjid": "S-1", "grade": 3}, {"usubjid": "S-2", "grade": 1}])
    tables = all_tables(after(snapshot, known(snapshot, e0={"grade": 1}, e2={})))
    rows = {
        row["row"]: (row["new_n"], row["new_events"], row["n"], row["events"])
        for row in tables["overview_interval"].frame.to_dicts()
    }
    assert rows["Any TEAE"] == (1, 1, 3, 3)
    assert rows["Grade >=3 TEAE"] == (1, 1, 2, 2)
    assert rows["Any SAE (AESER=Y)"] == (0, 0, 0, 0)
    assert tables["ae_soc_pt_worst_grade"].frame["new_n"].to_list() == [1, 1, 1]


def test_deaths_in_and_after_the_window_by_cause() -> None:
    snapshot = base.study([{"usubjid": "S-1", "grade": 5, "fatal": True, "related": True}], subjects=5)
    last = date(2025, 4, 10)
    died = [None, last + timedelta(days=30), last + timedelta(days=31), None, last]
    people = snapshot.frames["subjects"].with_columns(
        pl.Series("death_on", died, pl.Date), pl.Series("dthfl", [False, True, True, True, True])
    )
    said = [{"usubjid": "S-1", "dsdecod": "DEATH", "dsterm": "DEATH - ADVERSE EVENT"},
            {"usubjid": "S-2", "dsdecod": "DEATH", "dsterm": "Progression"},
            {"usubjid": "S-4", "dsdecod": "DEATH", "dsterm": "DEATH"}]  # fmt: skip
    frames = {**snapshot.frames, "subjects": people, "dispositions": pl.DataFrame(said, schema=DISPOSED)}
    found = all_tables(replace(snapshot, frames=frames))["deaths_summary"].frame
    assert found.select("kind", "row", "within", "after", "unknown", "n").rows() == [
        ("all", "all", 2, 1, 1, 4),
        ("cause", "not reported", 1, 0, 1, 2),
        ("cause", "Adverse event", 1, 0, 0, 1),
        ("cause", "Progression", 0, 1, 0, 1),
        ("fatal event", "related", 1, 0, 0, 1),
        ("fatal event", "not related", 0, 0, 0, 0),
        ("fatal event", "none", 1, 1, 1, 3),
    ]


PROCEDURE = [{"name": "ablation", "kind": "procedure"}, {"name": "pd1", "profile": "pd1"}]
TRIED = [
    ("S-0", "ablation", "MWA", "LUNG", 0, 0),
    ("S-0", "ablation", "MWA", "LUNG", 20, 20),
    ("S-1", "ablation", "RFA", None, 0, 0),
]


@pytest.mark.parametrize(
    ("event", "group"),
    [
        ({"aedecod": "Pneumothorax", "onset_on": FIRST + timedelta(days=50)}, "Pneumothorax or air leak"),  # day 30 of the second
        ({"aedecod": "Pneumothorax", "onset_on": FIRST + timedelta(days=51)}, None),
        ({"aedecod": "Pneumothorax", "onset_on": FIRST - timedelta(days=1)}, None),
        ({"aedecod": "Fever"}, None),
        ({"aedecod": "Fever", "related_ablation": True}, "Other, related to the procedure"),
        ({"aedecod": "Hepatic infection", "aeterm": "Abscess of the liver"}, "Abscess or infection"),
        ({"aedecod": "Other", "aeterm": "needle tract seeding"}, "Tract seeding"),
    ],
)
def test_what_is_a_complication(event: dict[str, Any], group: str | None) -> None:
    snapshot = with_given(base.study([{"related": False, **event}], components=PROCEDURE), TRIED)
    found = all_tables(snapshot)["procedure_complications"].frame
    assert found.filter(pl.col("level") == 1)["group"].to_list() == ([group] if group else [])
    assert found["N_sessions"].unique().to_list() == [3]
    assert found["N_subjects"].unique().to_list() == [2]


def test_complications_count_once_per_session_and_subject() -> None:
    """Two events after the first session of S-0, one after the second, one after that of S-1."""
    lung = {"aedecod": "Pneumothorax", "related": False}
    days = [("S-0", 1), ("S-0", 2), ("S-0", 21), ("S-1", 0)]
    events = [{**lung, "usubjid": who, "onset_on": FIRST + timedelta(days=day)} for who, day in days]
    tables = all_tables(with_given(base.study(events, components=PROCEDURE), TRIED))
    top = tables["procedure_complications"].frame.row(0, named=True)
    assert [top[c] for c in ("sessions", "n", "events", "rel_n")] == [3, 2, 4, 0]
    assert tables["procedure_complications_by"].frame.select("by", "value", "sessions", "with_any").rows() == [
        ("modality", "mwa", 2, 2), ("modality", "rfa", 1, 1), ("site", "lung", 2, 2),
    ]  # fmt: skip


def test_immune_events_by_organ_with_onset_resolution_and_steroids() -> None:
    """Colitis of S-0 ten days after the first dose, resolved in 14 with prednisone; of S-1, twenty, going on; S-2: a question."""
    colitis = {"aedecod": "Colitis", "grade": 2, "immune": True}
    events = [
        {
            **colitis,
            "usubjid": "S-0",
            "onset_on": FIRST + timedelta(days=15),
            "aeendtc": "2025-03-30",
            "aeout": "RECOVERED/RESOLVED",
        },
        {**colitis, "usubjid": "S-1", "grade": 3, "onset_on": FIRST + timedelta(days=25), "aeout": "NOT RECOVERED/NOT RESOLVED"},
        {**colitis, "usubjid": "S-2", "immune": None, "onset_on": FIRST + timedelta(days=25)},
        {**colitis, "usubjid": "S-3", "immune": None, "onset_on": FIRST + timedelta(days=4)},  # before any dose
    ]
    snapshot = base.study(events, components=PROCEDURE, immune_flag="AEIRFL", aesi={"Gut": ["colitis"]})
    given = [(who, "pd1", "SINTILIMAB", None, 5, 5) for who in ("S-0", "S-1", "S-2", "S-3")]
    cm = [("S-0", "PREDNISONE", "2025-03-17"), ("S-1", "PREDNISONE", "2025-03-17"), ("S-1", "HYDROCORTISONE CREAM", "2025-04-02")]
    found = all_tables(with_given(snapshot, given, cm=pl.DataFrame(cm, schema=CM, orient="row")))["special_interest"].frame
    assert found.select(
        "group", "n", "g2", "g3", "candidate_n", "onset_median", "onset_min", "onset_max", "resolved", "ongoing",
        "days_median", "steroid_n",
    ).rows() == [
        ("any", 2, 1, 1, 1, 15.0, 10, 20, 1, 1, 14.0, 1),
        ("bowel", 2, 1, 1, 1, 15.0, 10, 20, 1, 1, 14.0, 1),
        ("Gut", 4, 3, 1, None, 20.0, 4, 25, 1, 1, 14.0, 1),
    ]  # fmt: skip
    assert all_tables(with_given(snapshot, given))["special_interest"].frame["steroid_n"].to_list() == [None] * 3


def test_serious_event_with_days_since_each_component() -> None:
    event = {"serious": True, "serious_as_flagged": True, "onset_on": FIRST + timedelta(days=10), "aestdtc": "2025-03-11"}
    given = [
        ("S-0", "ablation", "MWA", None, 0, 0),
        ("S-0", "ablation", "MWA", None, 12, 12),
        ("S-0", "pd1", "SINTILIMAB", None, 2, 4),
    ]
    row = all_tables(with_given(base.study([event], components=PROCEDURE), given))["sae_listing"].frame.row(0, named=True)
    assert [row[c] for c in ("ASTDY", "days_since_ablation", "days_since_pd1")] == [11, 10, 6]
    assert row["expected_ablation"] is None  # no list of a component without a profile
    assert row["expected_why_ablation"] == "no reference safety information is configured"


def test_most_common_terms_by_either_threshold() -> None:
    """Of 20 subjects: two had Rash (10 %), one a severe Pain (5 %), one a mild Cough (5 %)."""
    events = [
        {"usubjid": "S-0"},
        {"usubjid": "S-1"},
        {"usubjid": "S-2", "aedecod": "Pain", "grade": 3},
        {"usubjid": "S-3", "aedecod": "Cough"},
    ]
    assert all_tables(base.study(events, subjects=20))["common_terms"].frame["PT"].to_list() == ["Rash", "Pain"]


def test_actions_overall_are_told_of_no_component() -> None:
    event = {"aeacn": "DOSE REDUCED"}
    table: Table = all_tables(base.study([event]))["ae_actions_soc_pt"]
    assert table.frame.select("component", "level", "n", "reduced_n", "withdrawn_n").row(0) == (None, 0, 1, 1, 0)
    assert "not reported of each component" in table.rule
    assert all_tables(base.study([{}]))["ae_actions_soc_pt"].not_collected


# Printed ----------------------------------------------------------------------------------------------------

SECTIONS = ("overview", "common", "terms", "related", "serious_terms", "serious", "deaths", "modified", "special",
            "complications", "rates", "attribution")  # fmt: skip


def printed(snapshot: Snapshot, language: str) -> tuple[dict[str, str], set[str]]:
    material = Material(snapshot, StudySettings.model_validate(snapshot.study), all_tables(snapshot))
    found = {}
    with speaking(language) as missing:
        for name in SECTIONS:
            section = importlib.import_module(f"safety_monitor.reporting.sections.{name}").section(material)
            found[name] = t(section.title) + environment().get_template(f"{name}.html").render(values=section.values)
    return found, missing


@pytest.mark.parametrize("which", ["first report", "second report", "nothing reported"])
def test_sections_speak_chinese(frozen: Callable[[str], Snapshot], which: str) -> None:
    snapshot = base.study([]) if which == "nothing reported" else frozen("hcc_synth_demo")
    if which == "nothing reported":
        snapshot = with_given(snapshot, [])
    if which == "second report":
        kept = snapshot.frames["events"].filter(pl.col("aeseq") % 2 == 0).to_dicts()
        snapshot = after(snapshot, [{name: row[name] for name in PREVIOUS} for row in kept], date(2026, 1, 31))
    found, missing = printed(snapshot, "zh")
    assert missing == set()
    assert "不良事件" in found["overview"]


def test_interval_columns_are_shown_only_after_an_earlier_report(frozen: Callable[[str], Snapshot]) -> None:
    snapshot = frozen("hcc_synth_demo")
    first, _ = printed(snapshot, "en")
    assert "Since the last report" not in first["overview"]
    assert "First report: no earlier one to compare with." in first["overview"]
    assert "NEW" not in first["serious"]
    kept = snapshot.frames["events"].filter(pl.col("aeseq") % 2 == 0).to_dicts()
    second, _ = printed(after(snapshot, [{name: row[name] for name in PREVIOUS} for row in kept]), "en")
    assert "Since the last report" in second["overview"]
    assert "NEW" in second["serious"]
