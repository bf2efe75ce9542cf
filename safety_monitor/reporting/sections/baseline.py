"""Demography and baseline characteristics of the treated subjects."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section

#: Block, variable, and the rows of that.
Blocks = dict[str, dict[str, list[dict[str, Any]]]]


def section(material: Material) -> Section:
    table = material.tables["baseline"]
    blocks: Blocks = {}
    for row in table.frame.iter_rows(named=True):
        blocks.setdefault(row["block"], {}).setdefault(row["variable"], []).append(row)
    n_treated = int(material.snapshot.frames["subjects"]["treated"].sum())
    values = {"table": table, "columns": _columns(blocks), "n": n_treated}
    return Section("baseline", "Demography and baseline characteristics", values)


def _columns(blocks: Blocks) -> list[Blocks]:
    """*blocks* in two columns as equal as may be; in one where those would not fit on a page."""
    heights = [
        1 + sum(len(rows) + (rows[0]["level"] != "Median") for rows in variables.values()) for variables in blocks.values()
    ]
    cut = min(range(1, len(heights) + 1), key=lambda cut: max(sum(heights[:cut]), sum(heights[cut:])), default=0)
    if max(sum(heights[:cut]), sum(heights[cut:])) > PAGES["baseline"]["column"]:
        return [blocks]
    named = list(blocks.items())
    return [dict(named[:cut]), dict(named[cut:])]
