"""Questions to the sites: how many each has open, new and answered, how old they are, and the oldest in words."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section

_LINES: int = PAGES["weekly"]["questions"]


def section(material: Material) -> Section:
    questions = material.snapshot.frames.get("questions")
    values: dict[str, Any] = {"kept": questions is not None, "sites": [], "rows": [], "total": None}
    if questions is not None:
        sums = [
            pl.len().alias("n"), (pl.col("state") == "answered").sum().alias("answered"), pl.col("in_period").sum().alias("new"),
            pl.col("age_days").median().alias("median"), pl.col("age_days").max().alias("oldest"),
        ]  # fmt: skip
        values |= {
            "sites": questions.group_by("siteid").agg(sums).sort("siteid", nulls_last=True).to_dicts(),
            "owners": questions.group_by("owner").agg(pl.len().alias("n")).sort("owner").to_dicts(),
            "total": questions.select(sums).to_dicts()[0],
            "rows": questions.sort("age_days", "number", descending=[True, False]).head(_LINES).to_dicts(),
        }
    return Section("week_queries", "Questions to the sites", values, flows=True)
