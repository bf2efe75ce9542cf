"""Treatment-emergent events by organ class and term, each subject once at the worst grade."""

from __future__ import annotations

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.pictures import embedded
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.stats.incidence import clopper_pearson

#: How many terms the dot plot shows; the table has all of them.
N_SHOWN = 15


def section(material: Material) -> Section:
    table = material.tables["ae_soc_pt_worst_grade"]
    n_treated = int(material.snapshot.frames["subjects"]["treated"].sum())
    frequent = (
        table.frame.filter(pl.col("level") == 2).sort(["n", "PT"], descending=[True, False]).head(N_SHOWN)
    )
    picture = None
    if frequent.height and n_treated:
        rows = []
        for row in frequent.iter_rows(named=True):
            interval = clopper_pearson(row["n"], n_treated)
            assert interval is not None  # somebody was treated
            rows.append((row["PT"], row["pct"], 100 * interval.lower, 100 * interval.upper, row["ge3_pct"]))
        picture = figures.term_dots(rows)
    return Section(
        "terms",
        "Adverse events by organ class, term and worst grade",
        {"table": table, "rows": table.frame.to_dicts(), "picture": picture and embedded(picture)},
    )

