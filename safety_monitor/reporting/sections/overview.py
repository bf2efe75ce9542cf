"""Adverse events at a glance, with exact intervals: since the last report, and all."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study


def section(material: Material) -> Section:
    study = Study(material.snapshot)
    values = {"table": material.tables["overview_interval"], "n": study.n, "since": study.last_report}
    return Section("overview", "Adverse events: overview", values, flows=True)
