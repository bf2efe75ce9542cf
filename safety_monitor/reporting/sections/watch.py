"""What the safety officer reads first: reports that are due, what was told in the period and who has read it, what is open."""

from __future__ import annotations

import polars as pl

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    frames = material.snapshot.frames
    clocks, alerts = frames["clocks"], frames["alerts"]
    running = clocks.filter(pl.col("state") == "running").sort("due_at", "usubjid", "rule_id")
    ended = clocks.filter(pl.col("state") != "running").sort("due_at", "usubjid", "rule_id", descending=[True, False, False])
    cases = frames["episodes"].filter(pl.col("case_state").is_in(["draft", "confirmed"])) if "episodes" in frames else None
    return Section(
        "watch",
        "What is due, what was told, what is open",
        {
            "standing": frames["standing"].to_dicts()[0],
            "running": running.to_dicts(),
            "n_overdue": int(running["late"].sum()),
            "ended": ended.to_dicts(),
            "n_late": int(ended["late"].sum()),
            "alerts": alerts.to_dicts(),
            "n_unread": alerts.filter(pl.col("acknowledged") == 0).height,
            "drafts": frames["drafts"].to_dicts(),
            "cases": cases.to_dicts() if cases is not None else [],
            "n_queries": frames["queries"].height,
            "jurisdictions": material.settings.jurisdictions,
        },
    )
