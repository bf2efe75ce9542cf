"""Which laboratory episode is which report: term, words, days, ties; what a person decided."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

import ctcae_v403
from safety_monitor.records import AdverseEvent, Episode
from safety_monitor.rules.matching import equivalents, matched
from safety_monitor.rules.reported import reported_episodes
from safety_monitor.vocabulary import EpisodeEnd, Match

DAY = date(2026, 3, 1)
ALT, AST, BILI = (
    "Alanine aminotransferase increased", "Aspartate aminotransferase increased", "Blood bilirubin increased",
)  # fmt: skip


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def lab(term: str, first: int, last: int, grade: int = 3, usubjid: str = "1", **more: Any) -> Episode:
    """An episode from the *first* to the *last* worse day (of the study), resolved the day after."""
    return Episode(
        study_id="S", usubjid=usubjid, term=term, opened_on=on(first), onset_on=on(first), onset_grade=grade, worst_grade=grade,
        worst_on=on(first), last_on=on(last), n_results=2, ended=EpisodeEnd.RESOLVED, resolved_on=on(last + 1), **more,
    )  # fmt: skip


def report(aeseq: int, words: str, first: int | str, last: int | None, usubjid: str = "1") -> AdverseEvent:
    """A report in the site's words; coded to CTCAE where they are a term of it."""
    coded = ctcae_v403.code(words).term
    return AdverseEvent(
        study_id="S", usubjid=usubjid, aeseq=aeseq, aeterm=words, aedecod=coded.name if coded else None,
        meddra_code=coded.meddra_code if coded else None, aestdtc=first if isinstance(first, str) else on(first).isoformat(),
        aeendtc=None if last is None else on(last).isoformat(),
    )  # fmt: skip


def links(labs: list[Episode], told: list[AdverseEvent]) -> list[tuple[str, int | None]]:
    found = matched(labs, reported_episodes(told), match_days=14)
    assert [(e.usubjid, e.term, e.onset_on) for e in found] == [(e.usubjid, e.term, e.onset_on) for e in labs]
    return [(episode.link.value, episode.aeseq) for episode in found]


@pytest.mark.parametrize(
    ("labs", "told", "expected"),
    [
        # the same term in the site's words
        ([lab("Anemia", 10, 20)], [report(1, "anemia", 11, 25)], [("matched", 1)]),
        ([lab("Anemia", 10, 20)], [report(1, "haemoglobin decreased", 11, 25)], [("matched", 1)]),
        ([lab("Hyponatremia", 10, 20)], [report(1, "blood sodium decreased", 11, 25)], [("matched", 1)]),
        ([lab("Platelet count decreased", 10, 20)], [report(1, "thrombocytopenia", 11, 25)], [("matched", 1)]),
        # days: within the window of 14, and beyond it
        ([lab("Anemia", 20, 30)], [report(1, "anemia", 1, 6)], [("matched", 1)]),
        ([lab("Anemia", 20, 30)], [report(1, "anemia", 1, 5)], [("unreported", None)]),
        ([lab("Anemia", 20, 30)], [report(1, "anemia", 45, 50)], [("matched", 1)]),
        ([lab("Anemia", 20, 30)], [report(1, "anemia", 46, 50)], [("unreported", None)]),
        ([lab("Anemia", 20, 30)], [report(1, "anemia", 1, None)], [("matched", 1)]),  # a report that goes on
        ([lab("Anemia", 20, 30)], [report(1, "anemia", "2026-03", None)], [("matched", 1)]),  # some day of March
        # another subject, another event
        ([lab("Anemia", 10, 20)], [report(1, "anemia", 11, 25, usubjid="2")], [("unreported", None)]),
        ([lab("Anemia", 10, 20)], [report(1, "fatigue", 11, 25)], [("unreported", None)]),
        # words that tell of the same event: one report covers what it explains
        ([lab(ALT, 10, 20, 3), lab(AST, 10, 20, 4), lab(BILI, 14, 20, 3)], [report(1, "hepatotoxicity", 10, 25)],
         [("covered", 1), ("matched", 1), ("covered", 1)]),
        ([lab(ALT, 10, 20), lab("Anemia", 10, 20)], [report(1, "drug-induced liver injury", 10, 25)],
         [("matched", 1), ("unreported", None)]),
        ([lab("Neutrophil count decreased", 10, 20), lab("Anemia", 11, 20)], [report(1, "myelosuppression", 10, 25)],
         [("matched", 1), ("covered", 1)]),
        ([lab("Creatinine increased", 10, 20)], [report(1, "acute kidney injury", 10, 25)], [("matched", 1)]),
        ([lab("Lipase increased", 10, 20)], [report(1, "pancreatitis", 10, 25)], [("matched", 1)]),
        # the same term goes before an equivalent one, however near that is
        ([lab(ALT, 10, 20)], [report(1, "hepatotoxicity", 10, 25), report(2, "ALT increased", 16, 25)], [("matched", 2)]),
        # the nearer onset goes before the farther
        ([lab("Anemia", 10, 20)], [report(1, "anemia", 1, 5), report(2, "anemia", 12, 25)], [("matched", 2)]),
        ([lab("Anemia", 10, 20), lab("Anemia", 60, 70)], [report(1, "anemia", 12, 25), report(2, "anemia", 59, 72)],
         [("matched", 1), ("matched", 2)]),
        # one report is one episode; a second one that it spans is covered
        ([lab("Anemia", 10, 20), lab("Anemia", 60, 70)], [report(1, "anemia", 12, 80)], [("matched", 1), ("covered", 1)]),
        # ties: nobody guesses
        ([lab("Anemia", 20, 22)], [report(1, "anemia", 18, 19), report(2, "anemia", 22, 25)], [("ambiguous", None)]),
        ([lab("Anemia", 10, 12), lab("Anemia", 14, 18)], [report(1, "anemia", 12, 16)],
         [("ambiguous", None), ("ambiguous", None)]),
        # grade-change records are one report
        ([lab("Anemia", 10, 30)], [report(1, "anemia", 10, 20), report(2, "anemia", 20, 31)], [("matched", 1)]),
        ([], [report(1, "anemia", 10, 20)], []),
    ],
)  # fmt: skip
def test_which_report_an_episode_is(
    labs: list[Episode], told: list[AdverseEvent], expected: list[tuple[str, int | None]]
) -> None:
    assert links(labs, told) == expected


def test_the_candidates_of_a_tie_are_named() -> None:
    told = [report(1, "anemia", 18, 19), report(2, "anemia", 22, 25)]
    [found] = matched([lab("Anemia", 20, 22)], reported_episodes(told), match_days=14)
    assert found.candidates == (1, 2)


def test_what_a_person_decided_goes_before_every_rule() -> None:
    told = [report(1, "anemia", 18, 19), report(2, "anemia", 22, 25), report(3, "fatigue", 1, 2)]
    assert links([lab("Anemia", 20, 22, decided_aeseq=2)], told) == [("matched", 2)]
    assert links([lab("Anemia", 20, 22, decided_aeseq=3)], told) == [("matched", 3)]
    gone = links([lab("Anemia", 20, 22, decided_aeseq=9)], told)  # that report is not there any more: the rules decide
    assert gone == [("ambiguous", None)]


def test_a_study_in_meddra_terms_is_matched_by_what_they_mean() -> None:
    event = report(1, "Anaemia", 10, 20).model_copy(update={"meddra_code": None, "aedecod": "ANAEMIA"})
    assert links([lab("Anemia", 10, 20)], [event]) == [("matched", 1)]


def test_every_row_of_equivalents_names_terms_of_the_standard_and_is_of_use() -> None:
    for row in equivalents():
        assert row.basis in ("standard", "clinical"), row.name
        assert row.results, row.name
        assert row.reported or row.words, row.name
        for term in row.results | row.reported:
            assert ctcae_v403.term(term).name == term


@pytest.mark.parametrize(("row", "word"), [(row, word) for row in equivalents() for word in row.words])
def test_every_equivalent_word_is_understood(row: Any, word: str) -> None:
    told = report(1, f"suspected {word}, grade 3", 10, 20).model_copy(update={"aedecod": None, "meddra_code": None})
    for term in row.results:
        [found] = matched([lab(term, 10, 20)], reported_episodes([told]), match_days=14)
        assert found.link is Match.MATCHED, term


def test_a_word_within_a_word_is_not_that_word() -> None:
    told = report(1, "nonhepatitisform reaction", 10, 20).model_copy(update={"aedecod": None, "meddra_code": None})
    assert links([lab(ALT, 10, 20)], [told]) == [("unreported", None)]
