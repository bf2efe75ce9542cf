"""Deaths from any cause, within and after 30 days of the last treatment: counted, and listed."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study
from safety_monitor.reporting.tables.base import COUNTING

_FATAL = {
    "related": "With a fatal event that is related",
    "not related": "With a fatal event that is not related",
    "none": "Without a fatal event reported",
}


def section(material: Material) -> Section:
    table = material.tables["deaths"]
    values = {
        "table": table,
        "rows": table.frame.to_dicts(),
        "summary": material.tables["deaths_summary"],
        "fatal_labels": _FATAL,
        "window": COUNTING["death_window"]["days_after_last"],
        "since": Study(material.snapshot).last_report,
    }
    return Section("deaths", "Deaths", values)
