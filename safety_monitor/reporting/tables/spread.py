"""How values of subjects are summed up: n, median, quartiles, ends; groups of a number; records behind a number."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

SPREAD = {
    "known": pl.Int64, "median": pl.Float64, "q1": pl.Float64, "q3": pl.Float64, "min": pl.Float64, "max": pl.Float64,
}  # fmt: skip
CELLS = {"table": pl.String, "row": pl.String, "column": pl.String, "USUBJID": pl.String, "AESEQ": pl.Int64}
SEPARATOR = " | "


def spread(values: pl.Series) -> tuple[int, float | None, float | None, float | None, float | None, float | None]:
    """The columns ``SPREAD`` of *values*; quartiles by linear interpolation (R's type 7). Unknown values are left out.

    >>> spread(pl.Series([1.0, 2.0, 3.0, 4.0, None]))
    (4, 2.5, 1.75, 3.25, 1.0, 4.0)
    """
    known = values.drop_nulls().cast(pl.Float64)
    if known.is_empty():
        return 0, None, None, None, None, None
    found = [known.quantile(q, "linear") for q in (0.5, 0.25, 0.75, 0.0, 1.0)]
    return known.len(), found[0], found[1], found[2], found[3], found[4]


def groups(edges: Sequence[float]) -> list[str]:
    """Names of the groups that *edges* cut numbers into.

    >>> groups([65, 75])
    ['< 65', '65 to < 75', '>= 75']
    """
    inner = [f"{low:g} to < {high:g}" for low, high in itertools.pairwise(edges)]
    return [f"< {edges[0]:g}", *inner, f">= {edges[-1]:g}"]


def group_of(column: str, edges: Sequence[float]) -> pl.Expr:
    """The group of a number, as :func:`groups` names it; null where it is not known."""
    names = groups(edges)
    found: Any = pl.when(pl.col(column) < edges[0]).then(pl.lit(names[0]))
    for edge, name in zip(edges[1:], names[1:-1], strict=True):
        found = found.when(pl.col(column) < edge).then(pl.lit(name))
    grouped: pl.Expr = found.when(pl.col(column) >= edges[-1]).then(pl.lit(names[-1]))
    return grouped


def cells_behind(table: str, row: str, column: str, subjects: Iterable[str]) -> pl.DataFrame:
    """The subjects behind one number, as the drill-down lists them."""
    names = sorted(set(subjects))
    n = len(names)
    return pl.DataFrame(
        {"table": [table] * n, "row": [row] * n, "column": [column] * n, "USUBJID": names, "AESEQ": [None] * n}, schema=CELLS
    )
