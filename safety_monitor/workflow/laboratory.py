"""The results of a study beside its events: which grade each result gives for the term that was reported."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import polars as pl

import ctcae_v403
from safety_monitor.records import AdverseEvent, PartialDate, Subject
from safety_monitor.rules.grades import LabGrade
from safety_monitor.study import StudySettings


def results_of_events(
    lb: pl.DataFrame, subjects: Iterable[Subject], events: Sequence[AdverseEvent], settings: StudySettings
) -> Mapping[tuple[str, str], Sequence[LabGrade]]:
    """The graded results by subject and CTCAE term, for the subjects and terms that have an event.

    Where two grades print the same numbers the higher counts: the findings decide between them. *lb*: the LB
    domain as text. A result that cannot be graded, or only from below, leaves more open.
    """
    wanted = {(event.usubjid, event.aedecod) for event in events if event.meddra_code is not None}
    people = [person for person in subjects if person.usubjid in {usubjid for usubjid, _ in wanted}]
    if lb.is_empty() or not people or "LBDTC" not in lb.columns:
        return {}
    person = pl.DataFrame(
        {"USUBJID": [p.usubjid for p in people], "AGE": [p.age for p in people], "SEX": [p.sex for p in people]},
        schema={"USUBJID": pl.String, "AGE": pl.Float64, "SEX": pl.String},
    )
    lb = lb.drop("SEX", "AGE", strict=False).filter(pl.col("LBDTC").is_not_null()).join(person, on="USUBJID")
    policy = replace(ctcae_v403.Policy.of(settings.lab_policy), same_band="higher")
    graded = ctcae_v403.grade_frame(lb, policy=policy).select("USUBJID", "LBDTC", "ATOXDSC", "ATOXGR", "FLAGS")
    found: defaultdict[tuple[str, str], list[LabGrade]] = defaultdict(list)
    for usubjid, when, term, grade, flags in graded.iter_rows():
        if (usubjid, term) in wanted:
            level = None if grade is None else int(grade)
            found[usubjid, term].append(LabGrade(_day(when), level, "floor" in (flags or "").split(";")))
    return found


def _day(when: str) -> date:
    return PartialDate.parse(when).earliest
