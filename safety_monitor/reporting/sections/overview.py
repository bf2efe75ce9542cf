"""Adverse events at a glance, with exact intervals."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    return Section("overview", "Adverse events: overview", {"table": material.tables["overview"]}, flows=True)
