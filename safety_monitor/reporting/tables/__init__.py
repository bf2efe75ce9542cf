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
    conduct,
    deviations,
    disposition,
    dose_levels,
    drilldown,
    dsur,
    episodes,
    exposure,
    labs,
    listings,
    liver,
    monitoring,
    sites,
    treatment,
)
from safety_monitor.reporting.tables.base import Study, Table

__all__ = ["Study", "Table", "all_tables"]


def all_tables(snapshot: Snapshot) -> dict[str, Table]:
    """Every table by name, in the order of a report. Tables that cannot be made say why in
    ``not_collected``.
    """
    study = Study(snapshot)
    makers = (
        accrual, disposition, baseline, treatment, dose_levels, adverse_events, listings, exposure, labs, episodes, liver, sites,
        deviations, conduct, monitoring, drilldown, advice, dsur,
    )  # fmt: skip
    tables = [table for maker in makers for table in maker.tables(study)]
    return {table.name: table for table in tables}
