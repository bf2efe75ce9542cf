"""Episodes of results: each rule of docs/events.md as a small series, and the slow program on many random ones."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.rules.episodes import EPISODE, episodes

sys.path.insert(0, str(Path(__file__).parent))
from episodes_oracle import Person, Result
from episodes_oracle import episodes as slow

DAY = date(2026, 1, 1)
GAP, WINDOW = 60, 30
TREATED = Person("1", DAY + timedelta(days=10), DAY + timedelta(days=200), None)


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def series(text: str, usubjid: str = "1", term: str = "Anemia") -> list[Result]:
    """``0:b0 21:1 42:?`` — day and grade of each result; b marks the baseline, ? a result without a grade."""
    found = []
    for day, flag, grade in re.findall(r"(-?\d+):(b?)(\d|\?)", text):
        found.append(Result(usubjid, term, on(int(day)), None if grade == "?" else int(grade), flag == "b"))
    return found


def fast(results: list[Result], people: list[Person], gap_days: int = GAP, days_after_last: int = WINDOW) -> list[dict[str, Any]]:
    frame = pl.DataFrame(
        [(r.usubjid, r.term, r.on, r.grade, r.is_baseline) for r in results],
        schema={"usubjid": pl.String, "term": pl.String, "on": pl.Date, "grade": pl.Int64, "is_baseline": pl.Boolean},
        orient="row",
    )
    known = pl.DataFrame(
        [(p.usubjid, p.first_treatment_on, p.last_treatment_on, p.death_on) for p in people],
        schema={"usubjid": pl.String, "first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "death_on": pl.Date},
        orient="row",
    )
    found = episodes(frame, known, gap_days=gap_days, days_after_last=days_after_last)
    assert found.schema == EPISODE
    rows = found.to_dicts()
    for row in rows:
        row["changes"] = tuple((change["on"], change["grade"]) for change in row["changes"])
    return rows


def told(rows: list[dict[str, Any]]) -> list[str]:
    """``12-40 g1^3@33 resolved 54``: first and last worse day, grade at onset, worst and its day, how it ended, and when."""
    numbered = ({name: (value - DAY).days if isinstance(value, date) else value for name, value in row.items()} for row in rows)
    return [_told(**row) for row in numbered]


def _told(onset_on: int, last_on: int, onset_grade: int, worst_grade: int, worst_on: int, ended: str, resolved_on: int | None,
          **_: object) -> str:  # fmt: skip
    end = ended if resolved_on is None else f"{ended} {resolved_on}"
    return f"{onset_on}-{last_on} g{onset_grade}^{worst_grade}@{worst_on} {end}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # a drift over six visits is one episode
        ("0:b0 21:1 42:2 63:3 84:3 105:2 126:1 147:0", ["21-126 g1^3@63 resolved 147"]),
        ("0:b0 21:0 42:0", []),
        # back to normal and worse again: two episodes
        ("0:b0 21:2 42:0 63:1 84:0", ["21-21 g2^2@21 resolved 42", "63-63 g1^1@63 resolved 84"]),
        # a baseline that is abnormal: only what is beyond it
        ("0:b2 21:2 42:1 63:2", []),
        ("0:b1 21:2 42:3 63:1 84:0", ["21-42 g2^3@42 resolved 63"]),
        ("0:b2 21:0 42:2 63:3 84:2", ["63-63 g3^3@63 resolved 84"]),  # an improvement opens nothing, and the way back neither
        # visits that were missed do not split (up to 60 days), a longer gap does
        ("0:b0 21:1 81:2 100:0", ["21-81 g1^2@81 resolved 100"]),
        ("0:b0 21:1 82:2 100:0", ["21-21 g1^1@21 gap", "82-82 g2^2@82 resolved 100"]),
        ("0:b0 21:1 150:0", ["21-21 g1^1@21 resolved 150"]),  # however late
        # no end is made up
        ("0:b0 21:1 42:2", ["21-42 g1^2@42 ongoing"]),
        # a result without a grade says nothing
        ("0:b0 21:1 42:? 63:1 84:?", ["21-63 g1^1@21 ongoing"]),
        ("0:b0 21:? 42:?", []),
        ("0:b0 21:1 50:? 82:1", ["21-21 g1^1@21 gap", "82-82 g1^1@82 ongoing"]),  # and bridges no gap
        # of one day the worst counts
        ("0:b0 21:1 21:3 21:0 42:0", ["21-21 g3^3@21 resolved 42"]),
        ("0:b0 21:1 42:0 42:1 63:0", ["21-42 g1^1@21 resolved 63"]),
        # baseline: the last that is flagged and has a grade; nothing at or before it belongs to the series
        ("0:b3 5:b1 21:2 42:1", ["21-21 g2^2@21 resolved 42"]),
        ("0:b1 5:b? 21:2 42:1", ["21-21 g2^2@21 resolved 42"]),
        ("-5:3 0:b0 21:1 42:0", ["21-21 g1^1@21 resolved 42"]),
        ("0:b0 0:3 21:0", []),
        # no baseline: worsening is assumed
        ("0:1 21:2 42:0", ["0-21 g1^2@21 resolved 42"]),
        ("42:0 0:b0 21:4", ["21-21 g4^4@21 resolved 42"]),  # in any order
        ("", []),
    ],
)
def test_the_rules_on_one_series(text: str, expected: list[str]) -> None:
    results = series(text)
    assert told(fast(results, [TREATED])) == expected
    assert told(slow(results, [TREATED], gap_days=GAP, days_after_last=WINDOW)) == expected


@pytest.mark.parametrize(
    ("text", "person", "emergent"),
    [
        ("0:b0 21:1 42:2 63:0", TREATED, [21]),
        ("0:b0 10:1 21:1 42:0", TREATED, [None]),  # the day of first treatment belongs to the time before
        ("0:b0 5:1 21:1 42:2 63:0", TREATED, [42]),  # existed before, and became worse
        ("0:b0 5:3 8:1 21:2 42:0", TREATED, [None]),  # worse than the day before, not than before treatment
        ("0:b0 5:3 8:0 21:2 42:0", TREATED, [None, 21]),  # what had resolved before treatment is another episode
        ("0:b2 21:3 42:2", TREATED, [21]),
        ("0:b0 229:1 231:0", TREATED, [229]),
        ("0:b0 230:1 231:0", TREATED, [230]),  # 30 days after the last
        ("0:b0 231:1 240:0", TREATED, [None]),
        ("0:b0 225:1 240:2 250:0", TREATED, [225]),
        ("0:b0 231:1 240:0", Person("1", on(10), None, None), [231]),  # still treated
        ("0:b0 21:1 42:0", Person("1", None, None, None), [None]),  # never treated
        ("0:b0 21:1 42:0", Person("2", on(10), None, None), [None]),  # somebody else
        ("21:1 42:0", TREATED, [21]),  # nothing known before
    ],
)
def test_when_it_is_treatment_emergent(text: str, person: Person, emergent: list[int | None]) -> None:
    expected = [None if day is None else on(day) for day in emergent]
    assert [row["emergent_on"] for row in fast(series(text), [person])] == expected
    assert [row["emergent_on"] for row in slow(series(text), [person], gap_days=GAP, days_after_last=WINDOW)] == expected


def test_a_death_closes_nothing() -> None:
    [row] = fast(series("0:b0 21:1 42:2"), [Person("1", on(10), on(40), on(50))])
    assert (row["ended"], row["resolved_on"]) == ("ongoing_at_death", None)


def test_every_change_of_grade_is_kept() -> None:
    [row] = fast(series("0:b0 21:1 42:1 63:3 70:3 84:2 105:1 126:0"), [TREATED])
    assert row["changes"] == ((on(21), 1), (on(63), 3), (on(84), 2), (on(105), 1))
    assert row["n_results"] == 6


def test_an_unknown_baseline_is_not_a_normal_one() -> None:
    [row] = fast(series("21:1"), [TREATED])
    assert (row["baseline_grade"], row["baseline_unknown"]) == (None, True)
    [row] = fast(series("0:b0 21:1"), [TREATED])
    assert (row["baseline_grade"], row["baseline_unknown"]) == (0, False)


def test_subjects_and_terms_do_not_touch() -> None:
    results = [*series("0:b0 21:1"), *series("0:b3 21:2", term="Platelet count decreased"), *series("22:2 43:0", usubjid="2")]
    assert told(fast(results, [TREATED])) == ["21-21 g1^1@21 ongoing", "22-22 g2^2@22 resolved 43"]


# --- the slow program


@st.composite
def studies(draw: Callable[[Any], Any]) -> tuple[list[Result], list[Person], int, int]:
    days = st.integers(-20, 90).map(lambda step: on(3 * step))
    people = [
        Person(usubjid, draw(days | st.none()), draw(days | st.none()), draw(days | st.none()))
        for usubjid in draw(st.lists(st.sampled_from("1234"), unique=True))
    ]
    result = st.builds(
        Result, st.sampled_from("123"), st.sampled_from(["Anemia", "Hyponatremia"]), days,
        st.sampled_from([None, 0, 0, 1, 1, 2, 3, 4]), st.sampled_from([False] * 7 + [True]),
    )  # fmt: skip
    return draw(st.lists(result, max_size=30)), people, draw(st.sampled_from([1, 3, 20, 63])), draw(st.sampled_from([0, 30, 90]))


@given(studies())
def test_the_fast_program_and_the_slow_one_say_the_same(study: tuple[list[Result], list[Person], int, int]) -> None:
    results, people, gap_days, days_after_last = study
    naive = slow(results, people, gap_days=gap_days, days_after_last=days_after_last)
    assert fast(results, people, gap_days, days_after_last) == naive


@given(studies(), st.randoms())
def test_the_order_of_results_does_not_matter_where_a_day_has_one_baseline(study: Any, chance: Any) -> None:
    results, people, gap_days, days_after_last = study
    seen = {}
    for result in results:
        seen.setdefault((result.usubjid, result.term, result.on, result.is_baseline), result)
    kept = list(seen.values())
    before = fast(kept, people, gap_days, days_after_last)
    chance.shuffle(kept)
    assert fast(kept, people, gap_days, days_after_last) == before


@given(studies())
def test_a_longer_gap_never_makes_more_episodes(study: Any) -> None:
    results, people, gap_days, days_after_last = study
    assert len(fast(results, people, gap_days + 30, days_after_last)) <= len(fast(results, people, gap_days, days_after_last))


@given(studies())
def test_resolved_is_what_has_an_end_and_nothing_else(study: Any) -> None:
    results, people, gap_days, days_after_last = study
    for row in fast(results, people, gap_days, days_after_last):
        assert (row["ended"] == "resolved") == (row["resolved_on"] is not None)
        assert row["onset_on"] <= row["worst_on"] <= row["last_on"]
        assert row["worst_grade"] > (row["baseline_grade"] or 0)
        assert row["changes"][0] == (row["onset_on"], row["onset_grade"])
