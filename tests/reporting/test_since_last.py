"""What changed since the last report, worked by hand, and that it always cross-foots."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import Snapshot
from safety_monitor.reporting.sections.week_labs import worsened
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.tables.since_last import COMPARED, ROWS, cells_of, since_last_events, since_last_report
from safety_monitor.study import StudySettings

LAST = {"issued_on": date(2026, 1, 9), "cutoff": date(2025, 12, 31), "snapshot": "ab", "n_treated": 2, "n_deaths": 1, "number": 1}
SCHEMA = {
    "usubjid": pl.String, "aeseq": pl.Int64, "grade": pl.Int64, "serious": pl.Boolean, "fatal": pl.Boolean, "aeout": pl.String,
    "related": pl.Boolean, "aedecod": pl.String,
}  # fmt: skip


def an_event(subject: str, number: int, grade: int | None, serious: bool = False, outcome: str | None = "RECOVERED", **more: Any):
    row = {"usubjid": subject, "aeseq": number, "grade": grade, "serious": serious, "fatal": grade == 5, "aeout": outcome,
           "related": True, "aedecod": "Fever"}  # fmt: skip
    return row | more


def study_of(now: list[dict[str, Any]], then: list[dict[str, Any]] | None) -> Study:
    subjects = pl.DataFrame(
        {"usubjid": ["A", "B", "C"], "treated": [True, True, False], "dthfl": [True, True, None]}
    )
    frames = {"subjects": subjects, "events": pl.DataFrame(now, schema=SCHEMA)}
    if then is not None:
        frames |= {"previous": pl.DataFrame(then, schema=SCHEMA), "last_report": pl.DataFrame([LAST])}
    settings = StudySettings.of({"study": {"id": "S"}}).model_dump(mode="json")
    return Study(Snapshot(settings, None, frames, {}))


THEN = [
    an_event("A", 1, 2),  # becomes serious, grade 3
    an_event("A", 2, 3, serious=True),  # as it was
    an_event("A", 3, 1),  # withdrawn
    an_event("B", 1, 3, serious=True),  # no longer serious, grade unknown
    an_event("C", 1, 4, outcome="ONGOING"),  # other outcome
]
NOW = [
    an_event("A", 1, 3, serious=True),
    an_event("A", 2, 3, serious=True),
    an_event("B", 1, None),
    an_event("B", 2, 5, serious=True, outcome="FATAL"),  # new
    an_event("C", 1, 4),
]


def test_sums_by_hand() -> None:
    rows = [tuple(row.values()) for row in since_last_report(study_of(NOW, THEN)).frame.to_dicts()]
    assert rows == [  # last, new, gone, now
        ("Subjects treated", 2, 0, 0, 2),
        ("Deaths from any cause", 1, 1, 0, 2),
        ("Adverse events", 5, 1, 1, 5),
        ("Serious adverse events", 2, 2, 1, 3),
        ("Events of grade 3 or worse", 3, 2, 1, 4),
        ("Fatal events", 0, 1, 0, 1),
    ]


def test_events_by_hand() -> None:
    frame = since_last_events(study_of(NOW, THEN)).frame
    told = frame.select("USUBJID", "AESEQ", "change", "grade", "grade_before", "AEOUT", "AEOUT_before").rows()
    assert told == [
        ("A", 1, "changed", 3, 2, "RECOVERED", "RECOVERED"),
        ("A", 3, "withdrawn", None, 1, None, "RECOVERED"),
        ("B", 1, "changed", None, 3, "RECOVERED", "RECOVERED"),
        ("B", 2, "new", 5, None, "FATAL", None),
        ("C", 1, "changed", 4, 4, "RECOVERED", "ONGOING"),
    ]


def behind_of(study: Study) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """The records behind each sum of the table."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for table, row, column, *record in (cell for frame in cells_of(study) for cell in frame.iter_rows()):
        assert table == "since_last_report"
        found.setdefault((row, column), []).append((record[0], record[1]))
    return found


def test_the_records_behind_a_sum() -> None:
    behind = behind_of(study_of(NOW, THEN))
    assert behind["Serious adverse events", "new"] == [("A", 1), ("B", 2)]
    assert behind["Serious adverse events", "gone"] == [("B", 1)]
    assert behind["Adverse events", "gone"] == [("A", 3)]


def test_without_an_earlier_report_nothing_is_zero() -> None:
    for table in (since_last_report(study_of(NOW, None)), since_last_events(study_of(NOW, None))):
        assert table.not_collected == "No earlier report of this kind has been issued."
        assert table.frame.is_empty()
    assert list(cells_of(study_of(NOW, None))) == []


EVENTS = st.dictionaries(
    st.tuples(st.sampled_from("ABC"), st.integers(1, 3)),
    st.tuples(st.sampled_from([None, 0, 1, 2, 3, 4, 5]), st.booleans(), st.sampled_from([None, "RECOVERED", "ONGOING"])),
)


def rows_of(drawn: dict[tuple[str, int], tuple[int | None, bool, str | None]]) -> list[dict[str, Any]]:
    return [an_event(*key, *values) for key, values in drawn.items()]


@given(EVENTS, EVENTS)
def test_last_and_new_less_gone_is_now_and_the_records_say_the_same(now: Any, then: Any) -> None:
    study = study_of(rows_of(now), rows_of(then))
    sums = since_last_report(study).frame
    assert (sums["last"] + sums["new"] - sums["gone"] == sums["now"]).all()
    found = {(row["row"], column): row[column] for row in sums.to_dicts() for column in ("last", "new", "gone", "now")}
    behind = behind_of(study)
    assert {key: len(behind.get(key, ())) for key in found if key[0] in ROWS} == {
        key: n for key, n in found.items() if key[0] in ROWS
    }
    changes = dict(since_last_events(study).frame["change"].value_counts().iter_rows())
    both = now.keys() & then.keys()
    assert changes.get("new", 0) == len(now.keys() - then.keys())
    assert changes.get("withdrawn", 0) == len(then.keys() - now.keys())
    assert changes.get("changed", 0) == sum(now[key] != then[key] for key in both)
    assert set(COMPARED) <= set(SCHEMA)


DAY = date(2026, 6, 1)


def a_result(subject: str, on: date, grade: int | None, baseline: int | None = 0, post: bool = True) -> dict[str, Any]:
    return {"usubjid": subject, "term": "Anemia", "on": on, "lbseq": on.toordinal(), "grade": grade, "baseline_grade": baseline,
            "post_baseline": post}  # fmt: skip


LABS = pl.DataFrame([
    a_result("A", date(2026, 5, 1), 1), a_result("A", date(2026, 6, 3), 3), a_result("A", date(2026, 6, 9), 3),  # 1 -> 3
    a_result("B", date(2026, 5, 1), 3), a_result("B", date(2026, 6, 3), 2),  # was worse
    a_result("C", date(2026, 6, 3), 1),  # below the grade that is told
    a_result("D", date(2026, 6, 3), 2, baseline=2),  # as at baseline
    a_result("E", date(2026, 6, 3), 2, baseline=None), a_result("E", date(2026, 6, 4), None),  # nothing before
    a_result("F", date(2026, 6, 3), 4, post=False),  # before treatment
    a_result("G", date(2026, 5, 1), 4, baseline=1),  # not in the period
])  # fmt: skip


def test_results_that_worsened_in_the_period() -> None:
    found = [(row["usubjid"], row["before"], row["grade"], row["on"].day) for row in worsened(LABS, None, DAY)]
    assert found == [("A", 1, 3, 3), ("E", None, 2, 3)]


def test_results_that_worsened_since_the_last_report() -> None:
    previous = pl.DataFrame({"usubjid": ["A", "B", "G"], "term": ["Anemia"] * 3, "grade": [3, 3, 2]})
    found = [(row["usubjid"], row["before"], row["grade"]) for row in worsened(LABS, previous, DAY)]
    assert found == [("G", 2, 4), ("E", None, 2)]  # G was received late: its date is before the period


def test_a_frame_of_another_order_is_the_same() -> None:
    turned = study_of(NOW[::-1], THEN[::-1])
    assert since_last_events(turned).frame.equals(since_last_events(study_of(NOW, THEN)).frame)
