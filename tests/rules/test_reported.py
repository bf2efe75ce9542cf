"""Which AE records are one event: groups, changes of grade, partial dates, recurrences, duplicates."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import AdverseEvent
from safety_monitor.rules.reported import ReportedEpisode, duplicates, reported_episodes, resumed

#: term, grade, start, end, outcome, group
Told = tuple[str, int | None, str | None, str | None, str | None, str | None]
OUTCOMES = {"R": "RECOVERED/RESOLVED", "N": "NOT RECOVERED/NOT RESOLVED"}


def events(*told: Told) -> list[AdverseEvent]:
    return [
        AdverseEvent(
            study_id="S", usubjid="1", aeseq=number, aeterm=term, grade=grade, aestdtc=start, aeendtc=end,
            aeout=OUTCOMES[outcome] if outcome else None, aegrpid=group,
        )
        for number, (term, grade, start, end, outcome, group) in enumerate(told, 1)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # a change of grade: the next record begins on the day, or the day after, the last one ends
        ([("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-03-10", "2026-03-20", "R", None)], [(1, 2)]),
        ([("rash", 1, "2026-03-01", "2026-03-10", "R", None), ("rash", 3, "2026-03-11", "2026-03-20", "R", None)], [(1, 2)]),
        ([("rash", 1, "2026-03-01", "2026-03-10", None, None), ("rash", 3, "2026-03-12", "2026-03-20", "R", None)], [(1,), (2,)]),
        # dates that overlap
        ([("rash", 1, "2026-03-01", "2026-03-30", "R", None), ("rash", 2, "2026-03-12", "2026-03-20", "R", None)], [(1, 2)]),
        ([("rash", 1, "2026-03-01", None, "N", None), ("Rash", 2, "2026-09-12", None, "N", None)], [(1, 2)]),  # the first goes on
        # another term, another event
        ([("rash", 1, "2026-03-01", None, "N", None), ("fever", 2, "2026-03-01", None, "N", None)], [(1,), (2,)]),
        # the sponsor's own group goes before dates and terms
        ([("rash", 1, "2026-03-01", "2026-03-05", "N", "G"), ("itching", 2, "2026-04-01", None, "N", "G")], [(1, 2)]),
        ([("rash", 1, "2026-03-01", None, "N", "G"), ("rash", 2, "2026-03-02", None, "N", "H")], [(1,), (2,)]),
        ([("rash", 1, "2026-03-01", None, "N", "G"), ("rash", 2, "2026-03-02", None, "N", None)], [(1,), (2,)]),
        # an onset after recovery is a new event, in a group as well
        ([("rash", 1, "2026-03-01", "2026-03-05", "R", "G"), ("rash", 2, "2026-04-01", None, "N", "G")], [(1,), (2,)]),
        ([("rash", 1, "2026-03-01", "2026-03", "R", "G"), ("rash", 2, "2026-03-20", None, "N", "G")], [(1, 2)]),  # may touch
        # partial dates: what may touch is joined
        ([("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-03", None, "N", None)], [(1, 2)]),
        ([("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-04", None, "N", None)], [(1,), (2,)]),
        ([("rash", 1, "2025", "2026-02", "N", None), ("rash", 3, "2026-02-20", None, "N", None)], [(1, 2)]),
        # no start: it joins nothing, whatever it may be
        ([("rash", 1, None, "2026-03-10", "N", None), ("rash", 3, "2026-03-05", None, "N", None)], [(1,), (2,)]),
        # recovered at an unknown date: whether it had ended is not known
        ([("rash", 1, "2026-03-01", None, "R", None), ("rash", 3, "2026-09-05", None, "N", None)], [(1, 2)]),
        # end before start: taken as it is, asked elsewhere
        ([("rash", 1, "2026-03-10", "2026-03-01", "R", None), ("rash", 3, "2026-03-11", None, "N", None)], [(1,), (2,)]),
        ([("rash", 1, "2026-03-01", None, "N", None)], [(1,)]),
        ([], []),
    ],
)
def test_records_of_one_event(told: list[Told], expected: list[tuple[int, ...]]) -> None:
    assert sorted(tuple(sorted(episode.aeseqs)) for episode in reported_episodes(events(*told))) == expected


@pytest.mark.parametrize(
    ("told", "certain"),
    [
        ([("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-03-10", None, "N", None)], True),
        ([("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-03", None, "N", None)], False),
        ([("rash", 1, "2026-03-01", "2026-03", "N", None), ("rash", 3, "2026-03-20", None, "N", None)], False),
        ([("rash", 1, "2026-03-01", None, "R", None), ("rash", 3, "2026-09-05", None, "N", None)], False),
        ([("rash", 1, "2026-03-01", "2026-03-05", "N", "G"), ("rash", 2, "2026-04", None, "N", "G")], True),  # the group says so
    ],
)
def test_what_partial_dates_leave_open_is_kept(told: list[Told], certain: bool) -> None:
    [episode] = reported_episodes(events(*told))
    assert episode.is_certain is certain


def test_an_episode_spans_its_records() -> None:
    [episode] = reported_episodes(
        events(("rash", 1, "2026-03-01", "2026-03-10", "N", None), ("rash", 3, "2026-03", "2026-04", "R", None))
    )
    assert episode.worst_grade == 3
    assert episode.start == (date(2026, 3, 1), date(2026, 3, 1))
    assert episode.end == (date(2026, 4, 1), date(2026, 4, 30))


def test_a_grade_that_is_missing_is_not_zero() -> None:
    [episode] = reported_episodes(events(("rash", None, "2026-03-01", None, "N", None)))
    assert episode.worst_grade is None


@pytest.mark.parametrize(
    ("told", "pairs"),
    [
        ([("rash", 2, "2026-03-01", "2026-03-20", "R", None), ("rash", 2, "2026-03-05", "2026-03-20", "R", None)], [(1, 2)]),
        ([("rash", 2, "2026-03-01", None, "N", None), ("rash", 2, "2026-03-01", None, "N", None)], [(1, 2)]),
        ([("rash", 2, "2026-03-01", "2026-03-20", "N", None), ("rash", 3, "2026-03-05", None, "N", None)], []),  # a change
        ([("rash", 2, "2026-03-01", "2026-03-05", "N", None), ("rash", 2, "2026-03-05", None, "N", None)], []),  # continues
        ([("rash", 2, "2026-03-01", "2026-03-20", "N", None), ("rash", 2, "2026-03", None, "N", None)], []),  # may be later
    ],
)
def test_one_event_reported_twice(told: list[Told], pairs: list[tuple[int, int]]) -> None:
    found = [pair for episode in reported_episodes(events(*told)) for pair in duplicates(episode)]
    assert [(one.aeseq, other.aeseq) for one, other in found] == pairs


def test_a_record_of_a_group_that_begins_after_recovery() -> None:
    told = events(("rash", 1, "2026-03-01", "2026-03-05", "R", "G"), ("rash", 2, "2026-04-01", None, "N", "G"))
    assert [(one.aeseq, other.aeseq) for one, other in resumed(told)] == [(1, 2)]
    touching = events(("rash", 1, "2026-03-01", "2026-03-05", "R", "G"), ("rash", 2, "2026-03-06", None, "N", "G"))
    assert resumed(touching) == []


DATES = st.sampled_from([None, "2025", "2026", "2026-02", "2026-03", "2026-03-01", "2026-03-02", "2026-03-15", "2026-05-01"])
RECORDS = st.lists(
    st.tuples(st.sampled_from(["rash", "fever"]), st.sampled_from([None, 1, 2, 5]), DATES, DATES,
              st.sampled_from([None, "R", "N"]), st.sampled_from([None, None, "G", "H"])),
    max_size=7,
)  # fmt: skip


def members(found: list[ReportedEpisode]) -> list[tuple[int, ...]]:
    return sorted(tuple(sorted(episode.aeseqs)) for episode in found)


@given(RECORDS, st.randoms())
def test_every_record_is_in_one_episode_whatever_the_order_of_the_file(told: list[Told], chance: object) -> None:
    made = events(*told)
    found = reported_episodes(made)
    assert sorted(number for episode in found for number in episode.aeseqs) == [event.aeseq for event in made]
    chance.shuffle(made)  # type: ignore[attr-defined]
    assert members(reported_episodes(made)) == members(found)
