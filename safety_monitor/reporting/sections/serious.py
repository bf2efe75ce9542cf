"""Every serious event in one landscape listing, whenever it began."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.vocabulary import ComponentKind, Seriousness

_SHORT = {
    Seriousness.DEATH: "death", Seriousness.LIFE_THREATENING: "life-threatening",
    Seriousness.HOSPITALISATION: "hospitalisation", Seriousness.DISABILITY: "disability",
    Seriousness.CONGENITAL_ANOMALY: "congenital anomaly", Seriousness.MEDICALLY_IMPORTANT: "medically important",
}  # fmt: skip


def section(material: Material) -> Section:
    frames = material.snapshot.frames
    first = dict(frames["subjects"].select("usubjid", "first_treatment_on").iter_rows())
    procedures = {c.name for c in material.settings.components if c.kind is ComponentKind.PROCEDURE}
    sessions = frames["exposures"].filter(pl.col("component").is_in(list(procedures)))
    rows = [
        _row(event, first.get(event["usubjid"]), sessions, material)
        for event in frames["events"].filter(pl.col("serious")).iter_rows(named=True)
    ]
    names = [component.name for component in material.settings.components]
    return Section(
        "serious",
        "Serious adverse events: listing",
        {"rows": rows, "components": names, "has_procedure": bool(procedures), "table": material.tables["sae_listing"],
         "advice": _advice(material), "advice_table": material.tables["dose_advice"],
         "criteria": frames["criteria"].to_dicts() if "criteria" in frames else []},
        landscape=True,
    )


def _advice(material: Material) -> list[dict[str, Any]]:
    """One entry per serious event that has advice or is an immune-mediated candidate, with its lines."""
    flags = {(row["usubjid"], row["aeseq"]): row for row in material.tables["immune_events"].frame.iter_rows(named=True)}
    lines: dict[tuple[str, int], list[str]] = {}
    entries: dict[tuple[str, int], dict[str, Any]] = {}
    for name in ("dose_advice", "immune_events"):
        for row in material.tables[name].frame.filter("serious").iter_rows(named=True):
            key = row["usubjid"], row["aeseq"]
            entries[key] = row | {"flag": flags.get(key)}
            lines.setdefault(key, []).extend([row["line"]] if "line" in row else [])
    return [entries[key] | {"lines": lines[key]} for key in sorted(entries)]


def _row(event: dict[str, Any], first: date | None, sessions: pl.DataFrame, material: Material) -> dict[str, Any]:
    onset = event["onset_on"]
    before = sessions.filter((pl.col("usubjid") == event["usubjid"]) & (pl.col("start_on") <= onset)) if onset else None
    last_session = before["start_on"].max() if before is not None and before.height else None
    leading = event["leading"]
    return event | {
        "criteria": [label for criterion, label in _SHORT.items() if event[criterion.value]],
        "day": _study_day(onset, first),
        "since_procedure": (onset - last_session).days if isinstance(last_session, date) and onset else None,
        "opinions": [(c.name, event[f"investigator_{c.name}"]) for c in material.settings.components],
        "leading_share": event[f"share_{leading}"] if leading else None,
        "leading_level": event[f"level_{leading}"] if leading else None,
    }


def _study_day(onset: date | None, first: date | None) -> int | None:
    """SDTM study day: first treatment is day 1, there is no day 0."""
    if onset is None or first is None:
        return None
    days = (onset - first).days
    return days + 1 if days >= 0 else days
