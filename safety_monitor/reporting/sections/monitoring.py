"""Stopping rules: where the trial stands against each configured boundary."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting import figures
from safety_monitor.reporting.pictures import embedded
from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    table = material.tables["stopping"]
    bounds = material.tables.get("stopping_boundary")
    rules: list[dict[str, Any]] = []
    for rule in table.frame.to_dicts():
        rows = [] if bounds is None else bounds.frame.filter(rule=rule["rule"]).to_dicts()
        steps = [(row["n"], row["boundary"]) for row in rows if row["boundary"] is not None]
        picture = (
            figures.stopping_boundary(steps, rule["n_treated"], rule["n_events"], rule["n_max"], rule["label"]) if steps else None
        )
        rules.append(rule | {"picture": picture and embedded(picture), "steps": steps})
    return Section("monitoring", "Stopping rules", {"table": table, "rules": rules})
