"""Liver function over time: ALBI and Child-Pugh, from baseline to worst; rises of HBV DNA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study, liver, overtime
from safety_monitor.reporting.wording import t

LEVELS = {"ALBI grade": ("1", "2", "3"), "Child-Pugh class": ("A", "B", "C")}
KINDS = {"hepatitis_flare": "hepatitis flare", "hbv_dna_rise": "rise of HBV DNA"}


def section(material: Material) -> Section:
    table, flares = material.tables["liver_function_change"], material.tables["hbv_flares"]
    days = liver.function_days(Study(material.snapshot))
    return Section("liver_function", "Liver function: ALBI, Child-Pugh and hepatitis B", {
        "table": table, "flares": flares, "picture": _picture(days),
        "rises": [row | {"kind": t(KINDS[row["kind"]])} for row in flares.frame.iter_rows(named=True)],
        "matrices": [_matrix(measure, levels, table.frame) for measure, levels in LEVELS.items()] if table.frame.height else [],
    })  # fmt: skip


def _picture(days: pl.DataFrame | None) -> figures.Figure | None:
    """Share of subjects at each grade and class by period, a subject once at the worst of the period."""
    if days is None:
        return None
    dated = days.with_columns(week=pl.col("day") / 7)
    panels = []
    for title, column in (("ALBI grade", "albi_grade"), ("Child-Pugh class, at least", "class_low")):
        worst = overtime.placed(dated.with_columns(level=pl.col(column).cast(pl.String)).drop_nulls("level"))
        worst = worst.group_by("usubjid", "to_week").agg(pl.col("level").max())
        counts = worst.group_by("to_week", "level").agg(n=pl.len()).sort("to_week", "level")
        enough = pl.col("n").sum().over("to_week") >= overtime.RULES["least"]
        panels.append((t(title), counts.filter(enough)))
    if any(counts.is_empty() for _, counts in panels):
        return None
    return figures.levels_over_time(panels, list(LEVELS.values()))


def _matrix(measure: str, levels: Sequence[str], frame: pl.DataFrame) -> dict[str, Any]:
    own = frame.filter(pl.col("measure") == measure)
    counts = {(row["baseline"], row["worst"]): row["n"] for row in own.iter_rows(named=True)}
    columns = (*levels, "missing")
    rows = [(start, [(counts.get((start, end), 0), _direction(start, end)) for end in columns]) for start in columns]
    return {"title": measure, "columns": columns, "rows": rows}


def _direction(start: str, end: str) -> str:
    if "missing" in (start, end):
        return "missing"
    return "worse" if end > start else "same" if end == start else "better"
