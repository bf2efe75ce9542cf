"""Which dose subjects take over time: that of each fourth week since their first dose, held, or ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby, starmap
from typing import Any

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table, rows_to_frame
from safety_monitor.reporting.tables.disposition import NOT_STATED
from safety_monitor.reporting.tables.treatment import NO_EXPOSURE, doses, exposure_subjects, interval_of
from safety_monitor.reporting.wording import words
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.vocabulary import ComponentKind

DOSE_LEVELS = {"component": pl.String, "week": pl.Int64, "dose": pl.String, "n": pl.Int64}
HELD, ENDED = "held", "ended"
_STEP = 4  # weeks


def tables(study: Study) -> Iterator[Table]:
    yield dose_levels(study)


def dose_levels(study: Study) -> Table:
    """Subjects by what they take at the end of each week since their first dose of a drug that is taken daily."""
    name, title = "dose_levels", "Doses over time"
    rule = words(
        "Daily drugs with more than one dose; every {step} weeks since the first dose of the subject: the dose taken that day, "
        "held, or "
        "ended; subjects not yet followed so long are left out.",
        step=_STEP,
    )
    given, each = doses(study), study.once(exposure_subjects)
    if given is None:
        return Table.absent(name, title, DOSE_LEVELS, rule, NO_EXPOSURE)
    rows: list[tuple[str, int, str, int]] = []
    for component in study.settings.components:
        own = given.filter(component=component.name)
        records = list(starmap(Given, own.select(Given.__slots__).iter_rows()))
        several = own["dose"].drop_nulls().n_unique() > 1
        if component.kind is ComponentKind.PROCEDURE or not several or interval_of(component, records) > 1:
            continue
        rows += _levels_of(component.name, records, each.frame.filter(component=component.name), study.snapshot.cutoff)
    return Table(name, title, rows_to_frame(rows, DOSE_LEVELS), rule)


def _levels_of(
    component: str, records: Sequence[Given], each: pl.DataFrame, cutoff: date | None
) -> Iterator[tuple[str, int, str, int]]:
    people = {row["USUBJID"]: row for row in each.iter_rows(named=True)}
    counts: Counter[tuple[int, str]] = Counter()
    for usubjid, part in groupby(records, lambda record: record.usubjid):
        own, person = list(part), people[usubjid]
        until = cutoff or person["last_on"]
        for week in range(0, (until - person["first_on"]).days // 7 + 1, _STEP):
            counts[week, _taken_on(person["first_on"] + timedelta(days=7 * week), own, person)] += 1
    for (week, dose), n in sorted(counts.items()):
        yield component, week, dose, n


def _taken_on(day: date, given: Sequence[Given], person: Mapping[str, Any]) -> str:
    for record in given:
        if record.start_on and record.start_on <= day <= (record.end_on or record.start_on):
            return f"{record.dose:g} {record.unit or ''}".strip() if record.dose is not None else NOT_STATED
    return ENDED if day > person["last_on"] and person["state"] != "going on" else HELD
