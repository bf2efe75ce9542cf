"""Serious events by organ class and term: since the last report, and all."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study


def section(material: Material) -> Section:
    values = {"table": material.tables["sae_soc_pt_interval"], "since": Study(material.snapshot).last_report}
    return Section("serious_terms", "Serious adverse events by organ class and term", values)
