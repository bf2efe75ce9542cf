"""Which laboratory episode is which reported event.

Candidates are of one subject, of the same CTCAE term or of one that tells of the same event (``equivalents.toml``), and no
more than the study's ``match_days`` apart. The same term goes before an equivalent one, the nearer onset before the
farther. One report is one episode; where two fit equally well nobody guesses: a person decides. A report that already has
its episode may still cover others (hepatotoxicity: ALT, then AST and bilirubin): those are not unreported.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import ctcae_v403
from safety_monitor.records import AdverseEvent, Episode
from safety_monitor.rules.reported import ReportedEpisode
from safety_monitor.vocabulary import Match

_SAME, _EQUIVALENT = 0, 1


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Reported terms and words that may stand for episodes of ``results``; ``basis``: standard or clinical."""

    name: str
    basis: str
    results: frozenset[str]
    reported: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()

    def told_by(self, term: str | None, texts: Sequence[str]) -> bool:
        return term in self.reported or any(_pattern(word).search(text) for word in self.words for text in texts)


class _Pair(NamedTuple):
    rank: int
    days: int
    episode: int
    report: int


def matched(
    episodes: Sequence[Episode],
    reports: Sequence[ReportedEpisode],
    *,
    match_days: int,
) -> list[Episode]:
    """*episodes* with ``link``, ``aeseq`` and ``candidates`` filled in, in the same order. What a person decided
    (``decided_aeseq``) goes before every rule.
    """
    found = list(episodes)
    told: defaultdict[str, list[int]] = defaultdict(list)
    for number, report in enumerate(reports):
        told[report.usubjid].append(number)
    own: defaultdict[str, list[int]] = defaultdict(list)
    for number, episode in enumerate(episodes):
        own[episode.usubjid].append(number)
    for usubjid, numbers in own.items():
        answers = _of_subject(numbers, told.get(usubjid, []), episodes, reports, match_days)
        for number, (kind, aeseq, candidates) in answers.items():
            found[number] = episodes[number].model_copy(update={"link": kind, "aeseq": aeseq, "candidates": candidates})
    return found


_Answer = tuple[Match, int | None, tuple[int, ...]]


def _of_subject(
    numbers: Sequence[int], told: Sequence[int], episodes: Sequence[Episode], reports: Sequence[ReportedEpisode],
    match_days: int,
) -> dict[int, _Answer]:  # fmt: skip
    answers: dict[int, _Answer] = {number: (Match.UNREPORTED, None, ()) for number in numbers}
    taken: set[int] = set()
    settled: set[int] = set()
    for number in numbers:
        wanted = episodes[number].decided_aeseq
        for report in told if wanted is not None else ():
            if wanted in reports[report].aeseqs:
                answers[number] = (Match.MATCHED, wanted, ())
                settled.add(number)
                taken.add(report)
    pairs = sorted(
        _Pair(rank, _apart(episodes[number], reports[report]), number, report)
        for number in numbers if number not in settled
        for report in told
        if (rank := _rank(episodes[number].term, reports[report])) is not None
        and _near(episodes[number], reports[report], match_days)
    )  # fmt: skip
    for score in sorted({(pair.rank, pair.days) for pair in pairs}):
        level = [p for p in pairs if (p.rank, p.days) == score and p.episode not in settled and p.report not in taken]
        by_episode, by_report = _grouped(level)
        for number, candidates in by_episode.items():
            rivals = {rival for report in candidates for rival in by_report[report]}
            same_term = {rival for rival in rivals if episodes[rival].term == episodes[number].term}
            if len(candidates) > 1 or len(same_term) > 1:  # nothing tells them apart
                answers[number] = (Match.AMBIGUOUS, None, tuple(sorted(reports[report].aeseqs[0] for report in candidates)))
                settled.add(number)
                taken.update(candidates)  # whichever it is, it explains one of them
        for report, candidates in by_report.items():
            left = [number for number in candidates if number not in settled]
            if left:
                best = min(left, key=lambda n: (-episodes[n].worst_grade, episodes[n].onset_on, episodes[n].term))
                answers[best] = (Match.MATCHED, reports[report].aeseqs[0], ())
                settled.add(best)
                taken.add(report)
    for pair in pairs:
        if pair.episode not in settled and pair.report in taken:
            answers[pair.episode] = (Match.COVERED, reports[pair.report].aeseqs[0], ())
            settled.add(pair.episode)
    return answers


def _grouped(pairs: Iterable[_Pair]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    by_episode: defaultdict[int, list[int]] = defaultdict(list)
    by_report: defaultdict[int, list[int]] = defaultdict(list)
    for pair in pairs:
        by_episode[pair.episode].append(pair.report)
        by_report[pair.report].append(pair.episode)
    return by_episode, by_report


def _near(episode: Episode, report: ReportedEpisode, match_days: int) -> bool:
    """Whether the two overlap, or are no more than *match_days* apart, for all that is known."""
    after = report.start[0].toordinal() - episode.until.toordinal()
    before = episode.onset_on.toordinal() - report.end[1].toordinal()
    return max(after, before) <= match_days


def _apart(episode: Episode, report: ReportedEpisode) -> int:
    """Days between the two onsets; none where the report leaves its own open and the episode's lies within."""
    earliest, latest = report.start
    onset = episode.onset_on
    return max(0, earliest.toordinal() - onset.toordinal(), onset.toordinal() - latest.toordinal())


def _rank(term: str, report: ReportedEpisode) -> int | None:
    stands_for = [_stands_for(record.meddra_code, record.aedecod, record.aeterm) for record in report.records]
    if any(term == same for same, _ in stands_for):
        return _SAME
    return _EQUIVALENT if any(term in others for _, others in stands_for) else None


def term_of(event: AdverseEvent) -> str | None:
    """The CTCAE term of an event, also where the study reports in other words."""
    return _stands_for(event.meddra_code, event.aedecod, event.aeterm)[0]


@cache
def _stands_for(meddra_code: int | None, aedecod: str | None, aeterm: str) -> tuple[str | None, frozenset[str]]:
    """The CTCAE term of a record, and those whose results may be behind it."""
    if meddra_code is not None:
        term: str | None = ctcae_v403.term(meddra_code).name
    else:
        coded = (ctcae_v403.code(aedecod).term if aedecod else None) or ctcae_v403.code(aeterm).term
        term = coded.name if coded else None
    texts = [text for text in (aedecod, aeterm) if text]
    told = (each.results for each in equivalents() if each.told_by(term, texts))
    return term, frozenset(name for results in told for name in results)


@cache
def equivalents() -> tuple[Equivalent, ...]:
    """The rows of ``equivalents.toml``."""
    document = tomllib.loads(files("safety_monitor.rules").joinpath("equivalents.toml").read_text("utf-8"))
    return tuple(
        Equivalent(row["name"], row["basis"], frozenset(row["results"]), frozenset(row.get("reported", ())),
                   tuple(row.get("words", ())))
        for row in document["equivalent"]
    )  # fmt: skip


@cache
def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(words)}\b", re.IGNORECASE)
