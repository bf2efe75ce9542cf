"""Treatment-emergent events by organ class and term, each subject once at the worst grade."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study


def section(material: Material) -> Section:
    table = material.tables["ae_soc_pt_worst_grade"]
    return Section(
        "terms",
        "Adverse events by organ class, term and worst grade",
        {"table": table, "rows": table.frame.to_dicts(), "since": Study(material.snapshot).last_report},
    )
