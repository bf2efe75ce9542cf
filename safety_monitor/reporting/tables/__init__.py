"""Every table of a report, as functions of one frozen snapshot.

What is counted, and of whom, is each table's ``rule``. Denominator of every percentage is the safety
population: subjects treated at least once, with or without events.
"""

from __future__ import annotations

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

__all__ = ["COUNTING", "Study", "Table", "all_tables"]

#: Modules of tables, in the order of a report: each has ``tables(study)``, and ``cells_of(study)`` where it counts subjects.
MAKERS = (
    accrual, disposition, baseline, treatment, dose_levels, adverse_events, listings, modified, special, complications, exposure,
    incidence, toxicity, courses, labs, edish, overtime, worst, episodes, liver, sites, deviations, conduct, monitoring, advice,
    dsur, since_last,
)  # fmt: skip


def all_tables(snapshot: Snapshot, *, drilled: bool = True) -> dict[str, Table]:
    """Every table by name, in the order of a report. Tables that cannot be made say why in
    ``not_collected``. The records behind each number (``drilldown``) are left out unless *drilled*.
    """
    study = Study(snapshot)
    tables = [table for maker in MAKERS for table in maker.tables(study)]
    if drilled:
        tables.append(drilldown(study, [maker.cells_of for maker in MAKERS if hasattr(maker, "cells_of")]))
    return {table.name: table for table in tables}
