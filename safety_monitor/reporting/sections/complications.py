"""Complications of the procedure, per session and per subject."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study


def section(material: Material) -> Section:
    table, kinds = material.tables["procedure_complications"], material.tables["procedure_complications_by"]
    counted = table.frame.height > 0
    values = {
        "table": table,
        "kinds": kinds,
        "n_sessions": table.frame["N_sessions"][0] if counted else None,
        "n_subjects": table.frame["N_subjects"][0] if counted else None,
        "since": Study(material.snapshot).last_report,
    }
    return Section("complications", "Complications of the procedure", values)
