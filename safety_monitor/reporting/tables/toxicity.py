"""Toxicity over time: in each period from first treatment, how many of those under observation had an event going on.

A subject is under observation in a period where at least one of its days belongs to the subject's observation (see
``exposure``), and counts once, at the worst grade of the treatment-emergent events that were going on within it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table, percent, rows_to_frame
from safety_monitor.reporting.tables.exposure import observed
from safety_monitor.reporting.wording import words

OVERTIME: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("overtime.toml").read_text("utf-8"))
PERIOD_DAYS: int = OVERTIME["periods"]["days"]
GRADES = (1, 2, 3, 4, 5)
COLUMNS = {
    "period": pl.Int64, "from_day": pl.Int64, "to_day": pl.Int64, "n_observed": pl.Int64, "none": pl.Int64,
    **{f"g{grade}": pl.Int64 for grade in GRADES}, "gmiss": pl.Int64,
    **{f"ge{grade}_pct": pl.Float64 for grade in (1, 2, 3, 4)},
}  # fmt: skip


def tables(study: Study) -> Iterator[Table]:
    yield toxicity_over_time(study)


def toxicity_over_time(study: Study) -> Table:
    """One row a period; ``none`` to ``gmiss`` add up to ``n_observed``."""
    periods = observed(study)
    of_subjects = ongoing(study).group_by("usubjid", "period").agg(pl.col("grade").max())
    rows = []
    for number in range(1, _last_period(periods) + 1):
        n_observed = periods.filter(pl.col("days") > (number - 1) * PERIOD_DAYS).height
        worst = of_subjects.filter(period=number)
        by_grade = [worst.filter(grade=grade).height for grade in GRADES]
        missing = worst["grade"].null_count()
        shares = [percent(sum(by_grade[grade - 1 :]) + (missing if grade == 1 else 0), n_observed) for grade in (1, 2, 3, 4)]
        first, last = (number - 1) * PERIOD_DAYS + 1, number * PERIOD_DAYS
        rows.append((number, first, last, n_observed, n_observed - worst.height, *by_grade, missing, *shares))
    open_ended = study.emergent.filter(_end_of(pl.col("aeendtc")).is_null()).height
    rule = words(
        "Periods of {days} days from first treatment. Denominator: subjects with at least one day of the period under "
        "observation. Each counts once, at the worst grade of the treatment-emergent events going on in the period; an event "
        "keeps its reported grade from onset to end, and without an end it goes on until the end of observation (events "
        "without an end: {n}).",
        days=PERIOD_DAYS, n=open_ended,
    )  # fmt: skip
    return Table("toxicity_over_time", words("Toxicity over time"), rows_to_frame(rows, COLUMNS), rule)


def ongoing(study: Study) -> pl.DataFrame:
    """One row per treatment-emergent event and period in which it goes on: usubjid, aeseq, grade, period."""
    periods = observed(study).select("usubjid", "start", "end", "days")
    events = study.emergent.select("usubjid", "aeseq", "grade", "onset_on", "aeendtc").join(periods, on="usubjid")
    begins = (pl.col("onset_on").fill_null(pl.col("start")) - pl.col("start")).dt.total_days() + 1
    ended = pl.min_horizontal(_end_of(pl.col("aeendtc")), "end")
    ends = (pl.max_horizontal(ended, pl.col("onset_on")) - pl.col("start")).dt.total_days() + 1
    return (
        events.with_columns(begins.clip(1).alias("first"), ends.alias("last"))
        .filter(pl.col("first") <= pl.col("days"))
        .with_columns(pl.min_horizontal("last", "days").alias("last"))
        .filter(pl.col("last") >= pl.col("first"))
        .with_columns(
            pl.int_ranges((pl.col("first") - 1) // PERIOD_DAYS + 1, (pl.col("last") - 1) // PERIOD_DAYS + 2).alias("period")
        )
        .explode("period", empty_as_null=False, keep_nulls=False)
        .select("usubjid", "aeseq", "grade", "period")
    )


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each number: rows are ``period 1`` and so on; a grade has the records at the worst grade."""
    going_on = ongoing(study)
    marked = going_on.with_columns(pl.col("grade").max().over("usubjid", "period").alias("worst"))
    worst = marked.filter(pl.col("grade").eq_missing(pl.col("worst")))
    column = pl.when(pl.col("worst").is_null()).then(pl.lit("gmiss")).otherwise(pl.format("g{}", "worst"))
    yield worst.select(
        pl.lit("toxicity_over_time").alias("table"), pl.format("period {}", "period").alias("row"), column.alias("column"),
        pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"),
    )  # fmt: skip


def _last_period(periods: pl.DataFrame) -> int:
    longest = periods["days"].max()
    return -(-int(longest) // PERIOD_DAYS) if isinstance(longest, int) else 0


def _end_of(text: pl.Expr | pl.Series) -> pl.Expr:
    """The last day that an end may mean, so that a partial date does not cut an event short; null where there is none.

    >>> pl.select(_end_of(pl.Series(["2024-02", "2024", "2024-02-03T10:00", "UN", None]))).to_series().to_list()
    [datetime.date(2024, 2, 29), datetime.date(2024, 12, 31), datetime.date(2024, 2, 3), None, None]
    """
    day = pl.lit(text) if isinstance(text, pl.Series) else text
    day = day.str.head(10)

    def read(written: pl.Expr) -> pl.Expr:
        return written.str.to_date("%Y-%m-%d", strict=False)

    return pl.coalesce(read(day), read(day + "-01").dt.month_end(), read(day + "-12-31"))
