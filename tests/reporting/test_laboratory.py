"""Tables of the laboratory, the liver and measurements: worked examples, their laws, and their words in Chinese."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safety_monitor.records import Snapshot
from safety_monitor.reporting.render import environment
from safety_monitor.reporting.sections import Material
from safety_monitor.reporting.tables import Table, all_tables
from safety_monitor.reporting.wording import speaking
from safety_monitor.study import StudySettings

FIRST = date(2025, 3, 1)
ULN = {"ALT": 40.0, "AST": 40.0, "BILI": 20.0, "ALP": 100.0}
SETTINGS = {
    "study": {"id": "S", "title": "Small", "timezone": "UTC"},
    "components": [{"name": "ablation", "kind": "procedure"}, {"name": "pd1"}],
}
SECTIONS = ("laboratory", "shifts", "trends", "liver", "liver_function", "measurements", "lab_listing")
LAB = {
    "usubjid": pl.String, "lbseq": pl.Int64, "lbtestcd": pl.String, "lbspec": pl.String, "lbdtc": pl.String, "on": pl.Date,
    "visit": pl.String, "lbstresn": pl.Float64, "unit": pl.String, "lbstnrlo": pl.Float64, "lbstnrhi": pl.Float64,
    "term": pl.String, "direction": pl.String, "grade": pl.Int64, "reason": pl.String, "criterion": pl.String,
    "basis": pl.String, "baseline_grade": pl.Int64, "flags": pl.String, "is_baseline": pl.Boolean, "post_baseline": pl.Boolean,
}  # fmt: skip


def lab(who: str, test: str, day: int, x: float | None, unit: str | None = None, **more: Any) -> dict[str, Any]:
    """A result on *day* after first treatment; up to day 0 it is the baseline."""
    units = {"BILI": "umol/L", "ALB": "g/L", "TSH": "mIU/L"}
    return {
        "usubjid": who, "lbtestcd": test, "on": FIRST + timedelta(days=day), "lbstresn": x,
        "unit": unit or units.get(test, "U/L"), "lbstnrhi": ULN.get(test), "is_baseline": day <= 0,
        "post_baseline": day > 0, **more,
    }  # fmt: skip


def study(labs: list[dict[str, Any]], subjects: int = 3, ablated_on: dict[str, int] | None = None, **frames: Any) -> Snapshot:
    people = [
        {"usubjid": str(n), "siteid": "01", "treated": True, "first_treatment_on": FIRST, "death_on": None,
         "last_treatment_on": FIRST + timedelta(days=300), "dthfl": False, "arm": None, "country": None, "sex": "M", "race": None,
         "age": 60.0, "consented_on": FIRST}
        for n in range(subjects)
    ]  # fmt: skip
    done = [{"usubjid": who, "domain": "PR", "seq": 1, "treatment": "ABLATION", "component": "ablation", "dose": None,
             "unit": None, "frequency": None, "location": None, "start_on": FIRST + timedelta(days=day), "end_on": None}
            for who, day in (ablated_on or {}).items()]  # fmt: skip
    configured = StudySettings.of(SETTINGS)
    dated = {"first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "death_on": pl.Date, "consented_on": pl.Date}
    text = dict.fromkeys(("arm", "country", "race"), pl.String)
    words = ("usubjid", "domain", "treatment", "component", "unit", "frequency", "location")
    given_schema = dict.fromkeys(words, pl.String) | {
        "seq": pl.Int64, "dose": pl.Float64, "start_on": pl.Date, "end_on": pl.Date,
    }  # fmt: skip
    names = [component.name for component in configured.components]
    events: dict[str, Any] = {
        **dict.fromkeys(("usubjid", "siteid", "aeterm", "aedecod", "aebodsys", "aerel", "aeacn", "aeout", "aestdtc", "aeendtc",
                         *(f"investigator_{name}" for name in names)), pl.String),
        **dict.fromkeys(("aeser", "aesdth", "aeslife", "aeshosp", "aesdisab", "aescong", "aesmie", "immune", "treatment_emergent",
                         "serious", "serious_as_flagged", "related", "fatal", "treated",
                         *(f"related_{name}" for name in names)), pl.Boolean),
        "aeseq": pl.Int64, "grade": pl.Int64, "onset_on": pl.Date, "n_queries": pl.Int64,
    }  # fmt: skip
    rows = [{**dict.fromkeys(LAB), "lbseq": number, **row} for number, row in enumerate(labs)]
    content = {
        "subjects": pl.DataFrame(people, schema_overrides=dated | text), "events": pl.DataFrame(schema=events),
        "labs": pl.DataFrame(rows, schema=LAB),
        "exposures": pl.DataFrame(done, schema_overrides=given_schema) if done else pl.DataFrame(schema=given_schema),
        **frames,
    }  # fmt: skip
    return Snapshot(configured.model_dump(mode="json"), None, content, {})


def rows(table: Table, *columns: str) -> list[tuple[Any, ...]]:
    return table.frame.select(columns).rows()


# The liver --------------------------------------------------------------------------------------------------


def test_the_baseline_is_never_part_of_a_peak() -> None:
    tables = all_tables(study([
        lab("0", "ALT", 0, 400), lab("0", "ALT", 10, 100), lab("0", "BILI", 0, 90), lab("0", "BILI", 10, 30),
    ]))  # fmt: skip
    assert rows(tables["edish_peaks"], "USUBJID", "ALT", "BILI") == [("0", 2.5, 1.5)]
    [multiples] = rows(tables["edish_baseline_multiples"], "ALT", "BILI", "starts_abnormal")
    assert multiples == (pytest.approx(0.25), pytest.approx(1 / 3), True)


def test_multiples_of_baseline_are_of_the_mean_before_treatment_in_one_unit() -> None:
    tables = all_tables(study([
        lab("0", "ALT", -9, 60), lab("0", "ALT", 0, 100), lab("0", "ALT", 20, 160),  # mean 80
        lab("1", "BILI", 0, 17.1), lab("1", "BILI", 20, 3, "mg/dL"),  # 3 mg/dL is 51.3 umol/L
        lab("2", "ALT", 0, 30), lab("2", "ALT", 20, 90, "no such unit"),
    ]))  # fmt: skip
    found = {row[0]: row[1:] for row in rows(tables["edish_baseline_multiples"], "USUBJID", "TA", "BILI", "starts_abnormal")}
    assert found == {"0": (2.0, None, True), "1": (None, pytest.approx(3.0, rel=1e-3), False)}


@pytest.mark.parametrize(
    ("ablated", "day", "since", "near"),
    [(10, 9, None, None), (10, 10, 0, True), (10, 17, 7, True), (10, 18, 8, False), (None, 18, None, None)],
)
def test_days_since_the_last_ablation(ablated: int | None, day: int, since: int | None, near: bool | None) -> None:
    sessions = {} if ablated is None else {"0": ablated}
    results = [lab("0", "ALT", 0, 30), lab("0", "ALT", day, 400), lab("0", "BILI", day, 60)]
    tables = all_tables(study(results, ablated_on=sessions))
    assert rows(tables["edish_peaks"], "TA_on", "days_since_ablation", "near_ablation") == [
        (FIRST + timedelta(days=day), since, near)
    ]
    [hy] = rows(tables["hys_law"], "peak_candidate", "study_day", "days_since_ablation")
    assert hy == (True, day + 1, since)


def test_quadrants_with_and_without_the_days_after_an_ablation() -> None:
    tables = all_tables(study([
        lab("0", "ALT", 0, 30), lab("0", "ALT", 12, 400), lab("0", "ALT", 40, 60),
        lab("0", "BILI", 0, 10), lab("0", "BILI", 40, 60),
        lab("1", "ALT", 0, 80), lab("1", "ALT", 40, 170), lab("1", "BILI", 0, 10), lab("1", "BILI", 40, 25),
    ], ablated_on={"0": 10}))  # fmt: skip
    counted = {row[:3]: row[3] for row in rows(tables["edish_quadrants"], "multiple_of", "results", "quadrant", "n") if row[3]}
    assert counted == {
        ("ULN", "all", "hys_law"): 1, ("ULN", "all", "temple"): 1, ("ULN", "all", "not_measured"): 1,
        ("ULN", "away_from_ablation", "cholestasis"): 1, ("ULN", "away_from_ablation", "temple"): 1,
        ("ULN", "away_from_ablation", "not_measured"): 1,
        ("baseline", "all", "hys_law"): 1, ("baseline", "all", "starts_normal"): 1, ("baseline", "all", "not_measured"): 1,
        ("baseline", "away_from_ablation", "hys_law"): 1, ("baseline", "away_from_ablation", "starts_normal"): 1,
        ("baseline", "away_from_ablation", "not_measured"): 1,
    }  # fmt: skip


def test_change_of_albi_and_child_pugh() -> None:
    tables = all_tables(study([
        lab("0", "BILI", 0, 10), lab("0", "ALB", 0, 45), lab("0", "BILI", 30, 60), lab("0", "ALB", 30, 27),  # 3 + 3 points
        lab("1", "BILI", 0, 10), lab("1", "ALB", 0, 45),
    ]))  # fmt: skip
    assert rows(tables["liver_function_change"], "measure", "baseline", "worst", "n") == [
        ("ALBI grade", "1", "3", 1), ("ALBI grade", "1", "missing", 1), ("ALBI grade", "missing", "missing", 1),
        ("Child-Pugh class", "A", "B", 1), ("Child-Pugh class", "A", "missing", 1), ("Child-Pugh class", "missing", "missing", 1),
    ]  # fmt: skip


def test_hbv_dna_that_nobody_measured_is_not_none_found() -> None:
    flares = all_tables(study([lab("0", "ALT", 0, 30)]))["hbv_flares"]
    assert flares.not_collected == "HBV DNA was not measured in any treated subject."


# Values over time -------------------------------------------------------------------------------------------


def test_periods_quartiles_and_units() -> None:
    tables = all_tables(study([
        lab("0", "ALB", -3, 40), lab("0", "ALB", 0, 30),  # the last one flagged
        lab("0", "ALB", 7, 20), lab("1", "ALB", 7, 4.0, "g/dL"), lab("2", "ALB", 3, 36), lab("2", "ALB", 5, 44),  # median 40
        lab("0", "ALB", 8, 10), lab("1", "ALB", 9, 1, "spoons"),
    ]))  # fmt: skip
    found = tables["lab_over_time"].frame.filter(pl.col("LBTESTCD") == "ALB")
    assert found.select("from_week", "to_week", "n", "q1", "median", "q3", "left_out").rows() == [
        (0, 0, 1, 30.0, 30.0, 30.0, 0), (0, 1, 3, 30.0, 40.0, 40.0, 0), (1, 2, 1, 10.0, 10.0, 10.0, 1)
    ]  # fmt: skip


# Grades -----------------------------------------------------------------------------------------------------


def test_results_without_a_grade_are_counted_by_reason() -> None:
    tables = all_tables(study([
        lab("0", "K", 1, 4, term="Hypokalemia", grade=0), lab("0", "K", 2, None, term="Hypokalemia", reason="NOT_NUMERIC"),
        lab("1", "K", 2, None, term="Hypokalemia", reason="NOT_NUMERIC"), lab("0", "TSH", 2, 9, reason="UNKNOWN_TEST"),
    ]))  # fmt: skip
    assert rows(tables["lab_ungraded"], "LBTESTCD", "term", "reason", "n", "results", "of_results") == [
        ("K", "Hypokalemia", "NOT_NUMERIC", 2, 2, 3), ("TSH", None, "UNKNOWN_TEST", 1, 1, 1)
    ]  # fmt: skip


def test_high_grades_stand_beside_their_reports() -> None:
    episodes = pl.DataFrame({
        "usubjid": ["0", "1"], "siteid": "01", "treated": True, "term": "Anemia", "baseline_grade": 0, "worst_grade": 3,
        "onset_grade": 3, "onset_on": FIRST + timedelta(days=5), "worst_on": FIRST + timedelta(days=5),
        "last_on": FIRST + timedelta(days=9), "ended": "ongoing", "resolved_on": None, "emergent_on": FIRST, "n_results": 2,
        "changes": "", "evidence": "", "link": ["matched", "unreported"], "aeseq": [7, None], "case_state": "none",
    }, schema_overrides={"resolved_on": pl.Date})  # fmt: skip
    graded = [
        lab("0", "HGB", 5, 70, term="Anemia", grade=3), lab("0", "HGB", 30, 71, term="Anemia", grade=3),
        lab("1", "HGB", 9, 72, term="Anemia", grade=3), lab("1", "HGB", -2, 73, term="Anemia", grade=3),
        lab("1", "HGB", 3, 90, term="Anemia", grade=2),
    ]  # fmt: skip
    queries = pl.DataFrame(schema=dict.fromkeys(("usubjid", "siteid", "about", "check_id", "owner", "text"), pl.String))
    queries = queries.with_columns(aeseq=pl.lit(None, pl.Int64))
    table = all_tables(study(graded, episodes=episodes, queries=queries))["lab_high_grade"]
    assert rows(table, "USUBJID", "study_day", "LBSTRESN", "post_baseline", "link", "AESEQ") == [
        ("0", 6, 70.0, True, "matched", 7), ("0", 31, 71.0, True, None, None),
        ("1", -2, 73.0, False, None, None), ("1", 10, 72.0, True, "unreported", None),
    ]  # fmt: skip


# Worst categories -------------------------------------------------------------------------------------------


def vital(domain: str, code: str, unit: str, *values: tuple[int, str]) -> pl.DataFrame:
    """Of subject 0: (day, result) as imported, text throughout; up to day 0 the baseline."""
    return pl.DataFrame(
        [("0", code, result, unit, "Y" if day <= 0 else None, str(FIRST + timedelta(days=day)), str(n))
         for n, (day, result) in enumerate(values)],
        schema=["USUBJID", *(f"{domain}{name}" for name in ("TESTCD", "STRESN", "STRESU", "BLFL", "DTC", "SEQ"))], orient="row",
    ).cast(pl.String)  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "code", "unit", "values", "measurement", "category", "worse"),
    [
        ("VS", "SYSBP", "mmHg", [(0, "119"), (9, "179"), (10, "140")], "Systolic blood pressure", "160 to < 180", 1),
        ("VS", "SYSBP", "mmHg", [(0, "190"), (9, "180")], "Systolic blood pressure", "≥ 180", 0),
        ("VS", "SYSBP", "kPa", [(0, "16"), (9, "24")], "Systolic blood pressure", "missing", None),
        ("VS", "SYSBP", "mmHg", [(0, "119"), (331, "200")], "Systolic blood pressure", "missing", None),  # after the window
        ("VS", "DIABP", "mmHg", [(0, "79"), (9, "80")], "Diastolic blood pressure", "80 to < 90", 1),
        ("EG", "QTCF", "msec", [(0, "440"), (9, "450")], "QTc interval", "≤ 450", 0),
        ("EG", "QTCF", "msec", [(0, "440"), (9, "501")], "QTc interval", "> 500", 1),
        ("EG", "QTCF", "msec", [(0, "440"), (9, "500")], "QTc interval, increase from baseline", "> 30 to 60", None),
        ("EG", "QTCF", "msec", [(0, "440"), (9, "501")], "QTc interval, increase from baseline", "> 60", None),
    ],
)
def test_worst_category(
    domain: str, code: str, unit: str, values: list[tuple[int, str]], measurement: str, category: str, worse: int | None
) -> None:
    snapshot = study([], subjects=2, **{domain.lower(): vital(domain, code, unit, *values)})
    table = all_tables(snapshot)["measurement_worst"]
    own = table.frame.filter(pl.col("measurement") == measurement)
    assert own["n"].sum() == 2, "the categories of a measurement add up to N"
    [(n, compared)] = own.filter(pl.col("category") == category).select("n", "worse_n").rows()
    assert (n, compared) == (2 if category == "missing" else 1, worse)
    assert own.filter(pl.col("category") == "missing")["n"].to_list() == [2 if category == "missing" else 1]


@pytest.mark.parametrize(
    ("x", "high", "low"),
    [(4.2, "not above ULN", "not below LLN"), (4.3, "> ULN to 10", "not below LLN"), (10.0, "> ULN to 10", "not below LLN"),
     (10.1, "> 10 to 20", "not below LLN"), (20.1, "> 20", "not below LLN"), (0.2, "not above ULN", "0.1 to < LLN"),
     (0.09, "not above ULN", "< 0.1")],
)  # fmt: skip
def test_worst_category_of_tsh(x: float, high: str, low: str) -> None:
    limits = {"lbstnrlo": 0.27, "lbstnrhi": 4.2}
    snapshot = study([lab("0", "TSH", 0, 2, **limits), lab("0", "TSH", 9, x, **limits)], subjects=1)
    table = all_tables(snapshot)["measurement_worst"]
    found = table.frame.filter(pl.col("n") == 1)
    assert found["category"].to_list() == [high, low]
    uncollected = table.frame.filter(pl.col("category") == "not collected")
    assert uncollected.height == 5
    assert uncollected["n"].null_count() == 5


def test_a_tsh_without_a_limit_is_missing_and_not_normal() -> None:
    table = all_tables(study([lab("0", "TSH", 9, 5.0)], subjects=1))["measurement_worst"]
    assert table.frame.filter(pl.col("n") == 1)["category"].to_list() == ["missing", "missing"]


# Laws -------------------------------------------------------------------------------------------------------

RESULT = st.builds(
    lab, st.sampled_from("012"), st.sampled_from(["ALT", "AST", "BILI", "ALP", "ALB", "TSH"]), st.integers(-5, 60),
    st.one_of(st.none(), st.floats(0.1, 500)), term=st.sampled_from([None, "Anemia"]),
    grade=st.one_of(st.none(), st.integers(0, 4)), lbstnrlo=st.sampled_from([None, 1.0]),
    reason=st.sampled_from([None, "NO_LIMIT"]),
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(RESULT, max_size=20), st.dictionaries(st.sampled_from("012"), st.integers(0, 40)))
def test_tables_add_up_and_every_number_has_its_subjects(results: list[dict[str, Any]], ablated: dict[str, int]) -> None:
    tables = all_tables(study(results, ablated_on=ablated))
    check_cells(tables)
    for _, group in tables["edish_quadrants"].frame.group_by("multiple_of", "results"):
        assert group["n"].sum() == 3
    for _, group in tables["liver_function_change"].frame.group_by("measure"):
        assert group["n"].sum() == 3
    for _, group in tables["lab_shift"].frame.group_by("term"):
        assert group["n"].sum() == 3
    collected = tables["measurement_worst"].frame.filter(pl.col("n").is_not_null())
    for _, group in collected.group_by("measurement"):
        assert group["n"].sum() == 3


def check_cells(tables: dict[str, Table]) -> None:
    """Every number of subjects is the number of distinct subjects that the drill-down lists."""
    key = ["table", "row", "column"]
    listed = {row[:3]: row[3] for row in tables["drilldown"].frame.group_by(key).agg(pl.col("USUBJID").n_unique()).rows()}
    expected: dict[tuple[str, str, str], int] = {}
    for row in tables["lab_worst_grade"].frame.to_dicts():
        term = row.pop("term")
        expected |= {("lab_worst_grade", term, column): n for column, n in row.items()}
    for term, baseline, worst, n in tables["lab_shift"].frame.rows():
        expected["lab_shift", f"{term} | {baseline}", worst] = n
    for test, term, reason, n, *_ in tables["lab_ungraded"].frame.rows():
        expected["lab_ungraded", f"{test} | {term or ''} | {reason or ''}", "n"] = n
    for multiple, results, quadrant, n, *_ in tables["edish_quadrants"].frame.rows():
        expected["edish_quadrants", f"{multiple} | {results}", quadrant] = n
    for measure, baseline, worst, n in tables["liver_function_change"].frame.rows():
        expected["liver_function_change", f"{measure} | {baseline}", worst] = n
    for row in tables["measurement_worst"].frame.to_dicts():
        label = f"{row['measurement']} | {row['category']}"
        counts = {("measurement_worst", label, column): row[column] for column in ("n", "baseline_n", "worse_n")}
        expected |= {cell: n for cell, n in counts.items() if n is not None}
    own = {"lab_worst_grade", "lab_shift", "lab_ungraded", "edish_quadrants", "liver_function_change", "measurement_worst"}
    assert {cell: n for cell, n in expected.items() if n} == {cell: n for cell, n in listed.items() if cell[0] in own and n}


# The report -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hcc(frozen: Callable[[str], Snapshot]) -> Snapshot:
    return frozen("hcc_synth_demo")


def test_cells_of_the_demo_trial(hcc: Snapshot) -> None:
    check_cells(all_tables(hcc))


def printed(snapshot: Snapshot, name: str) -> str:
    material = Material(snapshot, StudySettings.model_validate(snapshot.study), all_tables(snapshot))
    section = importlib.import_module(f"safety_monitor.reporting.sections.{name}").section(material)
    page = "{{ section.title | t }}{% with values = section.values %}{% include name %}{% endwith %}"
    return environment().from_string(page).render(section=section, name=f"{name}.html")


@pytest.mark.parametrize("name", SECTIONS)
def test_sections_speak_chinese(hcc: Snapshot, name: str) -> None:
    with speaking("zh") as missing:
        printed(hcc, name)
    assert missing == set()


def test_measurements_speak_chinese() -> None:
    days = ((0, 2.0), (9, 12.0), (20, 0.2))
    tsh = [lab(str(who), "TSH", day, x, lbstnrlo=0.27, lbstnrhi=4.2) for who in range(3) for day, x in days]
    results = [*tsh, lab("0", "HBVDNA", 0, 10, "IU/mL"), lab("0", "HBVDNA", 30, 90000, "IU/mL"), lab("0", "ALT", 30, 500)]
    frames = {"vs": vital("VS", "SYSBP", "mmHg", (0, "119"), (9, "150")), "eg": vital("EG", "QTCF", "ms", (0, "400"), (9, "470"))}
    snapshot = study(results, **frames)
    with speaking("zh") as missing:
        pages = [printed(snapshot, name) for name in SECTIONS]
    assert missing == set()
    assert "140 至 &lt; 160" in pages[SECTIONS.index("measurements")]


def test_results_that_nobody_reported_are_printed(hcc: Snapshot) -> None:
    episodes = all_tables(hcc)["lab_episodes"].frame
    unreported = episodes.filter(pl.col("worst_grade") >= 3, pl.col("emergent_on").is_not_null(), pl.col("link") == "unreported")
    assert unreported.height > 0
    page = printed(hcc, "laboratory")
    assert all(subject in page for subject in unreported["USUBJID"])


def test_the_listing_has_every_result_of_a_high_grade(hcc: Snapshot) -> None:
    treated = hcc.frames["subjects"].filter("treated")
    results = hcc.frames["labs"].join(treated, on="usubjid", how="semi").filter(pl.col("grade") >= 3)
    assert results.height > 0
    assert printed(hcc, "lab_listing").count('<th scope="row"') == results.height
