"""Serious events of the week: those that are new or changed since the last report, and those that are still open.

New without an earlier report: an onset in the period.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.vocabulary import Seriousness

_LINES: int = PAGES["weekly"]["serious"]
_CRITERIA = {
    Seriousness.DEATH: "death", Seriousness.LIFE_THREATENING: "life-threatening",
    Seriousness.HOSPITALISATION: "hospitalisation", Seriousness.DISABILITY: "disability",
    Seriousness.CONGENITAL_ANOMALY: "congenital anomaly", Seriousness.MEDICALLY_IMPORTANT: "medically important",
}  # fmt: skip


def section(material: Material) -> Section:
    frames, tables = material.snapshot.frames, material.tables
    standing = frames["standing"].to_dicts()[0]
    today = date.fromisoformat(standing["until"][:10])
    last = frames["last_report"].to_dicts()[0] if "last_report" in frames else None
    serious = frames["events"].filter("serious").sort("onset_on", "usubjid", "aeseq", descending=[True, False, False])
    changes = {(row["USUBJID"], row["AESEQ"]): row for row in tables["since_last_events"].frame.iter_rows(named=True)}
    rows = [_row(event, changes.get((event["usubjid"], event["aeseq"])), today) for event in serious.iter_rows(named=True)]
    since = date.fromisoformat(standing["since"][:10])
    if last is None:
        news = [row | {"change": "new"} for row in rows if row["onset_on"] and row["onset_on"] >= since]
    else:
        news = [row for row in rows if row["change"]]
    still = [row for row in rows if row["aeout"] not in PAGES["weekly"]["closed_outcomes"] and not row["fatal"]]
    return Section(
        "week_serious",
        "Serious events",
        {
            "standing": standing,
            "last": last,
            "moved": tables["since_last_report"].frame.to_dicts(),
            "moved_table": tables["since_last_report"],
            "news": news[:_LINES],
            "n_news": len(news),
            "open": still[:_LINES],
            "n_open": len(still),
            "deaths": _deaths(frames, since if last is None else None, last),
        },
        flows=True,
    )


def _row(event: dict[str, Any], change: dict[str, Any] | None, today: date) -> dict[str, Any]:
    """An event with what it was; one that was not serious before is new among the serious ones."""
    kind = change and change["change"]
    if change and kind == "changed" and not change["serious_before"]:
        kind = "new"
    return event | {
        "criteria": [label for criterion, label in _CRITERIA.items() if event[criterion.value]],
        "change": kind,
        "was": change if kind == "changed" else None,
        "days_open": (today - event["onset_on"]).days if event["onset_on"] else None,
        "susar": event.get("susar"),
    }


def _deaths(frames: Any, since: date | None, last: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Deaths since that day, or after the last report's."""
    after = since or (last and (last["cutoff"] or last["issued_on"]))
    dead = frames["subjects"].filter(pl.col("dthfl").fill_null(False))
    found = dead.filter(pl.col("death_on").is_null() | (pl.col("death_on") >= after)) if after else dead
    rows: list[dict[str, Any]] = found.select("usubjid", "siteid", "death_on", "last_treatment_on").sort("death_on").to_dicts()
    return rows
