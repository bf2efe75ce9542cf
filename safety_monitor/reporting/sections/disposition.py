"""Disposition: the flow of subjects, what became of each component, and the same by site."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.codelists import said
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.wording import t
from safety_monitor.vocabulary import ComponentKind

#: Rows of ``exposure_components`` that the boxes of the components show.
_IN_BOX = ("Going on", "Ended", "Ended before the treatment as a whole", "Held at least once", "Reduced at least once")


def section(material: Material) -> Section:
    table = material.tables["disposition"]
    rows = table.frame.to_dicts()
    picture = figures.flow(*_boxes(material, rows)) if rows and rows[0]["n"] else None
    return Section(
        "disposition",
        "Disposition",
        {"picture": picture, "table": table, "rows": rows, "by_site": material.tables["disposition_sites"]},
    )  # fmt: skip


def _boxes(material: Material, rows: list[dict[str, Any]]) -> tuple[Any, ...]:
    count = {(row["row"], row["reason"]): row["n"] for row in rows}

    def box(name: str, strong: bool = False) -> figures.Box:
        reasons = [f"{said(row['reason'])}: {row['n']}" for row in rows if row["row"] == name and row["reason"]]
        return figures.Box(f"{t(name)}: {count[name, None]}", tuple(reasons), strong)

    outcomes = [box(name) for name in ("Treatment going on, or no end on record", "Treatment ended", "Died, of any cause")]
    components = [_component(material, c.name, c.kind) for c in material.settings.components]
    return box("Screened"), box("Not treated"), box("Treated", True), [each for each in components if each], outcomes


def _component(material: Material, name: str, kind: ComponentKind) -> figures.Box | None:
    own = material.tables["exposure_components"].frame.filter(component=name)
    if own.is_empty():
        return None
    counts = {row: n for row, value, n in own.select("row", "value", "n").iter_rows() if value is None and n is not None}
    heading = t("{component}: given to {n}", component=name, n=counts["Subjects given"])
    if kind is ComponentKind.PROCEDURE:
        total = own.filter(row="Sessions").filter(pl.col("total").is_not_null())["total"]
        return figures.Box(heading, (t("Sessions: {n}", n=int(total[0])),) if total.len() else ())
    return figures.Box(heading, tuple(f"{t(row)}: {counts[row]}" for row in _IN_BOX if row in counts))
