"""Every table of a report, as functions of one frozen snapshot.

What is counted, and of whom, is each table's ``rule``. Denominator of every percentage is the safety
population: subjects treated at least once, with or without events.
"""

from __future__ import annotations

from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import (
    adverse_events,
    advice,
    conduct,
    courses,
    drilldown,
    episodes,
    exposure,
    incidence,
    labs,
    listings,
    liver,
    monitoring,
    overtime,
)
from safety_monitor.reporting.tables.base import COUNTING, Study, Table

__all__ = ["COUNTING", "Study", "Table", "all_tables"]


def all_tables(snapshot: Snapshot) -> dict[str, Table]:
    """Every table by name, in the order of a report. Tables that cannot be made say why in
    ``not_collected``.
    """
    study = Study(snapshot)
    makers = (
        adverse_events, listings, exposure, incidence, overtime, courses, labs, episodes, liver, conduct, monitoring, drilldown,
        advice,
    )  # fmt: skip
    tables = [table for maker in makers for table in maker.tables(study)]
    return {table.name: table for table in tables}
