"""Stopping rules: where the trial stands against each configured boundary, and what each rule does."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.pictures import embedded
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.rules.stopping import counted_event

_IDENTITY = ("event", "method", "p0", "phi", "n_max")


def section(material: Material) -> Section:
    tables = material.tables
    rules: list[dict[str, Any]] = []
    for rule in tables["stopping"].frame.iter_rows(named=True):
        identity = {name: rule[name] for name in _IDENTITY}
        bounds = tables["stopping_boundary"].frame.filter(**identity).drop_nulls("stop_at")
        operating = tables["stopping_operating"].frame.filter(**identity)
        label = counted_event(rule["event"]).says
        steps = list(bounds.select("n_treated", "stop_at").iter_rows())
        picture = None
        if steps:
            picture = figures.stopping_boundary(steps, rule["n_treated"], rule["n_events"], rule["n_max"], label)
        rules.append(
            rule
            | {
                "label": label,
                "picture": picture and embedded(picture),
                "bounds": _ranges(bounds),
                "operating": operating.to_dicts(),
            }
        )
    return Section(
        "monitoring",
        "Stopping rules",
        {"table": tables["stopping"], "operating": tables["stopping_operating"], "rules": rules},
    )


def _ranges(bounds: pl.DataFrame) -> list[tuple[str, int]]:
    """The boundary in words of n: ("4–6", 4) means that 4 events stop at 4, 5 and 6 subjects."""
    grouped = bounds.group_by("stop_at", maintain_order=True).agg(
        first=pl.col("n_treated").min(), last=pl.col("n_treated").max()
    )
    return [
        (str(first) if first == last else f"{first}–{last}", stop_at)
        for stop_at, first, last in grouped.iter_rows()
    ]
