"""Related events: by the investigator's overall opinion, per component of the combination, and after the window."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.wording import words


def section(material: Material) -> Section:
    overall = material.tables["related_ae_soc_pt_worst_grade"]
    parts = [(words("Related to study treatment (any component)"), overall)]
    for component in material.settings.components:
        table = material.tables.get(f"related_{component.name.lower()}_soc_pt_worst_grade")
        if table is not None and not table.frame.equals(overall.frame):  # a single component would repeat it
            parts.append((words("Related to {component}", component=component.name), table))
    late = material.tables["post_window_related_soc_pt_worst_grade"]
    values = {"parts": parts, "late": late, "since": Study(material.snapshot).last_report}
    return Section("related", "Related events, overall and per component", values)
