"""Related events: by the investigator's overall opinion, and per component of the combination."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    tables = material.tables
    parts = [("Related to study treatment (any component)", tables["related_ae_soc_pt_worst_grade"])]
    for component in material.settings.components:
        if (table := tables.get(f"related_{component.name}_soc_pt_worst_grade")) is not None:
            parts.append((f"Related to {component.name}", table))
    return Section("related", "Related events, overall and per component", {"parts": parts})
