"""Toxicity over time, courses and cumulative incidence: worked by hand on small studies, and laws on random ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from figure_svg import svg_of
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor.records import Snapshot
from safety_monitor.reporting import figures
from safety_monitor.reporting.render import environment
from safety_monitor.reporting.sections import Material
from safety_monitor.reporting.sections import courses as course_pages
from safety_monitor.reporting.tables import Study, Table, courses, exposure, incidence, monitoring, toxicity
from safety_monitor.reporting.wording import speaking, t

START, CUTOFF = date(2025, 1, 1), date(2025, 6, 30)
STUDY = {
    "study": {"id": "S", "title": "T", "timezone": "UTC", "cutoff": "2025-06-30"},
    "components": [
        {"name": "ablation", "kind": "procedure", "match": ["MWA"]},
        {"name": "drug", "kind": "drug", "match": ["D"]},
    ],
    "immune_flag": "AEIRFL",
}
EVENT_SCHEMA = {
    "usubjid": pl.String, "aeseq": pl.Int64, "aeterm": pl.String, "aedecod": pl.String, "aebodsys": pl.String,
    "grade": pl.Int64, "onset_on": pl.Date, "aeendtc": pl.String, "treatment_emergent": pl.Boolean, "serious": pl.Boolean,
    "serious_as_flagged": pl.Boolean, "related": pl.Boolean, "fatal": pl.Boolean, "immune": pl.Boolean,
    "related_ablation": pl.Boolean, "related_drug": pl.Boolean,
}  # fmt: skip


def on(day: int) -> date:
    """Study day *day*; first treatment is day 1."""
    return START + timedelta(days=day - 1)


def study(
    events: list[dict[str, Any]], last_days: list[int], deaths: dict[int, int] | None = None,
    given_rows: list[tuple[int, str, int, int]] | None = None, **changes: Any,
) -> Study:  # fmt: skip
    """Subjects S-0, S-1, ... treated from day 1 to each of *last_days*; *deaths*: subject to day of death."""
    deaths = deaths or {}
    subjects = pl.DataFrame(
        [
            (f"S-{k}", "01", True, START, on(last), on(deaths[k]) if k in deaths else None, k in deaths)
            for k, last in enumerate(last_days)
        ],
        schema={"usubjid": pl.String, "siteid": pl.String, "treated": pl.Boolean, "first_treatment_on": pl.Date,
                "last_treatment_on": pl.Date, "death_on": pl.Date, "dthfl": pl.Boolean}, orient="row",
    )  # fmt: skip
    plain = {"aeterm": "a", "aedecod": "A", "aebodsys": "B", "treatment_emergent": True, "serious": False, "fatal": False,
             "serious_as_flagged": False, "related": True}  # fmt: skip
    rows = [{"aeseq": seq, **plain, **event, "onset_on": on(event["onset"])} for seq, event in enumerate(events, start=1)]
    framed = pl.DataFrame([{name: row.get(name) for name in EVENT_SCHEMA} for row in rows], schema=EVENT_SCHEMA)
    frames = {"subjects": subjects, "events": framed}
    if given_rows is not None:
        frames["exposures"] = pl.DataFrame(
            [(f"S-{k}", component, None, on(first), on(last)) for k, component, first, last in given_rows],
            schema={"usubjid": pl.String, "component": pl.String, "dose": pl.Float64, "start_on": pl.Date, "end_on": pl.Date},
            orient="row",
        )  # fmt: skip
    return Study(Snapshot({**STUDY, **changes}, CUTOFF, frames, {"test": "1"}))


# S-0 is observed to day 56 + 30 = 86, S-1 to its death on day 40, S-2 to day 31 (one dose).
LAST, DEATHS = [56, 20, 1], {1: 40}


@pytest.mark.parametrize(
    ("events", "expected"),
    [  # per period of 28 days: observed, none, g1, g2, g3, g4, g5, missing
        ([], [(3, 3, 0, 0, 0, 0, 0, 0), (3, 3, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 0)]),
        (
            [  # grade 1 from day 3 to 28, grade 3 on top of it on days 27 to 30
                {"usubjid": "S-0", "grade": 1, "onset": 3, "aeendtc": "2025-01-28"},
                {"usubjid": "S-0", "grade": 3, "onset": 27, "aeendtc": "2025-01-30"},
            ],
            [(3, 2, 0, 0, 1, 0, 0, 0), (3, 2, 0, 0, 1, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 0)],
        ),
        (  # without an end it goes on until the end of observation: S-1 dies on day 40, in the second period
            [{"usubjid": "S-1", "grade": 5, "onset": 10, "aeendtc": None}, {"usubjid": "S-0", "grade": None, "onset": 60}],
            [(3, 2, 0, 0, 0, 0, 1, 0), (3, 2, 0, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, 0, 0, 1), (1, 0, 0, 0, 0, 0, 0, 1)],
        ),
        (  # an end in February may be the 28th (day 59: third period); an event after S-2's observation counts nowhere
            [{"usubjid": "S-0", "grade": 2, "onset": 20, "aeendtc": "2025-02"}, {"usubjid": "S-2", "grade": 4, "onset": 33}],
            [(3, 2, 0, 1, 0, 0, 0, 0), (3, 2, 0, 1, 0, 0, 0, 0), (1, 0, 0, 1, 0, 0, 0, 0), (1, 1, 0, 0, 0, 0, 0, 0)],
        ),
    ],
)  # fmt: skip
def test_toxicity_over_time_by_hand(events: list[dict[str, Any]], expected: list[tuple[int, ...]]) -> None:
    frame = toxicity.toxicity_over_time(study(events, LAST, DEATHS)).frame
    columns = ["n_observed", "none", "g1", "g2", "g3", "g4", "g5", "gmiss"]
    assert frame.select(columns).rows() == expected


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "usubjid": st.sampled_from([f"S-{k}" for k in range(4)]),
            "grade": st.one_of(st.none(), st.integers(1, 5)),
            "onset": st.integers(1, 170),
            "aeendtc": st.one_of(st.none(), st.integers(1, 170).map(lambda day: on(day).isoformat()), st.just("2025-03")),
            "immune": st.booleans(),
            "serious": st.booleans(),
        }
    ),
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(events=EVENTS, last_days=st.lists(st.integers(1, 150), min_size=4, max_size=4), death=st.integers(1, 180))
def test_toxicity_over_time_cross_foots_and_drills_down(events: list[dict[str, Any]], last_days: list[int], death: int) -> None:
    made = study(events, last_days, {0: death})
    frame = toxicity.toxicity_over_time(made).frame
    behind = pl.concat(toxicity.cells_of(made))
    assert frame["n_observed"].to_list() == sorted(frame["n_observed"].to_list(), reverse=True)
    for row in frame.iter_rows(named=True):
        grades = {column: row[column] for column in ("g1", "g2", "g3", "g4", "g5", "gmiss")}
        assert row["none"] + sum(grades.values()) == row["n_observed"]
        assert row["ge1_pct"] == pytest.approx(100 * (row["n_observed"] - row["none"]) / row["n_observed"])
        assert row["ge3_pct"] == pytest.approx(100 * (row["g3"] + row["g4"] + row["g5"]) / row["n_observed"])
        for column, n in grades.items():
            found = behind.filter(row=f"period {row['period']}", column=column)
            assert found["USUBJID"].n_unique() == n


@settings(max_examples=12, deadline=None)
@given(events=EVENTS, last_days=st.lists(st.integers(1, 150), min_size=4, max_size=4), death=st.integers(1, 180))
def test_first_events_drill_down_to_as_many_subjects(events: list[dict[str, Any]], last_days: list[int], death: int) -> None:
    made = study(events, last_days, {0: death})
    nothing = pl.DataFrame(schema=dict.fromkeys(("table", "USUBJID"), pl.String))
    behind = pl.concat([*incidence.cells_of(made), nothing], how="diagonal")
    for kind in incidence.KINDS:
        data = incidence.first_event(made, kind)
        if data is None:
            assert not any(event["immune"] is not None for event in events)
            continue
        assert data["USUBJID"].to_list() == ["S-0", "S-1", "S-2", "S-3"]
        found = behind.filter(table=f"cumulative_incidence_{kind.name}")
        assert set(found["USUBJID"]) == set(data.filter(status=1)["USUBJID"])


def test_first_event_by_hand() -> None:
    """S-0 has it on day 12; S-1 dies on day 40; S-2 is observed for 31 days, and its event later does not count."""
    events = [
        {"usubjid": "S-0", "grade": 2, "onset": 12, "immune": True, "serious": False},
        {"usubjid": "S-0", "grade": 2, "onset": 9, "immune": False, "serious": True},
        {"usubjid": "S-2", "grade": 2, "onset": 50, "immune": True, "treatment_emergent": False},
    ]
    tables = {table.name: table for table in incidence.tables(study(events, LAST, DEATHS))}
    assert tables["cif_data_immune"].frame.rows() == [("S-0", 12, 1), ("S-1", 40, 2), ("S-2", 31, 0)]
    assert tables["cif_data_serious"].frame.rows() == [("S-0", 9, 1), ("S-1", 40, 2), ("S-2", 31, 0)]
    curve = tables["cumulative_incidence_immune"].frame.select("day", "n_at_risk", "n_events", "n_competing", "cif")
    third = pytest.approx(1 / 3)
    assert curve.rows() == [(12, 3, 1, 0, third), (30, 2, 0, 0, third), (40, 1, 0, 1, third)]


def test_where_nobody_flagged_immune_events_the_incidence_is_not_collected() -> None:
    tables = {table.name: table for table in incidence.tables(study([{"usubjid": "S-0", "grade": 2, "onset": 12}], LAST))}
    assert "not collected" in (tables["cumulative_incidence_immune"].not_collected or "")
    assert tables["cumulative_incidence_serious"].not_collected is None


def test_courses_by_hand() -> None:
    events = [
        {"usubjid": "S-1", "grade": 4, "onset": 5, "serious": True},
        {"usubjid": "S-1", "grade": 3, "onset": 6},
        {"usubjid": "S-1", "grade": 2, "onset": 7},
    ]
    given_rows = [
        (1, "ablation", 1, 1), (1, "drug", 3, 10), (1, "drug", 11, 15), (1, "drug", 17, 20), (1, "drug", 4, 6),
        (0, "drug", 2, 150),
    ]  # fmt: skip
    frame = courses.courses(study(events, [170, 20], DEATHS, given_rows)).frame
    assert frame.rows() == [
        ("S-0", "observed", None, 1, 181, None, None),
        ("S-0", "ongoing", None, 181, 181, None, None),
        ("S-0", "dose", "drug", 2, 150, None, None),
        ("S-1", "observed", None, 1, 40, None, None),
        ("S-1", "procedure", "ablation", 1, 1, None, None),
        ("S-1", "dose", "drug", 3, 15, None, None),  # 3-10 and 11-15 follow each other, 4-6 lies within; day 16 is a gap
        ("S-1", "dose", "drug", 17, 20, None, None),
        ("S-1", "serious", None, 5, 5, 4, 1),
        ("S-1", "high_grade", None, 6, 6, 3, 2),
        ("S-1", "death", None, 40, 40, None, None),
    ]


def test_courses_without_exposures_are_not_collected() -> None:
    assert "not collected" in (courses.courses(study([], LAST)).not_collected or "")


@pytest.mark.parametrize(("n", "expected"), [(0, []), (1, [1]), (40, [40]), (41, [21, 20]), (88, [30, 30, 28])])
def test_swimmer_pages_are_as_equal_as_can_be(n: int, expected: list[int]) -> None:
    names = pl.DataFrame({"USUBJID": [f"S-{k}" for k in range(n) for _ in range(2)]}, schema={"USUBJID": pl.String})
    parts = course_pages.pages(names)
    assert [part["USUBJID"].n_unique() for part in parts] == expected
    assert pl.concat([names.clear(), *parts]).equals(names)


def texts(figure: figures.Figure) -> set[str]:
    found = ElementTree.fromstring(svg_of(figure)).iter("{http://www.w3.org/2000/svg}text")
    return {"".join(text.itertext()).strip() for text in found}


def test_what_the_figures_say() -> None:
    made = study([{"usubjid": "S-0", "grade": 3, "onset": 3}], [56, 20, 1], DEATHS, [(0, "drug", 1, 56), (2, "drug", 1, 1)])
    bars = figures.toxicity_over_time(toxicity.toxicity_over_time(made).frame, 28)
    assert {"grade 3", "grade 4–5", "worst going on", "Subjects under observation (%)"} <= texts(bars)
    assert "grade missing" not in texts(bars)
    assert "1: 33 %, 33 % (n = 3); 2: 33 %, 33 % (n = 3); 3: 100 %, 100 % (n = 1)" in bars.alt
    swim = figures.swimmer(courses.courses(made).frame, ["drug"], 86)
    assert {"S-0", "S-1", "S-2", "drug", "death", "serious event"} <= texts(swim)
    assert swim.alt == (
        "Courses of 3 subjects, longest under observation first. Serious events: 0; other events of grade 3 or worse: 1; "
        "deaths: 1; still under observation: 0."
    )
    curve = figures.cumulative_incidence([12, 40, 200], [1, 2, 0], "first serious event")
    assert {"at risk (n)", "33 %", "3", "Subjects with the event (%)"} <= texts(curve)
    assert "3: 33.3 % (" in curve.alt


RULES = [
    {"event": "grade_ge3", "p0": 0.2, "n_max": 30, "components": ["drug"]},
    {"event": "sae", "p0": 0.1, "n_max": 30, "method": "beta_binomial", "certainty": 0.9},
    {"event": "death", "p0": 0.1, "n_max": 30, "method": "beta_binomial"},
    {"event": "sae", "p0": 0.1, "n_max": 30, "method": "group", "looks": [10, 20, 30], "shape": 0.5},
    {"event": "sae", "p0": 0.1, "p1": 0.3, "n_max": 30, "method": "sprt"},
    {"event": "sae", "p0": 0.1, "p1": 0.3, "power": 0.9, "n_max": 30, "method": "sprt"},
    {"event": "sae", "p0": 0.3, "n_max": 30, "method": "boin"},
]


def crossing() -> Study:
    """S-0, S-1, S-2 with a related grade 3 event of the drug, S-0 a serious one; six treated."""
    events = [{"usubjid": f"S-{k}", "grade": 3, "onset": 4, "related_drug": True, "immune": False} for k in range(3)]
    events.append({"usubjid": "S-5", "grade": 3, "onset": 4, "related_drug": False, "immune": True, "serious": True})
    return study(events, [56] * 6, given_rows=[(k, "drug", 1, 56) for k in range(6)], stopping=RULES)


def tables_of(made: Study) -> dict[str, Table]:
    return {table.name: table for module in (exposure, incidence, toxicity, courses, monitoring) for table in module.tables(made)}


def material_of(made: Study) -> Material:
    return Material(made.snapshot, made.settings, tables_of(made))


def test_stopping_table_has_one_row_a_rule_with_its_posterior() -> None:
    made = crossing()
    tables = tables_of(made)
    frame = tables["stopping"].frame
    assert frame["n_events"].to_list() == [3, 1, 0, 1, 1, 1, 1]
    assert frame["first_crossed_at"].to_list()[0] == 3
    assert [value is None for value in frame["posterior"]] == [True, False, False, True, True, True, False]
    assert frame["phi"].to_list() == [0.05, None, 0.05, 0.05, 0.05, 0.05, None]
    assert tables["stopping_path"].frame.filter(rule=1)["n_events"].to_list() == [1, 2, 3, 3, 3, 3]
    behind = pl.concat(monitoring.cells_of(made))
    for number, n in enumerate(frame["n_events"], start=1):
        assert behind.filter(table="stopping", row=f"rule {number}")["USUBJID"].n_unique() == n
    for row in tables["event_rates"].frame.filter(pl.col("n").is_not_null()).iter_rows(named=True):
        assert behind.filter(table="event_rates", row=row["event"])["USUBJID"].n_unique() == row["n"]


@pytest.mark.parametrize("name", ["monitoring", "incidence", "courses"])
@pytest.mark.parametrize("make", [crossing, lambda: study([], LAST, DEATHS)], ids=["with everything", "with nothing"])
def test_nothing_is_left_in_english_in_a_chinese_report(name: str, make: Callable[[], Study]) -> None:
    material = material_of(make())
    section_of = importlib.import_module(f"safety_monitor.reporting.sections.{name}").section
    with speaking("zh") as missing:
        section = section_of(material)
        assert t(section.title) != section.title
        html = environment().get_template(f"{name}.html").render(values=section.values)
    assert missing == set()
    assert html.strip()


def test_the_decision_box_says_that_the_boundary_was_reached() -> None:
    material = material_of(crossing())
    values = importlib.import_module("safety_monitor.reporting.sections.monitoring").section(material).values
    html = environment().get_template("monitoring.html").render(values=values)
    assert values["rules"][0]["status"] == "reached"
    assert "The boundary was first reached with 3 subjects treated" in html
    assert "Later subjects brought the count below the boundary again" in html
    assert "Probability that the true rate lies above 10 %" in html
