"""Blood pressure, QTc, thyroid and urine protein: worst category after first treatment."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables.worst import NOT_COLLECTED
from safety_monitor.reporting.wording import t


def section(material: Material) -> Section:
    table = material.tables["measurement_worst"]
    groups: dict[str, dict[str, Any]] = {}
    for row in table.frame.iter_rows(named=True):
        group = groups.setdefault(row["measurement"], {"name": row["measurement"], "unit": t(row["unit"]), "rows": []})
        group["rows"].append(row)
    measured = [group for group in groups.values() if group["rows"][0]["category"] != NOT_COLLECTED]
    absent = [t(group["name"]) for group in groups.values() if group not in measured]
    n = sum(row["n"] for row in measured[0]["rows"]) if measured else 0
    bars = [
        (f"{t(group['name'])} ({group['unit']})", [(t(row["category"]), row["n"], row["pct"] or 0.0) for row in group["rows"]])
        for group in measured
    ]
    picture = figures.category_bars(bars, n) if n else None
    return Section("measurements", "Blood pressure, ECG, thyroid and urine protein", {
        "table": table, "groups": measured, "absent": ", ".join(absent), "picture": picture,
    }, flows=table.not_collected is not None)  # fmt: skip
