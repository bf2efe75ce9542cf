"""The most common terms: one picture, one flat list."""

from __future__ import annotations

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.tables.base import COUNTING

#: How many terms the picture shows; the table has all of them.
_DRAWN = COUNTING["frequent_terms"]["most"]


def section(material: Material) -> Section:
    table = material.tables["common_terms"]
    rows = table.frame.to_dicts()
    study = Study(material.snapshot)
    dots = table.frame.head(_DRAWN).select("PT", "pct", "cp_lo", "cp_hi", "ge3_pct", "ge3_lo", "ge3_hi").rows()
    picture = figures.term_dots(dots, study.n) if dots else None
    values = {"table": table, "rows": rows, "picture": picture, "since": study.last_report}
    return Section("common", "Most common adverse events", values)
