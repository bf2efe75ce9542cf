"""Deaths from any cause, within and after 30 days of the last treatment."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    table = material.tables["deaths"]
    dispositions = material.snapshot.frames.get("dispositions")
    causes: dict[str, str] = {}
    if dispositions is not None:
        for row in dispositions.iter_rows(named=True):
            if row["dsdecod"] == "DEATH" and row["dsterm"]:
                causes[row["usubjid"]] = row["dsterm"].removeprefix("DEATH - ").capitalize()
    rows = [row | {"cause": causes.get(row["USUBJID"])} for row in table.frame.iter_rows(named=True)]
    return Section("deaths", "Deaths", {"table": table, "rows": rows})
