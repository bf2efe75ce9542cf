"""Laboratory results: worst CTCAE grade after first treatment."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    return Section("laboratory", "Laboratory results: worst grade", {"table": material.tables["lab_worst_grade"]})
