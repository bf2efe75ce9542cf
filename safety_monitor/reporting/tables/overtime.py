"""Laboratory values over time: quartiles by period since first treatment, and each subject's own line.

Values are compared in one unit; what cannot be read in it is left out and counted. Baseline is the last record flagged so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table
from safety_monitor.reporting.tables.measured import MEASURED, NO_LABS, in_unit, measurements
from safety_monitor.reporting.wording import words

OVER_TIME = {
    "LBTESTCD": pl.String, "unit": pl.String, "from_week": pl.Int64, "to_week": pl.Int64, "n": pl.Int64, "median": pl.Float64,
    "q1": pl.Float64, "q3": pl.Float64, "lowest": pl.Float64, "highest": pl.Float64, "left_out": pl.Int64,
}  # fmt: skip
RULES: Mapping[str, Any] = MEASURED["over_time"]
ENDS: list[int] = RULES["ends"]


def tables(study: Study) -> Iterator[Table]:
    yield lab_over_time(study)


def lab_over_time(study: Study) -> Table:
    """One row per test and period; week 0 is the baseline."""
    name, title = "lab_over_time", words("Laboratory values over time")
    rule = words(
        "Treated subjects; week 0: last value flagged as baseline; then weeks since first treatment, after the first and up "
        "to the last week named, until the end of the treatment-emergent window. A subject counts once a period, with the "
        "median of its values. Left out: results whose unit cannot be converted."
    )
    if measurements(study) is None:
        return Table.absent(name, title, OVER_TIME, rule, NO_LABS)
    parts = [by_period(values(study, test)).with_columns(LBTESTCD=pl.lit(test["code"]), unit=pl.lit(test["unit"]))
             for test in RULES["tests"]]  # fmt: skip
    return Table(name, title, pl.concat(parts).select(pl.col(column).cast(kind) for column, kind in OVER_TIME.items()), rule)


def values(study: Study, test: Mapping[str, Any]) -> pl.DataFrame:
    """usubjid, week (0: baseline), x, lln, uln of one *test* of the list; x is null where its unit cannot be read."""
    labs = measurements(study)
    columns = {"usubjid": pl.String, "week": pl.Float64, "x": pl.Float64, "lln": pl.Float64, "uln": pl.Float64}
    if labs is None:
        return pl.DataFrame(schema=columns)
    own = labs.filter(pl.col("lbtestcd") == test["code"], pl.col("lbstresn").is_not_null(), pl.col("on").is_not_null())
    own = in_unit(own, test["code"], test["unit"], test.get("same", ()))
    own = own.join(study.treated.select("usubjid", "first_treatment_on"), on="usubjid").sort("usubjid", "on", "lbseq")
    weeks = (pl.col("on") - pl.col("first_treatment_on")).dt.total_days() / 7
    start = own.filter("is_baseline").group_by("usubjid", maintain_order=True).last().with_columns(week=pl.lit(0.0))
    after = own.filter("post_baseline").with_columns(week=weeks)
    return pl.concat([frame.select(list(columns)) for frame in (start, after)]).drop_nulls("week").sort("usubjid", "week", "x")


def placed(points: pl.DataFrame) -> pl.DataFrame:
    """*points* (week) with ``to_week``, the end of their period (0: baseline); those after the last period are left out."""
    ends = pl.lit(None, pl.Int64)
    for end in reversed(ENDS):
        ends = pl.when(pl.col("week") <= end).then(end).otherwise(ends)
    return points.with_columns(to_week=pl.when(pl.col("week") == 0).then(0).otherwise(ends)).drop_nulls("to_week")


def by_period(points: pl.DataFrame) -> pl.DataFrame:
    """Quartiles per period of *points* (usubjid, week, x)."""
    x = pl.col("x")
    once = placed(points).group_by("usubjid", "to_week").agg(x.median(), left_out=x.null_count())
    quartiles = once.group_by("to_week").agg(
        n=x.count(), median=x.median(), q1=x.quantile(0.25, "linear"), q3=x.quantile(0.75, "linear"), lowest=x.min(),
        highest=x.max(), left_out=pl.col("left_out").sum(),
    )  # fmt: skip
    start = {0: 0, **dict(zip(ENDS, [0, *ENDS], strict=False))}
    return quartiles.with_columns(from_week=pl.col("to_week").replace_strict(start, return_dtype=pl.Int64)).sort("to_week")
