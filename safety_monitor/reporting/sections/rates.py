"""Exposure-adjusted rates per 100 person-years with exact Poisson intervals."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section

_LABELS = {
    "Any TEAE": "Any treatment-emergent adverse event (TEAE)",
    "SAE": "Serious TEAE, flagged by the site (AESER = Y)",
    "Grade >=3": "TEAE of grade ≥ 3",
    "Related": "TEAE related to study treatment",
}


def section(material: Material) -> Section:
    values = {"table": material.tables["exposure_adjusted"], "labels": _LABELS}
    return Section("rates", "Exposure-adjusted rates", values, flows=True)
