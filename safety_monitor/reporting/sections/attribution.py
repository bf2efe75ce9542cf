"""Attribution: the investigators' opinions beside the system's, and how far they agree."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    values = {"table": material.tables["attribution_agreement"], "apart": material.tables["attribution_disagreements"]}
    return Section("attribution", "Attribution to the components", values, flows=True)
