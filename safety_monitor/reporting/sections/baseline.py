"""Demography and baseline characteristics of the treated subjects."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    table = material.tables["baseline"]
    blocks: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for row in table.frame.iter_rows(named=True):
        blocks.setdefault(row["block"], {}).setdefault(row["variable"], []).append(row)
    n_treated = int(material.snapshot.frames["subjects"]["treated"].sum())
    return Section("baseline", "Demography and baseline characteristics", {"table": table, "blocks": blocks, "n": n_treated})
