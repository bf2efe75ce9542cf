"""Events of special interest: immune-mediated ones by organ, and the groups of the study."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study


def section(material: Material) -> Section:
    values = {"table": material.tables["special_interest"], "since": Study(material.snapshot).last_report}
    return Section("special", "Immune-mediated events and events of special interest", values, landscape=True)
