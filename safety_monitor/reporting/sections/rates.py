"""Exposure-adjusted rates per 100 person-years with exact Poisson intervals."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    return Section("rates", "Exposure-adjusted rates", {"table": material.tables["exposure_adjusted"]}, flows=True)
