"""Freezing: the study at a cut-off as one Snapshot, from which every table and report is made.

Collected records later than the cut-off are left out: events by (imputed) onset, results by collection
date, deaths by date; an exposure that runs on is cut at the cut-off. Frames and their columns:

subjects, events, exposures, dispositions, labs (one row per result and CTCAE term), episodes (of results), queries (open at
the cut-off), criteria (what the grades of the serious events mean), decisions (of people about events), and the domains of
``AS_REPORTED``, in lower case, as reported. A domain that was never imported has no frame: "not collected".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import polars as pl

import ctcae_v403
from ctcae_v403 import official
from safety_monitor.records import (
    AdverseEvent,
    Assessment,
    CaseDecision,
    ComponentOpinion,
    Episode,
    PartialDate,
    Query,
    Snapshot,
    Subject,
)
from safety_monitor.rules import causality, reconciliation
from safety_monitor.rules.assembly import Exposure, procedures
from safety_monitor.rules.assessment import is_related
from safety_monitor.rules.duties import latest
from safety_monitor.rules.queries import of_event
from safety_monitor.store.queries import query_key
from safety_monitor.study import StudySettings
from safety_monitor.workflow.laboratory import MEASURED, graded_results, results_of_events
from safety_monitor.workflow.reconciling import carried, last_dispositions

#: Domains carried into the snapshot as reported, when they were imported.
AS_REPORTED = ("VS", "EG", "CM", "RS", "MH", "SC", "SUPPDM", "DV", "IE", "SAE_RECEIPT")


@dataclass(frozen=True)
class AssessedEvent:
    """One event with what is decided about it. ``version`` counts its substantive changes."""

    event: AdverseEvent
    assessment: Assessment
    opinions: Sequence[ComponentOpinion] = ()
    version: int = 1
    decisions: Sequence[CaseDecision] = ()


@dataclass(frozen=True)
class Collected:
    """All that is known of one study. ``domains``: frames of text by SDTM domain, as imported.

    ``wording``: NCI's text by MedDRA code, where it was loaded. ``decided``: the stored episodes, for what people decided about
    them; ``closed``: key and text of the questions that a person closed; ``asked_on``: the day of each question by its key.
    """

    settings: StudySettings
    subjects: Sequence[Subject]
    events: Sequence[AssessedEvent]
    exposures: Sequence[Exposure]
    domains: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    wording: Mapping[int, official.Wording] = field(default_factory=dict)
    decided: Sequence[Episode] = ()
    closed: frozenset[tuple[str, str]] = frozenset()
    asked_on: Mapping[str, date] = field(default_factory=dict)


def freeze(collected: Collected, cutoff: date | None, versions: Mapping[str, str]) -> Snapshot:
    """*collected* at *cutoff* (None: the study's own, or else all data)."""
    cutoff = cutoff or collected.settings.study.cutoff
    subjects = _subjects(collected.subjects, cutoff)
    reconciled = _reconciled(collected, cutoff)
    frames = {
        "subjects": subjects,
        "events": _events(collected, cutoff, reconciled["queries"]),
        "exposures": _exposures(collected.exposures, cutoff),
        "criteria": _criteria(collected, cutoff),
        "weighing": _weighed(collected, cutoff),
        "decisions": _decisions(collected, cutoff),
        **reconciled,
    }
    if (ds := collected.domains.get("DS")) is not None:
        frames["dispositions"] = _dispositions(ds, cutoff)
    if (lb := collected.domains.get("LB")) is not None:
        frames["labs"] = _labs(lb, subjects, collected.settings, cutoff)
    for domain in AS_REPORTED:
        if (frame := collected.domains.get(domain)) is not None:
            frames[domain.lower()] = _as_reported(frame, domain, cutoff)
    return Snapshot(collected.settings.model_dump(mode="json"), cutoff, frames, versions)


def _within(day: date | None, cutoff: date | None) -> bool:
    return cutoff is None or day is None or day <= cutoff


def _subjects(subjects: Sequence[Subject], cutoff: date | None) -> pl.DataFrame:
    rows = [_cut(subject, cutoff).model_dump(exclude={"study_id"}) for subject in subjects]
    return _frame(rows, {
        "usubjid": pl.String, "siteid": pl.String, "country": pl.String, "age": pl.Float64, "sex": pl.String,
        "race": pl.String, "arm": pl.String, "consented_on": pl.Date, "treated": pl.Boolean,
        "first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "dthfl": pl.Boolean, "death_on": pl.Date,
    }).sort("usubjid")  # fmt: skip


_EVENT = {
    "usubjid": pl.String, "siteid": pl.String, "treated": pl.Boolean, "aeseq": pl.Int64, "version": pl.Int64,
    "aeterm": pl.String, "aedecod": pl.String, "aebodsys": pl.String, "grade": pl.Int64, "aeser": pl.Boolean,
    "aesdth": pl.Boolean, "aeslife": pl.Boolean, "aeshosp": pl.Boolean, "aesdisab": pl.Boolean,
    "aescong": pl.Boolean, "aesmie": pl.Boolean, "aerel": pl.String, "aeacn": pl.String, "aeout": pl.String,
    "aestdtc": pl.String, "aeendtc": pl.String, "immune": pl.Boolean, "onset_on": pl.Date,
    "treatment_emergent": pl.Boolean, "serious": pl.Boolean, "serious_as_flagged": pl.Boolean,
    "related": pl.Boolean, "fatal": pl.Boolean, "n_queries": pl.Int64, "leading": pl.String,
    "susar": pl.String,
}  # fmt: skip


def _events(collected: Collected, cutoff: date | None, queries: pl.DataFrame) -> pl.DataFrame:
    n_queries = Counter(queries.select("usubjid", "aeseq").iter_rows())
    subjects = {subject.usubjid: subject for subject in collected.subjects}
    names = [component.name for component in collected.settings.components]
    schema: dict[str, Any] = dict(_EVENT)
    for name in names:
        schema |= {f"investigator_{name}": pl.String, f"related_{name}": pl.Boolean, f"reviewer_{name}": pl.String,
                   f"action_{name}": pl.String}  # fmt: skip
    for cause in (*names, "disease", "other"):
        schema |= {f"share_{cause}": pl.Float64, f"level_{cause}": pl.String}
    rows = []
    for assessed in collected.events:
        if not _within(assessed.assessment.onset_on, cutoff):
            continue
        subject = subjects.get(assessed.event.usubjid)
        row: dict[str, Any] = {
            **assessed.event.model_dump(exclude={"study_id", "meddra_code", "trtemfl", "relatedness", "actions"}),
            **assessed.assessment.model_dump(exclude={"serious_basis", "queries", "susar"}),
            "aedecod": assessed.event.aedecod or f"[not coded] {assessed.event.aeterm}",
            "aebodsys": assessed.event.aebodsys or "[not coded]",
            "siteid": subject.siteid if subject else None,
            "treated": bool(subject and subject.treated),
            "version": assessed.version,
            "n_queries": n_queries[assessed.event.key],
            "susar": ", ".join(assessed.assessment.susar) or None,
        }
        row |= _opinions(assessed, names, collected.settings)
        rows.append(row)
    return _frame(rows, schema).sort("usubjid", "aeseq")


_WEIGHED = {"usubjid": pl.String, "aeseq": pl.Int64, "cause": pl.String, "evidence": pl.String, "effect": pl.Float64}


def _weighed(collected: Collected, cutoff: date | None) -> pl.DataFrame:
    """The evidence behind the leading cause of each serious event, as far as it moves the share, the largest effect first."""
    rows = [
        dict(zip(_WEIGHED, (*each.event.key, *piece), strict=True))
        for each in collected.events
        if each.assessment.serious and _within(each.assessment.onset_on, cutoff)
        for opinion in each.opinions
        for piece in opinion.pieces
    ]
    return _frame(rows, _WEIGHED).sort("usubjid", "aeseq", maintain_order=True)


_DECISION = {
    "usubjid": pl.String, "aeseq": pl.Int64, "matter": pl.String, "component": pl.String, "value": pl.String,
    "given_by": pl.String, "reason": pl.String,
}  # fmt: skip


def _decisions(collected: Collected, cutoff: date | None) -> pl.DataFrame:
    """What people decided about events, as far as it is in force."""
    rows = [
        dict(zip(_DECISION, (*each.event.key, matter.value, component, found.value, found.given_by, found.reason), strict=True))
        for each in collected.events
        if _within(each.assessment.onset_on, cutoff)
        for (matter, component), found in latest(each.decisions).items()
    ]
    return _frame(rows, _DECISION).sort("usubjid", "aeseq", "matter", "component")


def _opinions(assessed: AssessedEvent, names: Sequence[str], settings: StudySettings) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in names:
        reported = assessed.event.relatedness.get(name)
        row[f"investigator_{name}"] = reported
        row[f"related_{name}"] = is_related(reported, settings) if reported else None
    reviewed = {o.component: o.level for o in assessed.opinions if o.author == causality.REVIEWER}
    row |= {f"reviewer_{name}": reviewed.get(name) for name in names}
    row |= {f"action_{name}": assessed.event.actions.get(name) for name in names}
    weighed = {o.component: o for o in assessed.opinions if o.author == causality.SYSTEM and o.share is not None}
    for cause, opinion in weighed.items():
        row |= {f"share_{cause}": opinion.share, f"level_{cause}": opinion.level}
    row["leading"] = max(weighed, key=lambda cause: (weighed[cause].share or 0, cause), default=None)
    return row


def _exposures(exposures: Sequence[Exposure], cutoff: date | None) -> pl.DataFrame:
    rows = [
        {
            **{name: getattr(exposure, name) for name in Exposure.__slots__},
            "end_on": min(exposure.end_on, cutoff) if exposure.end_on and cutoff else exposure.end_on,
        }
        for exposure in exposures
        if _within(exposure.start_on, cutoff)
    ]
    return _frame(rows, {
        "usubjid": pl.String, "domain": pl.String, "seq": pl.Int64, "treatment": pl.String, "component": pl.String,
        "dose": pl.Float64, "unit": pl.String, "frequency": pl.String, "location": pl.String,
        "start_on": pl.Date, "end_on": pl.Date, "end_is_stated": pl.Boolean,
    }).sort("usubjid", "domain", "seq")  # fmt: skip


_QUERY = {
    "usubjid": pl.String, "siteid": pl.String, "aeseq": pl.Int64, "about": pl.String, "check_id": pl.String, "owner": pl.String,
    "text": pl.String, "opened_on": pl.Date,
}  # fmt: skip
_EPISODE = {
    "usubjid": pl.String, "siteid": pl.String, "treated": pl.Boolean, "term": pl.String, "baseline_grade": pl.Int64,
    "onset_on": pl.Date, "onset_grade": pl.Int64, "worst_grade": pl.Int64, "worst_on": pl.Date, "last_on": pl.Date,
    "ended": pl.String, "resolved_on": pl.Date, "emergent_on": pl.Date, "n_results": pl.Int64, "changes": pl.String,
    "evidence": pl.String, "link": pl.String, "aeseq": pl.Int64, "case_state": pl.String,
}  # fmt: skip


def _reconciled(collected: Collected, cutoff: date | None) -> dict[str, pl.DataFrame]:
    """Episodes of results (where results were imported) and open questions, by what is known at the cut-off."""
    settings = collected.settings
    subjects = [_cut(subject, cutoff) for subject in collected.subjects]
    known = {subject.usubjid: subject for subject in subjects}
    assessed = {each.event.key: each.assessment for each in collected.events if _within(each.assessment.onset_on, cutoff)}
    events = [each.event for each in collected.events if each.event.key in assessed]
    reports = reconciliation.reported_episodes(events)
    used = [name for name in (*MEASURED, "DS") if name in collected.domains]
    domains = {name: _as_reported(collected.domains[name], name, cutoff) for name in used}
    graded = graded_results(domains, subjects, settings)
    results = results_of_events(graded, events) if settings.terminology == "ctcae" else {}
    around = reconciliation.surroundings(reports, events, last_dispositions(domains.get("DS")), results, collected.wording)
    asked = [query for event in sorted(events, key=lambda each: each.key)
             for query in of_event(event, known.get(event.usubjid), settings, around[event.key])]  # fmt: skip
    for each in sorted(collected.events, key=lambda each: each.event.key):
        if each.event.key in assessed:
            siteid = person.siteid if (person := known.get(each.event.usubjid)) else None
            asked += causality.questions(each.event, each.assessment, each.opinions, settings, siteid)
    found = carried(reconciliation.lab_episodes(graded, subjects, settings), collected.decided)
    ablations = procedures(each for each in collected.exposures if _within(each.start_on, cutoff))
    done = reconciliation.reconcile(
        found, reports, graded, subjects, assessed, settings, asked=asked, ablations=ablations
    )
    queries = [query for query in (*asked, *done.queries) if (query_key(query), query.text) not in collected.closed]
    rows = [_query_row(query, collected.asked_on) for query in queries]
    frames = {"queries": _frame(rows, _QUERY).sort("usubjid", "aeseq", "siteid", "about", maintain_order=True, nulls_last=True)}
    if any(name in domains for name in MEASURED):
        told = [
            {
                **episode.model_dump(exclude={"study_id", "changes", "candidates"}),
                "siteid": person.siteid if (person := known.get(episode.usubjid)) else None,
                "treated": bool(person and person.treated),
                "changes": "; ".join(f"{on} grade {grade}" for on, grade in episode.changes),
            }
            for episode in done.episodes
        ]
        frames["episodes"] = _frame(told, _EPISODE)
    return frames


def _query_row(query: Query, asked_on: Mapping[str, date]) -> dict[str, Any]:
    number = query.about.removeprefix("AE ").partition(" ")[0]
    aeseq = int(number) if query.about.startswith("AE ") and number.isdigit() else None
    return {**query.model_dump(), "aeseq": aeseq, "opened_on": asked_on.get(query_key(query))}


def _cut(subject: Subject, cutoff: date | None) -> Subject:
    """*subject* as known at the cut-off: no later death, no later treatment."""
    changes: dict[str, Any] = {}
    if not _within(subject.death_on, cutoff):
        changes |= {"death_on": None, "dthfl": False}
    if cutoff and subject.last_treatment_on and subject.last_treatment_on > cutoff:
        changes["last_treatment_on"] = cutoff
    if not _within(subject.first_treatment_on, cutoff):
        changes |= {"treated": False, "first_treatment_on": None, "last_treatment_on": None}
    return subject.model_copy(update=changes)


def _criteria(collected: Collected, cutoff: date | None) -> pl.DataFrame:
    """What the standard understands by the terms and grades of the serious events, in the wording of the day."""
    serious = [each for each in collected.events if each.assessment.serious and _within(each.assessment.onset_on, cutoff)]
    graded = {(e.event.meddra_code, e.event.grade) for e in serious if e.event.meddra_code and e.event.grade}
    rows = [
        {"term": term.name, "grade": grade, "text": official.text_of(term, grade, collected.wording),
         "official": term.meddra_code in collected.wording}
        for code, grade in sorted(graded)
        if (term := ctcae_v403.term(code)).has_grade(grade)
    ]  # fmt: skip
    schema = {"term": pl.String, "grade": pl.Int64, "text": pl.String, "official": pl.Boolean}
    return _frame(rows, schema).sort("term", "grade")


def _dispositions(ds: pl.DataFrame, cutoff: date | None) -> pl.DataFrame:
    frame = _with_columns(ds, ("USUBJID", "DSSEQ", "DSDECOD", "DSTERM", "DSCAT", "DSSTDTC")).select(
        usubjid="USUBJID", seq=pl.col("DSSEQ").cast(pl.Float64, strict=False), dsdecod="DSDECOD", dsterm="DSTERM",
        dscat="DSCAT", on=_days("DSSTDTC"),
    )  # fmt: skip
    return _until(frame, "on", cutoff).sort("usubjid", "seq").drop("seq")


def _labs(lb: pl.DataFrame, subjects: pl.DataFrame, settings: StudySettings, cutoff: date | None) -> pl.DataFrame:
    """Every result with every CTCAE term it speaks to, graded under the study's policy."""
    person = subjects.select(
        USUBJID="usubjid", SEX="sex", AGE="age", _first="first_treatment_on", _last="last_treatment_on"
    )
    lb = _with_columns(lb, ("LBSEQ", "LBTESTCD", "LBSPEC", "LBSTRESN", "LBSTRESU", "LBSTNRLO", "LBSTNRHI", "LBDTC", "VISIT"))
    lb = lb.drop("SEX", "AGE", strict=False).with_columns(_on=_days("LBDTC"))
    lb = _until(lb, "_on", cutoff).join(person, on="USUBJID", how="left", maintain_order="left")
    graded: pl.DataFrame = ctcae_v403.grade_frame(lb, policy=settings.lab_policy)
    window = timedelta(days=settings.treatment_emergent.days_after_last)
    flags = [name for name in ("LBBLFL", "LBLOBXFL") if name in lb.columns]
    baseline = pl.any_horizontal([pl.col(name) == "Y" for name in flags]) if flags else pl.lit(False)
    after = (pl.col("_on") > pl.col("_first")) & (pl.col("_last").is_null() | (pl.col("_on") <= pl.col("_last") + window))
    return graded.select(
        usubjid="USUBJID", lbseq=_number("LBSEQ").cast(pl.Int64), lbtestcd="LBTESTCD", lbspec="LBSPEC", lbdtc="LBDTC",
        on="_on", visit="VISIT", lbstresn=_number("LBSTRESN"), unit="LBSTRESU", lbstnrlo=_number("LBSTNRLO"),
        lbstnrhi=_number("LBSTNRHI"), term=_blank("ATOXDSC"), direction=_blank("ATOXDIR"),
        grade=pl.col("ATOXGR").cast(pl.Int64), reason=_blank("REASON"), criterion=_blank("CRITERION"),
        basis=_blank("BASIS"), baseline_grade=pl.col("BTOXGR").cast(pl.Int64), flags=_blank("FLAGS"),
        is_baseline=baseline.fill_null(False), post_baseline=after.fill_null(False),
    ).sort("usubjid", "lbtestcd", "on", "lbseq", "term")  # fmt: skip


def _as_reported(frame: pl.DataFrame, domain: str, cutoff: date | None) -> pl.DataFrame:
    dates = (f"{domain}DTC", f"{domain}STDTC", "SPONSOR_AWARE_AT")
    start = next((name for name in dates if name in frame.columns), None)
    if start is not None:
        frame = _until(frame.with_columns(_on=_days(start)), "_on", cutoff).drop("_on")
    return frame.select(sorted(frame.columns)).sort("USUBJID", maintain_order=True)


def _until(frame: pl.DataFrame, column: str, cutoff: date | None) -> pl.DataFrame:
    return frame if cutoff is None else frame.filter(pl.col(column).is_null() | (pl.col(column) <= cutoff))


def _days(column: str) -> pl.Expr:
    """ISO text as the earliest date that it may mean; the text was checked when it was imported."""
    return pl.col(column).map_elements(lambda text: PartialDate.parse(text).earliest, return_dtype=pl.Date)


def _number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64, strict=False)


def _blank(column: str) -> pl.Expr:
    return pl.when(pl.col(column).cast(pl.String) != "").then(pl.col(column).cast(pl.String))


def _with_columns(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """*frame* with the columns that are used, blank where the file had none."""
    return frame.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in names if name not in frame.columns)


def _frame(rows: Sequence[Mapping[str, Any]], schema: Mapping[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=dict(schema))
