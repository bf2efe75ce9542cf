"""Liver safety: eDISH in multiples of ULN and of baseline, and the subjects who meet the numbers of Hy's law."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import edish
from safety_monitor.reporting.tables.measured import MEASURED
from safety_monitor.reporting.wording import t

QUADRANTS = {
    edish.HYS: "Possible Hy’s law: both", edish.TEMPLE: "Temple’s corollary: ALT or AST alone",
    edish.CHOLESTASIS: "Cholestasis: bilirubin alone", edish.NORMAL: "Neither",
    edish.NOT_MEASURED: "Not measured after first treatment", edish.STARTS_NORMAL: "Starts normal: not in this plot",
}  # fmt: skip
NEEDS = {"alp": "ALP"}
DEFINITIONS = {"usual": "usual", "abnormal_baseline": "abnormal baseline", "both": "both definitions"}


def section(material: Material) -> Section:
    tables, days = material.tables, MEASURED["ablation"]["days_after"]
    peaks, listing, screen = tables["edish_peaks"], tables["hys_law"], tables["liver_screen"]
    multiples = tables["edish_baseline_multiples"]
    abnormal = multiples.frame.filter(pl.col("starts_abnormal"))
    picture = figures.edish(peaks.frame, edish.ULN_LIMITS, "ULN", days) if peaks.frame.height else None
    second = figures.edish(abnormal, edish.BASELINE_LIMITS, "baseline", days) if abnormal.height else None
    return Section("liver", "Liver safety", {
        "peaks": peaks, "listing": listing, "screen": screen, "days": days, "multiples": multiples,
        "limits": edish.ULN_LIMITS, "baseline_limits": edish.BASELINE_LIMITS,
        "quadrants": _quadrants(tables["edish_quadrants"].frame), "quadrant_table": tables["edish_quadrants"],
        "candidates": listing.frame.filter("peak_candidate").to_dicts(),
        "screened": [_told(row) for row in _once(screen.frame.filter("candidate").to_dicts())],
        "picture": picture, "second": second,
    })  # fmt: skip


def _quadrants(frame: pl.DataFrame) -> list[tuple[str, list[dict[str, Any] | None]]]:
    """Each quadrant with its four cells: of ULN and of baseline, all results and those away from ablation."""
    cells = {(row["quadrant"], row["multiple_of"], row["results"]): row for row in frame.iter_rows(named=True)}
    columns = [(multiple, results) for multiple in ("ULN", "baseline") for results in (edish.ALL, edish.AWAY)]
    return [(label, [cells.get((place, *column)) for column in columns]) for place, label in QUADRANTS.items()]


def _once(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """*rows* with those that differ in their definition alone as one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if name != "definition")
        found[key] = row | {"definition": "both"} if key in found else row
    return list(found.values())


def _told(row: dict[str, Any]) -> dict[str, Any]:
    needs = [t(NEEDS.get(part, part)) for part in row["needs"].split(", ") if part]
    pattern = t(row["pattern"]) if row["pattern"] else None
    return row | {"definition": t(DEFINITIONS[row["definition"]]), "needs": ", ".join(needs), "pattern": pattern}
