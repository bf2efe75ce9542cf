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
    drilldown,
    episodes,
    exposure,
    labs,
    listings,
    liver,
    monitoring,
    since_last,
)
from safety_monitor.reporting.tables.base import Study, Table

__all__ = ["Study", "Table", "all_tables"]


def all_tables(snapshot: Snapshot) -> dict[str, Table]:
    """Every table by name, in the order of a report. Tables that cannot be made say why in
    ``not_collected``.
    """
    study = Study(snapshot)
    makers = (adverse_events, listings, exposure, labs, episodes, liver, conduct, monitoring, drilldown, advice, since_last)
    tables = [table for maker in makers for table in maker.tables(study)]
    return {table.name: table for table in tables}
