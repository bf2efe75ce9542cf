"""What a board member reads first: where the trial stands and what needs a decision."""

from __future__ import annotations

import polars as pl

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.rules.stopping import counted_event


def section(material: Material) -> Section:
    frames, tables = material.snapshot.frames, material.tables
    overview = {row["row"]: row for row in tables["overview"].frame.iter_rows(named=True)}
    subjects, events = frames["subjects"], frames["events"]
    rules = [
        rule | {"label": counted_event(rule["event"]).says} for rule in tables["stopping"].frame.iter_rows(named=True)
    ]
    hys_law = tables["hys_law"]
    unmatched = events.filter(pl.col("serious") & ~pl.col("serious_as_flagged")).height
    return Section(
        "summary",
        "Summary",
        {
            "n_screened": subjects.height,
            "n_treated": int(subjects["treated"].sum()),
            "n_sites": subjects["siteid"].n_unique(),
            "n_planned": material.settings.accrual.planned,
            "overview": overview,
            "rules": rules,
            "stopping": tables["stopping"],
            "hys_law": hys_law,
            "n_hys_law": hys_law.frame.filter(pl.col("peak_candidate")).height,
            "n_serious_not_flagged": unmatched,
            "n_queries": frames["queries"].height,
            "n_missing_grade": events.filter(pl.col("treated") & pl.col("grade").is_null()).height,
        },
    )
