"""What the safety officer reads first: reports that are due, what was told in the period and who has read it, where the trial
stands."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.rules.stopping import counted_event

_LINES = PAGES["weekly"]


def section(material: Material) -> Section:
    frames, tables = material.snapshot.frames, material.tables
    clocks, alerts = frames["clocks"], frames["alerts"]
    running = clocks.filter(pl.col("state") == "running").sort("due_at", "usubjid", "rule_id")
    ended = clocks.filter(pl.col("state") != "running").sort(
        "late", "due_at", "usubjid", "rule_id", descending=[True, True, False, False]
    )
    if "in_period" in ended.columns:  # older snapshots do not know when a clock ended
        ended = ended.filter("in_period")
    cases = frames["episodes"].filter(pl.col("case_state").is_in(["draft", "confirmed"])) if "episodes" in frames else None
    unread = alerts.filter(pl.col("acknowledged") == 0)
    return Section(
        "watch",
        "What is due, what was told, what is open",
        {
            "standing": frames["standing"].to_dicts()[0],
            "running": running.head(_LINES["clocks"]).to_dicts(),
            "n_running": running.height,
            "n_overdue": int(running["late"].sum()),
            "ended": ended.head(_LINES["ended"]).to_dicts(),
            "n_ended": ended.height,
            "told": _by_kind(alerts),
            "n_alerts": alerts.height,
            "unread": unread.sort("at", descending=True, maintain_order=True).head(_LINES["unread"]).to_dicts(),
            "n_unread": unread.height,
            "drafts": frames["drafts"].to_dicts(),
            "cases": cases.to_dicts() if cases is not None else [],
            "n_queries": frames["queries"].height,
            "jurisdictions": material.settings.jurisdictions,
            "rules": [row | {"label": counted_event(row["event"]).says}
                      for row in tables["stopping"].frame.iter_rows(named=True)],
            "n_hys_law": None if tables["hys_law"].not_collected
            else tables["hys_law"].frame.filter(pl.col("peak_candidate")).height,
        },
    )  # fmt: skip


def _by_kind(alerts: pl.DataFrame) -> list[dict[str, Any]]:
    """What was told, by rule: alerts, mails, those that somebody has acknowledged."""
    return (
        alerts.group_by("rule_id", maintain_order=True)
        .agg(n=pl.len(), recipients=pl.col("recipients").sum(), sent=pl.col("sent").sum(),
             unread=(pl.col("acknowledged") == 0).sum())
        .sort("n", "rule_id", descending=[True, False])
        .to_dicts()
    )  # fmt: skip
