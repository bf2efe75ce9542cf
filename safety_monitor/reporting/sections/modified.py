"""Events that led to a drug being stopped, interrupted or reduced."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    table = material.tables["ae_actions_soc_pt"]
    blocks: dict[str | None, list[dict[str, Any]]] = {}
    for row in table.frame.iter_rows(named=True):
        blocks.setdefault(row["component"], []).append(row)
    values = {"table": table, "blocks": list(blocks.items()), "several": len(material.settings.components) > 1}
    return Section("modified", "Events leading to discontinuation or change of dose", values)
