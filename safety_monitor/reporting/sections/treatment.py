"""Exposure per component: how long, how much, how often held, reduced and given again."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section

#: Weeks that the figure of the doses shows.
_WEEKS = 104


def section(material: Material) -> Section:
    table, each = material.tables["exposure_components"], material.tables["exposure_subjects"]
    parts = []
    for component in material.settings.components:
        own = table.frame.filter(component=component.name)
        if own.height:
            rows = own.to_dicts()
            measured = [row for row in rows if row["known"] is not None]
            counted = [row for row in rows if row["known"] is None]
            basis = _basis(each.frame.filter(component=component.name))
            picture = _picture(material, component.name)
            parts.append({"component": component, "measured": measured, "counted": counted, "picture": picture, "basis": basis})
    return Section("treatment", "Exposure to each component", {"table": table, "each": each, "parts": parts})


def _basis(own: pl.DataFrame) -> dict[str, int]:
    """How many subjects' intensity is against the dose by body weight, and against the first dose."""
    return {
        source or "": n
        for source, n in own.drop_nulls("intended_from").group_by("intended_from").len().sort("intended_from").iter_rows()
    }


def _picture(material: Material, component: str) -> figures.Figure | None:
    frame = material.tables["dose_levels"].frame.filter(component=component).filter(pl.col("week") <= _WEEKS)
    if frame.is_empty():
        return None
    weeks = sorted(set(frame["week"].to_list()))
    counts: dict[str, dict[int, int]] = {}
    for week, dose, n in frame.select("week", "dose", "n").iter_rows():
        counts.setdefault(dose, {})[week] = n

    def over_time(name: str) -> list[int]:
        return [counts.get(name, {}).get(week, 0) for week in weeks]

    doses = sorted((dose for dose in counts if dose not in ("held", "ended")), key=_amount, reverse=True)
    levels: dict[str, Any] = {dose: over_time(dose) for dose in doses[:4]}
    return figures.dose_levels(component, weeks, levels, over_time("held"), over_time("ended"))


def _amount(dose: str) -> float:
    first = dose.partition(" ")[0]
    try:
        return float(first)
    except ValueError:
        return 0.0
