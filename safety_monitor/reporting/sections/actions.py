"""What the board asked for: every open item, and once more those closed since the last report, with what became of them."""

from __future__ import annotations

import polars as pl

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    items = material.snapshot.frames.get("actions")
    last = material.snapshot.frames.get("last_report")
    is_open = pl.col("closed_on").is_null()
    return Section(
        "actions",
        "Action items of the board",
        {
            "kept": items is not None,
            "open": [] if items is None else items.filter(is_open).sort("due", "number").to_dicts(),
            "closed": [] if items is None else items.filter(~is_open).sort("closed_on", "number").to_dicts(),
            "has_last": last is not None,
        },
        flows=True,
    )
