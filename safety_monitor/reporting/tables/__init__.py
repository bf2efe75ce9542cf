"""Every table of a report, as functions of one frozen snapshot.

What is counted, and of whom, is each table's ``rule``. Denominator of every percentage is the safety
population: subjects treated at least once, with or without events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import (
    accrual,
    adverse_events,
    advice,
    baseline,
    complications,
    conduct,
    courses,
    deviations,
    disposition,
    dose_levels,
    dsur,
    edish,
    episodes,
    exposure,
    incidence,
    labs,
    listings,
    liver,
    modified,
    monitoring,
    overtime,
    since_last,
    sites,
    special,
    toxicity,
    treatment,
    worst,
)
from safety_monitor.reporting.tables.base import COUNTING, Study, Table
from safety_monitor.reporting.tables.drilldown import drilldown

__all__ = ["COUNTING", "Study", "Table", "Tables", "all_tables"]

#: Modules of tables, in the order of a report: each has ``tables(study)``, and ``cells_of(study)`` where it counts subjects.
MAKERS = (
    accrual, disposition, baseline, treatment, dose_levels, adverse_events, listings, modified, special, complications, exposure,
    incidence, toxicity, courses, labs, edish, overtime, worst, episodes, liver, sites, deviations, conduct, monitoring, advice,
    dsur, since_last,
)  # fmt: skip
#: What the first page of a report tells of.
FIRST = (adverse_events, edish, monitoring, since_last)


class Tables(Mapping[str, Table]):
    """The tables of *snapshot* by name, made when they are asked for: a report is printed while its later tables are made."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._study = Study(snapshot)
        self._made: dict[str, Table] = {}
        self._makers = iter((*FIRST, *(maker for maker in MAKERS if maker not in FIRST)))

    def __getitem__(self, name: str) -> Table:
        while name not in self._made and self._more():
            pass
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        while self._more():
            pass
        return iter(self._made)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _more(self) -> bool:
        """Whether one more module has made its tables."""
        maker = next(self._makers, None)
        if maker:
            self._made |= {table.name: table for table in maker.tables(self._study)}
        return maker is not None


def all_tables(snapshot: Snapshot) -> dict[str, Table]:
    """Every table by name, in the order of a report, and last the records behind each number (``drilldown``). Tables that
    cannot be made say why in ``not_collected``.
    """
    study = Study(snapshot)
    tables = [table for maker in MAKERS for table in maker.tables(study)]
    tables.append(drilldown(study, [maker.cells_of for maker in MAKERS if hasattr(maker, "cells_of")]))
    return {table.name: table for table in tables}
