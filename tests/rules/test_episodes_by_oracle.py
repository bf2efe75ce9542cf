"""The slow program of episodes on its own: each trap of docs/events.md by hand, and what must hold for every study.

``test_episodes.py`` holds the fast program against the same rules; here is what the slow one must get right to be a judge.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from episodes_oracle import Person, Result, episodes

DAY = date(2026, 1, 1)
GAP, WINDOW = 60, 30
Study = tuple[list[Result], list[Person], int, int]


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def series(text: str) -> list[Result]:
    """``0:b0 21:1 42:?``: day and grade of each result; b marks the baseline, ? a result without a grade."""
    return [
        Result("1", "Anemia", on(int(day)), None if grade == "?" else int(grade), flag == "b")
        for day, flag, grade in re.findall(r"(-?\d+):(b?)(\d|\?)", text)
    ]


def told(row: dict[str, Any]) -> str:
    """``ref0 n3 21:1 42:3 84 resolved 105 te42``: baseline grade (? unknown), number of results, each change, last worse day,
    how it ended and when, first emergent day.

    The onset is the first change and the worst the first change with the highest grade: both are held against the keys.
    """
    changes = row["changes"]
    assert changes[0] == (row["onset_on"], row["onset_grade"])
    worst = max(grade for _, grade in changes)
    assert (row["worst_on"], row["worst_grade"]) == next(change for change in changes if change[1] == worst)
    assert row["baseline_unknown"] == (row["baseline_grade"] is None)
    number = {name: (row[name] - DAY).days for name in ("last_on", "resolved_on", "emergent_on") if row[name] is not None}
    return " ".join(
        [
            f"ref{'?' if row['baseline_unknown'] else row['baseline_grade']}",
            f"n{row['n_results']}",
            *(f"{(day - DAY).days}:{grade}" for day, grade in changes),
            f"{number['last_on']} {row['ended']}",
            *([str(number["resolved_on"])] if "resolved_on" in number else []),
            *([f"te{number['emergent_on']}"] if "emergent_on" in number else []),
        ]
    )


TREATED = Person("1", on(10), on(200), None)
DIED = Person("1", on(10), on(40), on(90))
STILL_TREATED = Person("1", on(10), None, None)
UNTREATED = Person("1", None, None, None)


@pytest.mark.parametrize(
    ("trap", "person", "text", "expected"),
    [
        ("a drift is one", TREATED, "0:b0 21:1 42:2 63:3 84:3 99:0", ["ref0 n4 21:1 42:2 63:3 84 resolved 99 te21"]),
        ("baseline abnormal", TREATED, "0:b2 21:2 42:3 63:1 84:2", ["ref2 n1 42:3 42 resolved 63 te42"]),
        ("one visit missed", TREATED, "0:b0 21:1 63:1 84:0", ["ref0 n2 21:1 63 resolved 84 te21"]),
        ("a gap just not too long", TREATED, "0:b0 21:1 81:1", ["ref0 n2 21:1 81 ongoing te21"]),
        ("a day longer", TREATED, "0:b0 21:1 82:1", ["ref0 n1 21:1 21 gap te21", "ref0 n1 82:1 82 ongoing te82"]),
        ("resolved after a gap", TREATED, "0:b0 21:2 190:0", ["ref0 n1 21:2 21 resolved 190 te21"]),
        ("end of data", TREATED, "0:b0 21:1 42:2", ["ref0 n2 21:1 42:2 42 ongoing te21"]),
        ("death", DIED, "0:b0 21:1 42:2", ["ref0 n2 21:1 42:2 42 ongoing_at_death te21"]),
        ("death after the end", DIED, "0:b0 21:1 42:0", ["ref0 n1 21:1 21 resolved 42 te21"]),
        ("death after a gap", DIED, "0:b0 2:1 65:2", ["ref0 n1 2:1 2 gap", "ref0 n1 65:2 65 ongoing_at_death te65"]),
        ("ungradable between", TREATED, "0:b0 21:1 30:? 42:2 50:? 63:0", ["ref0 n2 21:1 42:2 42 resolved 63 te21"]),
        ("ungradable, no bridge", TREATED, "0:b0 2:1 50:? 63:1", ["ref0 n1 2:1 2 gap", "ref0 n1 63:1 63 ongoing te63"]),
        ("two on one day", TREATED, "0:b0 21:1 21:3 21:? 42:0 42:1 63:0", ["ref0 n4 21:3 42:1 42 resolved 63 te21"]),
        ("worst twice: the first", TREATED, "0:b0 21:3 42:1 63:3 84:0", ["ref0 n3 21:3 42:1 63:3 63 resolved 84 te21"]),
        ("unknown baseline", TREATED, "21:1 42:0", ["ref? n1 21:1 21 resolved 42 te21"]),
        ("a baseline without a grade", TREATED, "0:b? 5:1 21:2 42:0", ["ref? n2 5:1 21:2 21 resolved 42 te21"]),
        ("the last baseline", TREATED, "0:b3 5:b1 21:2 42:1", ["ref1 n1 21:2 21 resolved 42 te21"]),
        ("of a day the last in the list", TREATED, "0:b2 0:b1 21:2 42:1", ["ref1 n1 21:2 21 resolved 42 te21"]),
        ("at or before baseline", TREATED, "-5:4 0:3 0:b1 21:2 42:0", ["ref1 n1 21:2 21 resolved 42 te21"]),
        ("before, and worse after", TREATED, "0:b0 5:1 21:1 42:2 63:0", ["ref0 n3 5:1 42:2 42 resolved 63 te42"]),
        ("before, and not worse", TREATED, "0:b0 5:2 21:1 42:2 63:0", ["ref0 n3 5:2 21:1 42:2 42 resolved 63"]),
        ("gone before", TREATED, "0:b0 5:3 8:0 21:1 42:0", ["ref0 n1 5:3 5 resolved 8", "ref0 n1 21:1 21 resolved 42 te21"]),
        ("day of first treatment", TREATED, "0:b0 10:1 21:1 42:0", ["ref0 n2 10:1 21 resolved 42"]),
        ("the day after it", TREATED, "0:b0 11:1 42:0", ["ref0 n1 11:1 11 resolved 42 te11"]),
        ("last day of the window", TREATED, "0:b0 230:1", ["ref0 n1 230:1 230 ongoing te230"]),
        ("after the window", TREATED, "0:b0 231:1", ["ref0 n1 231:1 231 ongoing"]),
        ("from within to after it", TREATED, "0:b0 225:1 231:2", ["ref0 n2 225:1 231:2 231 ongoing te225"]),
        ("before, worse after the window", DIED, "0:b0 8:1 60:1 71:2", ["ref0 n3 8:1 71:2 71 ongoing_at_death"]),
        ("a window without an end", STILL_TREATED, "0:b0 231:1", ["ref0 n1 231:1 231 ongoing te231"]),
        ("never treated", UNTREATED, "0:b0 21:1", ["ref0 n1 21:1 21 ongoing"]),
        ("not in people", Person("2", on(0), None, on(9)), "0:b0 21:1", ["ref0 n1 21:1 21 ongoing"]),
        ("nothing worse", TREATED, "0:b1 21:1 42:? 63:0", []),
        ("in any order", TREATED, "63:0 42:2 0:b0 21:1", ["ref0 n2 21:1 42:2 42 resolved 63 te21"]),
    ],
)  # fmt: skip
def test_each_trap(trap: str, person: Person, text: str, expected: list[str]) -> None:
    rows = episodes(series(text), [person], gap_days=GAP, days_after_last=WINDOW)
    assert [told(row) for row in rows] == expected, trap


@st.composite
def studies(draw: Callable[[Any], Any]) -> Study:
    """Results, people, gap_days and days_after_last: few days, so that many fall together, and steps around the gap.

    A person is sometimes missing; baselines are many, one or none, and some have no grade.
    """
    gap_days = draw(st.sampled_from([1, 7, 21, 60]))
    step = st.sampled_from([0, 0, 1, 3, 7, gap_days - 1, gap_days, gap_days, gap_days + 1, 3 * gap_days])
    point = st.tuples(step, st.sampled_from([None, 0, 0, 1, 1, 2, 3, 4]), st.sampled_from([False] * 6 + [True]))
    results: list[Result] = []
    people: list[Person] = []
    days = st.none() | st.integers(-10, 200).map(on)
    for usubjid in draw(st.lists(st.sampled_from("1234"), min_size=1, max_size=4, unique=True)):
        seen = [DAY]
        for term in draw(st.lists(st.sampled_from(["Anemia", "Hyponatremia"]), min_size=1, max_size=2, unique=True)):
            day = draw(st.integers(-30, 10))
            for forward, grade, is_baseline in draw(st.lists(point, max_size=14)):
                day += forward
                seen.append(on(day))
                results.append(Result(usubjid, term, on(day), grade, is_baseline))
        near = st.sampled_from(seen)  # so that limits fall on days that have results
        if draw(st.integers(0, 5)):
            people.append(Person(usubjid, draw(near | days), draw(near | days), draw(st.none() | near)))
    return draw(st.permutations(results)), people, gap_days, draw(st.sampled_from([0, 7, 30]))


@given(studies())
def test_every_worse_result_is_in_one_episode_and_no_other_is(study: Study) -> None:
    results, people, gap_days, days_after_last = study
    rows: list[dict[str, Any]] = list(episodes(results, people, gap_days=gap_days, days_after_last=days_after_last))
    baselines: dict[tuple[str, str], Result] = {}
    for result in sorted(results, key=lambda result: result.on):
        if result.is_baseline and result.grade is not None:
            baselines[result.usubjid, result.term] = result
    for result in results:
        baseline = baselines.get((result.usubjid, result.term))
        within = [
            row for row in rows
            if (row["usubjid"], row["term"]) == (result.usubjid, result.term) and row["onset_on"] <= result.on <= row["last_on"]
        ]  # fmt: skip
        if baseline is not None and result.on <= baseline.on:
            assert within == []
        elif result.grade is not None and result.grade > ((baseline.grade or 0) if baseline else 0):
            [row] = within
            assert result.grade <= row["worst_grade"]
    assert rows == sorted(rows, key=lambda row: (row["usubjid"], row["term"], row["onset_on"]))


@given(studies())
def test_a_subject_and_term_alone_say_the_same_as_among_others(study: Study) -> None:
    results, people, gap_days, days_after_last = study
    together = episodes(results, people, gap_days=gap_days, days_after_last=days_after_last)
    alone: list[dict[str, object]] = []
    for usubjid, term in sorted({(result.usubjid, result.term) for result in results}):
        own = [result for result in results if (result.usubjid, result.term) == (usubjid, term)]
        alone += episodes(own, people, gap_days=gap_days, days_after_last=days_after_last)
    assert alone == together


@given(studies())
def test_what_ends_an_episode_lies_beyond_it(study: Study) -> None:
    results, people, gap_days, days_after_last = study
    rows: list[dict[str, Any]] = list(episodes(results, people, gap_days=gap_days, days_after_last=days_after_last))
    dead = {person.usubjid for person in people if person.death_on is not None}
    for row in rows:
        later = {
            result.on for result in results
            if (result.usubjid, result.term) == (row["usubjid"], row["term"]) and result.grade is not None
            and result.on > row["last_on"]
        }  # fmt: skip
        if row["ended"] == "resolved":
            assert row["resolved_on"] == min(later)
        elif row["ended"] == "gap":
            assert (min(later) - row["last_on"]).days > gap_days
        else:
            assert not later
            assert row["ended"] == ("ongoing_at_death" if row["usubjid"] in dead else "ongoing")


# ---------------------------------------------------------------------------------------------------------------------------
# HERE the fast program is compared with the slow one on studies(), which aims at ties and at the limits of the gap and window.
# (test_episodes.py compares them on its own strategy.)
# ---------------------------------------------------------------------------------------------------------------------------
