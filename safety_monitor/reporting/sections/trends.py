"""Laboratory values over time, one small plot a test."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import Study, overtime
from safety_monitor.reporting.wording import t


def section(material: Material) -> Section:
    table, study, least = material.tables["lab_over_time"], Study(material.snapshot), overtime.RULES["least"]
    found = [(test, _panel(test, study, table.frame)) for test in overtime.RULES["tests"]]
    panels = [panel for _, panel in found if panel is not None]
    absent = [t(test["name"]) for test, panel in found if panel is None]
    picture = figures.small_multiples(panels, least) if panels else None
    return Section("trends", "Laboratory values over time", {
        "table": table, "picture": picture, "absent": ", ".join(absent), "least": least,
        "many": any(panel.many for panel in panels), "left_out": table.frame["left_out"].sum() if table.frame.height else 0,
    })  # fmt: skip


def _panel(test: dict[str, Any], study: Study, frame: pl.DataFrame) -> figures.Panel | None:
    """The plot of *test*; None where too few subjects have it."""
    periods = frame.filter(pl.col("LBTESTCD") == test["code"])
    if periods.filter(pl.col("n") >= overtime.RULES["least"]).is_empty():
        return None
    points = overtime.values(study, test)
    labels = {"lln": t("LLN"), "uln": t("ULN")}
    lines = [(value, labels[limit]) for limit in test["limits"] if (value := _usual(points[limit]))]
    many = study.n > overtime.RULES["individuals_up_to"]
    unit = test.get("shown", test["unit"])
    return figures.Panel(t(test["name"]), unit, points, periods, lines, test.get("scale") == "log", many)


def _usual(limits: pl.Series) -> float | None:
    """The limit of most results; of several the lowest."""
    known = limits.drop_nulls()
    return None if known.is_empty() else float(known.mode().sort()[0])
