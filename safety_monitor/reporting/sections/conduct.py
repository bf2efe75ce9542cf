"""Sites and data quality: what each site reports and how completely, its rates against chance, and what is still open there."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.wording import t

#: How many open questions are printed; the CSV beside the tables has all of them.
N_SHOWN = 40


def section(material: Material) -> Section:
    queries = material.snapshot.frames["queries"]
    if "opened_on" not in queries.columns:  # a snapshot of earlier versions
        queries = queries.with_columns(pl.lit(None, pl.Date).alias("opened_on"))
    funnel, overdue = material.tables["site_funnel"], material.tables["overdue"]
    sites = [site for site in overdue.frame["SITEID"].unique().sort().to_list() if site != "ALL"]
    return Section(
        "conduct",
        "Sites and data quality",
        {
            "sites": material.tables["sites"],
            "funnel": funnel,
            "outside": funnel.frame.drop_nulls("outside").to_dicts(),
            "picture": _funnel(funnel.frame),
            "overdue": overdue,
            "items": _by_item(overdue.frame, sites),
            "overdue_sites": sites,
            "reconciliation": material.tables["reconciliation"],
            "draft_from": material.settings.episodes.draft_from,
            "ages": material.tables["query_ages"],
            "by_owner": _by_owner(material.tables["query_ages"].frame),
            "checks": material.tables["query_checks"],
            "queries": queries.head(N_SHOWN).to_dicts(),
            "n_queries": queries.height,
            "n_shown": min(N_SHOWN, queries.height),
        },
    )


def _funnel(frame: pl.DataFrame) -> figures.Figure | None:
    panels = []
    for measure in frame["measure"].unique(maintain_order=True):
        own = frame.filter(measure=measure).filter(pl.col("person_years") > 0)
        sites = [
            (row["SITEID"], row["person_years"], row["rate"], row["outside"] is not None) for row in own.iter_rows(named=True)
        ]
        panels.append((t(measure), own["pooled"][0] if own.height else None, sites))
    return figures.site_funnel(panels) if any(sites for _, _, sites in panels) else None


def _by_owner(frame: pl.DataFrame) -> dict[str, Any]:
    """Ages in their order, and for each owner the questions of each age."""
    ages = [age for age in frame["age"].unique(maintain_order=True) if age != "Any age"]
    rows = []
    for owner in frame["owner"].unique(maintain_order=True):
        counts = dict(frame.filter(owner=owner).select("age", "questions").iter_rows())
        total = frame.filter(owner=owner, age="Any age")
        rows.append({"owner": owner, "counts": [counts.get(age, 0) for age in ages], "total": total.to_dicts()[0]})
    return {"ages": ages, "rows": rows}


def _by_item(overdue: pl.DataFrame, sites: list[str]) -> list[dict[str, Any]]:
    """One row per item: over all, and the records of each site."""
    found = []
    for row in overdue.filter(SITEID="ALL").iter_rows(named=True):
        own = dict(overdue.filter(item=row["item"]).select("SITEID", "records").iter_rows())
        found.append(row | {"by_site": [own.get(site, 0) for site in sites]})
    return found
