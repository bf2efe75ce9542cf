"""What holding, restarting and steroids say: the record of doses and the course of the event, as a clinician would read them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.attribution import profile
from safety_monitor.attribution.course import challenges, course_of, steroid_response
from safety_monitor.attribution.evidence import Challenge
from safety_monitor.attribution.record import SubjectRecord, Taken
from safety_monitor.records import AdverseEvent
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.rules.grades import LabGrade
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

DAY_ONE = date(2026, 1, 1)
LENVATINIB = Component(name="lenvatinib", profile="lenvatinib")
PD1 = Component(name="pd1", profile="pd1")
ABLATION = Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation")
ALT = "Alanine aminotransferase increased"
POSITIVE, NEGATIVE, NOT_DONE = Challenge.POSITIVE, Challenge.NEGATIVE, Challenge.NOT_DONE


def on(day: int) -> date:
    """Day 1 is the first day of treatment."""
    return DAY_ONE + timedelta(days=day - 1)


def daily(*periods: tuple[int, int, float | None], stated: bool = True) -> list[Given]:
    """Periods of lenvatinib: first day, last day, dose in mg."""
    return [
        Given("1", "EX", n, "LENVATINIB", "lenvatinib", dose, "mg", "QD", None, on(a), on(b), stated)
        for n, (a, b, dose) in enumerate(periods, start=1)
    ]


def infusions(*days: int) -> list[Given]:
    return [Given("1", "EX", n, "SINTILIMAB", "pd1", 200.0, "mg", "Q3W", None, on(d), on(d)) for n, d in enumerate(days, 50)]


def event(seq: int, term: str, start: int, end: int | None = None, grade: int = 3, outcome: str = "") -> AdverseEvent:
    said = outcome or ("RECOVERED/RESOLVED" if end else "NOT RECOVERED/NOT RESOLVED")
    return AdverseEvent(
        study_id="S", usubjid="1", aeseq=seq, aeterm=term, aedecod=term, grade=grade, aeout=said,
        aestdtc=on(start).isoformat(), aeendtc=on(end).isoformat() if end else None,
    )  # fmt: skip


def read(
    what: AdverseEvent, doses: list[Given], *others: AdverseEvent, component: Component = LENVATINIB,
    until: int = 200, taken: tuple[Taken, ...] = (), results: dict[int, int] | None = None,
) -> dict[str, Challenge]:  # fmt: skip
    graded = [LabGrade(on(day), grade) for day, grade in (results or {}).items()]
    record = SubjectRecord(
        given=doses, events=[what, *others], taken=taken, known_until=on(until),
        results={what.aedecod or "": graded} if graded else {},
    )  # fmt: skip
    course, known = course_of(what, record), profile(component.profile or "")
    assert course is not None
    assert known is not None
    assert known.challenge is not None
    found = challenges(what, course, component, known.challenge, record)
    assert all(words for _, words in found.values())
    return {name: answer for name, (answer, _) in found.items()}


DIARRHEA = event(1, "Diarrhea", 40, 52)


@pytest.mark.parametrize(
    ("what", "doses", "expected"),
    [
        pytest.param(DIARRHEA, daily((1, 47, 12), (60, 120, 8)), POSITIVE, id="held, well after 5 days"),
        pytest.param(DIARRHEA, daily((1, 45, 12), (60, 120, 8)), POSITIVE, id="held, well after 7 days"),
        pytest.param(DIARRHEA, daily((1, 44, 12), (60, 120, 8)), None, id="held, well after 8 days: says nothing"),
        pytest.param(event(1, "Diarrhea", 40, 55), daily((1, 40, 12), (70, 120, 8)), NEGATIVE, id="held, no better by 14 days"),
        pytest.param(event(1, "Diarrhea", 40, 54), daily((1, 40, 12), (70, 120, 8)), None, id="held, better on day 14"),
        pytest.param(event(1, "Diarrhea", 40), daily((1, 40, 12)), NEGATIVE, id="stopped, never better"),
        pytest.param(DIARRHEA, daily((1, 120, 12)), NOT_DONE, id="never held"),
        pytest.param(DIARRHEA, daily((1, 47, 12), (50, 120, 8)), None, id="given again before it was better"),
        pytest.param(DIARRHEA, daily((1, 30, 12), (60, 120, 8)), None, id="held before the event, not because of it"),
        pytest.param(DIARRHEA, daily((1, 47, 12), (48, 120, 8)), POSITIVE, id="reduced, well after 5 days"),
        pytest.param(event(1, "Diarrhea", 40, 90), daily((1, 47, 12), (48, 120, 8)), None, id="reduced, not better: no proof"),
        pytest.param(DIARRHEA, daily((1, 47, 12), (48, 59, 0), (60, 120, 8)), POSITIVE, id="a dose of 0 mg is a pause"),
        pytest.param(DIARRHEA, daily((1, 47, 12), stated=False), NOT_DONE, id="an end that is not stated is not a stop"),
    ],
)
def test_dechallenge_of_a_drug_with_a_short_half_life(
    what: AdverseEvent, doses: list[Given], expected: Challenge | None
) -> None:
    doses = [dose for dose in doses if dose.dose != 0] if expected is None else doses
    assert read(what, doses).get("dechallenge") is expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({40: 3, 45: 3, 52: 1}, POSITIVE),
        ({40: 3, 45: 3, 52: 2}, POSITIVE),  # better is a lower grade, not yet well
        ({40: 3, 52: 3, 62: 3}, NEGATIVE),
        ({40: 3, 52: 4, 62: 3}, NEGATIVE),  # better only than what it rose to
        ({40: 3, 44: 2, 52: 2, 62: 2}, NEGATIVE),  # better before it was held, not after
        ({40: 3, 52: 3}, None),  # nothing measured after day 14 of the pause
    ],
)
def test_dechallenge_by_results(results: dict[int, int], expected: Challenge | None) -> None:
    doses = daily((1, 46, 12), (80, 120, 8))
    assert read(event(1, ALT, 40, 75), doses, results=results).get("dechallenge") is expected


def test_steroids_begun_meanwhile_leave_a_recovery_open() -> None:
    prednisone = Taken("steroid", "prednisone", on(46), on(60))
    assert "dechallenge" not in read(DIARRHEA, daily((1, 47, 12), (60, 120, 8)), taken=(prednisone,))
    earlier = Taken("steroid", "prednisone", on(2), on(5))
    assert read(DIARRHEA, daily((1, 47, 12), (60, 120, 8)), taken=(earlier,))["dechallenge"] is POSITIVE


@pytest.mark.parametrize(
    ("again_on", "doses", "expected"),
    [
        pytest.param(70, daily((1, 47, 12), (60, 120, 8)), POSITIVE, id="back 10 days after the restart"),
        pytest.param(88, daily((1, 47, 12), (60, 120, 8)), POSITIVE, id="back 28 days after the restart"),
        pytest.param(89, daily((1, 47, 12), (60, 120, 8)), NEGATIVE, id="not back within 28 days"),
        pytest.param(None, daily((1, 47, 12), (60, 120, 8)), NEGATIVE, id="given on for months, never back"),
        pytest.param(None, daily((1, 47, 12), (60, 70, 8)), None, id="given again for ten days only"),
        pytest.param(None, daily((1, 47, 12)), None, id="never given again"),
        pytest.param(58, daily((1, 47, 12), (60, 120, 8)), NEGATIVE, id="came back before the restart"),
    ],
)
def test_rechallenge(again_on: int | None, doses: list[Given], expected: Challenge | None) -> None:
    later = [event(2, "Diarrhea", again_on, again_on + 5)] if again_on else []
    assert read(DIARRHEA, doses, *later).get("rechallenge") is expected


def test_the_recurrence_itself_knows_of_the_rechallenge() -> None:
    again = event(2, "Diarrhea", 70, 75)
    assert read(again, daily((1, 47, 12), (60, 120, 8)), DIARRHEA)["rechallenge"] is POSITIVE


def test_another_term_is_no_recurrence() -> None:
    other = event(2, "Colitis", 70, 75)
    assert read(DIARRHEA, daily((1, 47, 12), (60, 120, 8)), other)["rechallenge"] is NEGATIVE


def test_holding_a_pd1_inhibitor_says_nothing_and_giving_it_again_does() -> None:
    rash = event(1, "Rash maculo-papular", 50, 70)
    on_time = read(rash, infusions(1, 22, 43, 64, 85, 106), component=PD1)
    assert on_time == {}
    assert read(rash, infusions(1, 22, 43), component=PD1) == {}
    again = event(2, "Rash maculo-papular", 110, 120)
    paused = infusions(1, 22, 43, 100, 121)
    assert read(rash, paused, again, component=PD1) == {"rechallenge": POSITIVE}


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(11, 61, POSITIVE), (11, 70, None), (20, 61, None)], ids=["both", "once", "second only"]
)
def test_the_same_after_two_sessions(first: int, second: int, expected: Challenge | None) -> None:
    sessions = [
        Given("1", "PR", n, "MICROWAVE ABLATION", "ablation", None, None, None, "LUNG", on(d), on(d))
        for n, d in ((1, 10), (2, 60))
    ]
    one, other = event(1, "Pneumothorax", first, first + 3), event(2, "Pneumothorax", second, second + 3)
    assert read(one, sessions, other, component=ABLATION).get("rechallenge") is expected


@pytest.mark.parametrize(
    ("steroid_day", "end", "expected"),
    [(45, 52, True), (45, 53, False), (45, None, False), (39, 45, None), (101, 110, None)],
    ids=["well in 7 days", "not in 7 days", "never well", "begun before the event", "begun months later"],
)
def test_steroid_response(steroid_day: int, end: int | None, expected: bool | None) -> None:
    what = event(1, "Pneumonitis", 40, end)
    taken = (Taken("steroid", "methylprednisolone", on(steroid_day), None),)
    record = SubjectRecord(events=[what], taken=taken, known_until=on(200))
    course = course_of(what, record)
    assert course is not None
    answer = steroid_response(course, record)
    assert (answer.found if answer else None) is expected


@given(st.integers(1, 200), st.integers(0, 60), st.integers(1, 100), st.integers(1, 60))
def test_a_drug_that_was_never_given_late_shows_neither(start: int, length: int, first: int, more: int) -> None:
    doses = daily((first, first + 300, 12), (first + 301, first + 301 + more, 12))
    found = read(event(1, "Diarrhea", start, start + length + 1), doses, until=first + 301 + more)
    assert POSITIVE not in found.values()
    assert NEGATIVE not in found.values()
