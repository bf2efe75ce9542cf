"""Conduct: accrual and data quality by site, and what is still open there."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section

#: How many open questions are printed; the CSV beside the tables has all of them.
N_SHOWN = 40


def section(material: Material) -> Section:
    queries = material.snapshot.frames["queries"]
    return Section(
        "conduct",
        "Sites and data quality",
        {
            "sites": material.tables["sites"],
            "reconciliation": material.tables["reconciliation"],
            "draft_from": material.settings.episodes.draft_from,
            "queries": queries.head(N_SHOWN).to_dicts(),
            "n_queries": queries.height,
            "n_shown": min(N_SHOWN, queries.height),
        },
    )
