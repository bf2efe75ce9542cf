"""What the safety officer reads first: reports that are due, what was told in the period and who has read it, where the trial
stands."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.stopping_words import label_of
from safety_monitor.reporting.wording import language
from safety_monitor.rules import duties

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
            "duties": _said(running.head(_LINES["clocks"]), ended.head(_LINES["ended"])),
            "told": _by_kind(alerts),
            "n_alerts": alerts.height,
            "unread": [row | {"name": named(row["rule_id"])} for row in
                       unread.sort("at", descending=True, maintain_order=True).head(_LINES["unread"]).iter_rows(named=True)],
            "n_unread": unread.height,
            "drafts": frames["drafts"].to_dicts(),
            "cases": cases.to_dicts() if cases is not None else [],
            "n_queries": frames["queries"].height,
            "jurisdictions": material.settings.jurisdictions,
            "rules": [row | {"label": label_of(rule)} for rule, row in
                      zip(material.settings.stopping, tables["stopping"].frame.iter_rows(named=True), strict=True)],
            "n_hys_law": None if tables["hys_law"].not_collected
            else tables["hys_law"].frame.filter(pl.col("peak_candidate")).height,
        },
    )  # fmt: skip


def _said(*clocks: pl.DataFrame) -> dict[str, str]:
    """The reporting rules of these clocks in the reader's language, by the id that the tables print."""
    found = {rule_id: duties.rule(rule_id) for shown in clocks for rule_id in sorted(set(shown["rule_id"]))}
    return {rule_id: rule.says[language()] for rule_id, rule in sorted(found.items()) if rule is not None}


def named(rule_id: str) -> str:
    """The rule of an alert as people write it.

    >>> named("hys_law_candidate"), named("susar_suspected"), named("new_serious_event")
    ('Hy’s law candidate', 'SUSAR suspected', 'new serious event')
    """
    return rule_id.replace("_", " ").replace("hys law", "Hy’s law").replace("susar", "SUSAR")


def _by_kind(alerts: pl.DataFrame) -> list[dict[str, Any]]:
    """What was told, by rule: alerts, mails, those that somebody has acknowledged."""
    told = (
        alerts.group_by("rule_id", maintain_order=True)
        .agg(n=pl.len(), recipients=pl.col("recipients").sum(), sent=pl.col("sent").sum(),
             unread=(pl.col("acknowledged") == 0).sum())
        .sort("n", "rule_id", descending=[True, False])
    )  # fmt: skip
    return [row | {"name": named(row["rule_id"])} for row in told.iter_rows(named=True)]
