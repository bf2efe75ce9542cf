"""Laboratory shift: baseline grade against worst grade, one small matrix a term; terms of grade 0 throughout are only named."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.sections import Material, Section

GRADES = ("0", "1", "2", "3", "4", "missing")


def section(material: Material) -> Section:
    table = material.tables["lab_shift"]
    terms = {term: table.frame.filter(pl.col("term") == term) for term in table.frame["term"].unique(maintain_order=True)}
    quiet = [term for term, cells in terms.items() if cells.select("baseline", "worst").rows() == [("0", "0")]]
    matrices = [_matrix(term, cells) for term, cells in terms.items() if term not in quiet]
    return Section(
        "shifts", "Laboratory results: shift from baseline",
        {"table": table, "matrices": matrices, "grades": GRADES, "quiet": "; ".join(quiet)},
    )  # fmt: skip


def _matrix(term: str, cells: pl.DataFrame) -> dict[str, Any]:
    counts = {(str(row["baseline"]), str(row["worst"])): row["n"] for row in cells.iter_rows(named=True)}
    rows = [
        (baseline, [(counts.get((baseline, worst), 0), _direction(baseline, worst)) for worst in GRADES])
        for baseline in GRADES
        if any(counts.get((baseline, worst)) for worst in GRADES)
    ]
    return {"term": term, "rows": rows}


def _direction(baseline: str, worst: str) -> str:
    if "missing" in (baseline, worst):
        return "missing"
    return "worse" if worst > baseline else "same" if worst == baseline else "better"
