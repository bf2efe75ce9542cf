"""Related events: by the investigator's overall opinion, and per component of the combination."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    overall = material.tables["related_ae_soc_pt_worst_grade"]
    parts = [("Related to study treatment (any component)", overall)]
    for component in material.settings.components:
        table = material.tables.get(f"related_{component.name.lower()}_soc_pt_worst_grade")
        if table is not None and not table.frame.equals(overall.frame):  # a single component would repeat it
            parts.append((f"Related to {component.name}", table))
    return Section("related", "Related events, overall and per component", {"parts": parts})
