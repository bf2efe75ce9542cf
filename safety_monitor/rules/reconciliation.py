"""Results and reports side by side: which laboratory episode is which reported event, which has none, and what is asked.

Pure: ``reconcile`` takes what was collected and what people decided before, and answers with the episodes as they stand and
every question about them. The rules are those of ``docs/events.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

import ctcae_v403
from safety_monitor.records import AdverseEvent, Assessment, Episode, Query, Subject
from safety_monitor.rules.episodes import episodes
from safety_monitor.rules.grades import LabGrade, shown
from safety_monitor.rules.liver_questions import of_liver
from safety_monitor.rules.matching import matched, term_of
from safety_monitor.rules.queries import Around, ask
from safety_monitor.rules.reported import ReportedEpisode, duplicates, reported_episodes, resumed
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import CaseState, EpisodeEnd, Match

#: Variables that the domain of events that happened does not have.
NOT_IN_AE = ("AEOCCUR", "AESTAT", "AEREASND")
#: Why a result has no grade, where the data can be corrected.
CORRECTABLE = ("NO_LIMIT", "NO_UNIT", "UNKNOWN_UNIT", "INVALID_LIMITS")
_LONG_AGO = date(1900, 1, 1)
_N_SHOWN = 6  # results that a query lists
_ENDED = {
    EpisodeEnd.RESOLVED: "resolved on {on}",
    EpisodeEnd.GAP: "last seen on {on}, not followed in time",
    EpisodeEnd.ONGOING: "not resolved on {on}, the last result",
    EpisodeEnd.ONGOING_AT_DEATH: "not resolved at death, last seen on {on}",
}


@dataclass(frozen=True)
class Reconciled:
    """Episodes by subject, term and onset, and the questions that concern them, subjects, tests and the dataset."""

    episodes: list[Episode]
    reports: list[ReportedEpisode]
    queries: list[Query]


def lab_episodes(graded: pl.DataFrame, subjects: Sequence[Subject], settings: StudySettings) -> list[Episode]:
    """The episodes of *graded* (``workflow.laboratory.GRADED``), not yet matched."""
    dated = graded.filter(pl.col("term").is_not_null(), pl.col("on").is_not_null())
    people = pl.DataFrame(
        [(s.usubjid, _treated_from(s), s.last_treatment_on, s.death_on or (date.max if s.dthfl else None)) for s in subjects],
        schema={"usubjid": pl.String, "first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "death_on": pl.Date},
        orient="row",
    )
    found = episodes(
        dated, people, gap_days=settings.episodes.gap_days, days_after_last=settings.treatment_emergent.days_after_last
    )
    at_worst = dated.select("usubjid", "term", pl.col("on").alias("worst_on"), pl.col("grade").alias("worst_grade"), "test",
                            "result", "unit", "row").sort("row").unique(["usubjid", "term", "worst_on", "worst_grade"],
                                                                        keep="first", maintain_order=True)  # fmt: skip
    found = found.join(at_worst, on=["usubjid", "term", "worst_on", "worst_grade"], how="left", maintain_order="left")
    return [
        Episode.model_construct(
            study_id=settings.id, usubjid=row["usubjid"], term=row["term"], onset_on=row["onset_on"],
            opened_on=row["onset_on"], onset_grade=row["onset_grade"], worst_grade=row["worst_grade"],
            worst_on=row["worst_on"], last_on=row["last_on"], n_results=row["n_results"],
            baseline_grade=row["baseline_grade"], ended=EpisodeEnd(row["ended"]), resolved_on=row["resolved_on"],
            emergent_on=row["emergent_on"], evidence=shown(row["test"], row["result"], row["unit"], row["worst_on"]),
            changes=tuple((change["on"].isoformat(), change["grade"]) for change in row["changes"]),
            link=Match.UNREPORTED, aeseq=None, candidates=(), case_state=CaseState.NONE, decided_aeseq=None,
        )
        for row in found.iter_rows(named=True)
    ]  # fmt: skip


def _treated_from(subject: Subject) -> date | None:
    """First treatment; where it is not known of somebody who was treated, any result may have come after it."""
    return (subject.first_treatment_on or _LONG_AGO) if subject.treated else None


def surroundings(
    reports: Sequence[ReportedEpisode],
    events: Sequence[AdverseEvent],
    dispositions: Mapping[str, date],
    results: Mapping[tuple[str, str], Sequence[LabGrade]],
    wording: Mapping[int, ctcae_v403.Wording],
) -> dict[tuple[str, int], Around]:
    """What is on record around each event, by its key. *dispositions*: last day of disposition by subject."""
    continued = {record.key for report in reports for record in report.records[:-1]}
    twice = {other.key: one.aeseq for report in reports for one, other in duplicates(report)}
    again = {other.key: one.aeseq for one, other in resumed(events)}
    return {
        event.key: Around(
            last_disposition_on=dispositions.get(event.usubjid), continued=event.key in continued,
            duplicate_of=twice.get(event.key), resumes=again.get(event.key),
            results=results.get((event.usubjid, event.aedecod or ""), ()), wording=wording,
        )
        for event in events
    }  # fmt: skip


def reconcile(
    found: Sequence[Episode],
    reports: Sequence[ReportedEpisode],
    graded: pl.DataFrame,
    subjects: Sequence[Subject],
    assessed: Mapping[tuple[str, int], Assessment],
    settings: StudySettings,
    asked: Iterable[Query] = (),
    ablations: Mapping[str, Sequence[date]] | None = None,
) -> Reconciled:
    """Episodes matched to *reports*, cases opened, and what is to be asked.

    *found* carries what was decided before (``case_state``, ``decided_aeseq``); *assessed* is by event; *asked* are the questions
    of single events, of which one about the findings makes the same question about the results superfluous;
    *ablations* the days of the study's procedures by subject.
    """
    sites = {subject.usubjid: subject.siteid for subject in subjects}
    settled = [
        episode.model_copy(update={"case_state": case_of(episode, settings)})
        for episode in matched(found, reports, match_days=settings.episodes.match_days)
    ]
    queries = _of_subjects(subjects, reports, assessed, settings)
    queries += _of_tests(graded, sites, settings)
    for episode in settled:
        queries += ask("episode", _episode_facts(episode, settings), study_id=settings.id, usubjid=episode.usubjid,
                       siteid=sites.get(episode.usubjid), about=f"{episode.term} {episode.opened_on.isoformat()}")  # fmt: skip
    if settings.terminology == "ctcae" and not settings.grade.map:
        contradicted = {(query.usubjid, query.about) for query in asked if query.check_id == "GRADE_AGAINST_FINDINGS"}
        queries += _of_matches(settled, reports, graded, sites, settings, contradicted)
    queries += of_liver(graded, subjects, ablations or {}, settings)
    return Reconciled(settled, list(reports), queries)


def case_of(episode: Episode, settings: StudySettings) -> CaseState:
    """Where the case of a matched *episode* stands, whose ``case_state`` is where it stood before."""
    wanted = (
        episode.link is Match.UNREPORTED and episode.emergent_on is not None
        and episode.worst_grade >= settings.episodes.draft_from
    )  # fmt: skip
    if wanted:
        return CaseState.DRAFT if episode.case_state in (CaseState.NONE, CaseState.WITHDRAWN) else episode.case_state
    if episode.case_state in (CaseState.DRAFT, CaseState.CONFIRMED) and episode.link is Match.UNREPORTED:
        return CaseState.WITHDRAWN
    return CaseState.WITHDRAWN if episode.case_state is CaseState.WITHDRAWN else CaseState.NONE


def standing(before: Episode, now: Episode) -> CaseState:
    """Where the case of *before* stands for the same episode as it is *now*: what was dismissed was not this grade."""
    dismissed = before.case_state is CaseState.DISMISSED and now.worst_grade > before.worst_grade
    return CaseState.NONE if dismissed else before.case_state


def _episode_facts(episode: Episode, settings: StudySettings) -> dict[str, object]:
    still = episode.case_state in (CaseState.DRAFT, CaseState.CONFIRMED)
    return {
        **{name: getattr(episode, name) for name in ("term", "worst_grade", "onset_on", "evidence")},
        "case": "draft" if still else episode.case_state.value,
        "match": episode.link.value,
        "worth_a_question": "Y" if episode.worst_grade >= settings.episodes.draft_from and episode.emergent_on else "N",
        "how_it_ended": _ENDED[episode.ended].format(on=episode.until.isoformat()),
        "candidates": " and ".join(map(str, episode.candidates)) or None,
    }


def _of_subjects(
    subjects: Sequence[Subject], reports: Sequence[ReportedEpisode], assessed: Mapping[tuple[str, int], Assessment],
    settings: StudySettings,
) -> list[Query]:  # fmt: skip
    n_fatal: defaultdict[str, int] = defaultdict(int)
    for report in reports:
        n_fatal[report.usubjid] += any(assessed[record.key].fatal for record in report.records if record.key in assessed)
    found = []
    for subject in subjects:
        facts = {
            "dthfl": "Y" if subject.dthfl else "N", "death_on": subject.death_on, "n_fatal": n_fatal[subject.usubjid],
            "on_death": f" on {subject.death_on.isoformat()}" if subject.death_on else "",
        }  # fmt: skip
        found += ask("DM", facts, study_id=settings.id, about="DM", usubjid=subject.usubjid, siteid=subject.siteid)
    return found


def of_dataset(variables: Iterable[str], settings: StudySettings) -> list[Query]:
    """What is asked of the AE dataset as a whole, by its *variables*."""
    found = []
    for name in sorted(set(variables) & set(NOT_IN_AE)):
        found += ask("AE dataset", {"variable": name}, study_id=settings.id, about=f"AE {name}")
    return found


def _of_tests(graded: pl.DataFrame, sites: Mapping[str, str | None], settings: StudySettings) -> list[Query]:
    """Results that cannot be graded or placed in time, and could be corrected: one question a site, test, unit and reason."""
    own_limits = pl.col("lln").is_not_null() & pl.col("uln").is_not_null()  # then a limit of a computed value is meant
    wanted = pl.concat([
        graded.filter(pl.col("reason").is_in(CORRECTABLE), ~((pl.col("reason") == "NO_LIMIT") & own_limits)),
        graded.filter(pl.col("on").is_null(), pl.col("term").is_not_null()).with_columns(reason=pl.lit("NO_DATE")),
    ])  # fmt: skip
    if wanted.is_empty():
        return []
    site = pl.DataFrame(list(sites.items()), schema={"usubjid": pl.String, "siteid": pl.String}, orient="row")
    key = ["siteid", "domain", "test", "unit", "reason"]
    counted = (
        wanted.join(site, on="usubjid", how="left").group_by(key)
        .agg(pl.col("row").n_unique().alias("n_results"), pl.col("usubjid").n_unique().alias("n_subjects"),
             pl.col("term").drop_nulls().unique().sort())
        .sort(key)
    )  # fmt: skip
    found = []
    for row in counted.iter_rows(named=True):
        terms = ", ".join(row["term"]) or "any term"
        facts = {
            **row, "terms": terms, "unit": row["unit"] or "no unit", "results": _n(row["n_results"], "result"),
            "subjects": _n(row["n_subjects"], "subject"),
        }  # fmt: skip
        found += ask("results", facts, study_id=settings.id, siteid=row["siteid"],
                     about=f"{row['domain']} {row['test']} {row['unit'] or ''}".strip())  # fmt: skip
    return found


def _n(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _of_matches(
    settled: Sequence[Episode], reports: Sequence[ReportedEpisode], graded: pl.DataFrame, sites: Mapping[str, str | None],
    settings: StudySettings, contradicted: set[tuple[str | None, str]],
) -> list[Query]:  # fmt: skip
    """Where a report of a term that numbers grade has another grade than the results of its days, or of its episode's."""
    by_record = {(report.usubjid, report.records[0].aeseq): report for report in reports}
    own = {(e.usubjid, e.term, e.aeseq): e for e in settled if e.link is Match.MATCHED and e.aeseq is not None}
    results: defaultdict[tuple[str, str], list[tuple[date, int, int, bool, str]]] = defaultdict(list)
    people = {usubjid for usubjid, _, _ in own}
    dated = graded.drop_nulls(["on", "term"]).filter(pl.col("usubjid").is_in(list(people)), pl.col("grade").is_not_null())
    for row in dated.sort("on", "row").iter_rows(named=True):
        text = shown(row["test"], row["result"], row["unit"], row["on"])
        results[row["usubjid"], row["term"]].append((row["on"], row["grade"], row["higher"], row["at_least"], text))
    found = []
    for (usubjid, aeseq), report in by_record.items():
        term = term_of(report.records[0])
        episode = own.get((usubjid, term or "", aeseq))
        if term is None or episode is None or report.worst_grade is None:
            continue
        if any((usubjid, f"AE {each}") in contradicted for each in report.aeseqs):
            continue
        during = [
            each for each in results[usubjid, term]
            if report.start[0] <= each[0] <= report.end[1] or episode.onset_on <= each[0] <= episode.last_on
        ]  # fmt: skip
        if not during:
            continue
        lowest, highest = max(each[1] for each in during), max(each[2] for each in during)
        worst = [text for _, grade, _, _, text in during if grade == lowest]
        listed = worst[:_N_SHOWN] + ([f"and {len(worst) - _N_SHOWN} more"] if len(worst) > _N_SHOWN else [])
        facts = {
            "reported": report.records[0].aedecod or report.records[0].aeterm, "ctcae_term": term,
            "grade": report.worst_grade, "lowest_grade": lowest, "results": "; ".join(listed),
            "highest_grade": None if any(at_least for _, _, _, at_least, _ in during) else highest,
            "other_grounds": _other_grounds(term, report.worst_grade),
        }  # fmt: skip
        found += ask("match", facts, study_id=settings.id, about=f"AE {aeseq}", usubjid=usubjid, siteid=sites.get(usubjid))
    return found


def _other_grounds(term: str, grade: int) -> str:
    """What else than a number would give the grade, as the criteria have it."""
    known = ctcae_v403.term(term)
    if grade == 5 or not known.has_grade(grade):
        return ""
    keys = {
        literal.key for criterion in known.criteria(grade) for alternative in criterion.alternatives for literal in alternative
    } - {"numbers", "present"}  # fmt: skip
    named = ", ".join(sorted(key.replace("_", " ") for key in keys))
    return f" Grade {grade} may also rest on: {named}." if named else ""


__all__ = ["Reconciled", "case_of", "lab_episodes", "of_dataset", "reconcile", "reported_episodes", "standing",
           "surroundings"]  # fmt: skip
