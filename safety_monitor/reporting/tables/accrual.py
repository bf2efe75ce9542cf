"""Accrual: who entered, when and where, against what was planned."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table, percent_of
from safety_monitor.reporting.tables.disposition import NO_SITE, status
from safety_monitor.reporting.wording import words
from safety_monitor.study import Accrual

ACCRUAL = {
    "month": pl.String, "SITEID": pl.String, "consented": pl.Int64, "treated": pl.Int64,
    "cumulative_treated": pl.Int64, "planned": pl.Int64, "expected": pl.Float64,
}  # fmt: skip
ACCRUAL_SITES = {
    "SITEID": pl.String, "screened": pl.Int64, "screen_failures": pl.Int64, "screen_failures_pct": pl.Float64,
    "not_treated": pl.Int64, "treated": pl.Int64, "planned": pl.Int64, "treated_pct": pl.Float64, "first_on": pl.Date,
    "last_on": pl.Date, "per_month": pl.Float64,
}  # fmt: skip
ALL_SITES = "ALL"
_DAYS_PER_MONTH = 365.25 / 12


def tables(study: Study) -> Iterator[Table]:
    yield accrual(study)
    yield accrual_sites(study)


def expected_by(planned: Accrual, on: date) -> float | None:
    """How many subjects should be treated by *on*: a straight line over the planned days; None where they are not configured.

    >>> expected_by(Accrual(planned=60, begins=date(2026, 1, 1), ends=date(2026, 12, 31)), date(2026, 7, 2))
    30.0
    """
    if planned.planned is None or planned.begins is None or planned.ends is None:
        return None
    share = (on - planned.begins).days / (planned.ends - planned.begins).days
    return planned.planned * min(max(share, 0.0), 1.0)


def accrual(study: Study) -> Table:
    """Subjects consented and treated, by month and site, with the running total per site and over all."""
    name, title = "accrual", "Accrual by month and site"
    planned = study.settings.accrual
    rule = words(
        "Subjects by month of consent and of first treatment; planned: as configured for the site or in all; expected: on a "
        "straight line over the planned days, at the end of the month."
    )
    site = pl.col("siteid").fill_null(NO_SITE).alias("SITEID")
    months = [
        study.subjects.drop_nulls(on).select(
            pl.col(on).dt.strftime("%Y-%m").alias("month"), site, pl.lit(kind).alias("kind"))
        for on, kind in (("consented_on", "consented"), ("first_treatment_on", "treated"))
    ]  # fmt: skip
    dated = pl.concat(months)
    if study.subjects["consented_on"].null_count() == study.subjects.height:
        rule += words(" Consent dates were not reported: consented is empty.")
    counted = (
        pl.concat([dated, dated.with_columns(pl.lit(ALL_SITES).alias("SITEID"))])
        .group_by("month", "SITEID")
        .agg((pl.col("kind") == kind).sum().cast(pl.Int64).alias(kind) for kind in ("consented", "treated"))
        .sort("SITEID", "month")
        .with_columns(pl.col("treated").cum_sum().over("SITEID").alias("cumulative_treated"))
    )
    frame = counted.with_columns(_targets(planned)).sort("month", "SITEID")
    if study.subjects["consented_on"].null_count() == study.subjects.height:
        frame = frame.with_columns(pl.lit(None, pl.Int64).alias("consented"))
    expected = [
        expected_by(planned, _end_of(month, study.snapshot.cutoff)) if site == ALL_SITES else None
        for month, site in frame.select("month", "SITEID").iter_rows()
    ]
    frame = frame.with_columns(pl.Series("expected", expected, dtype=pl.Float64))
    return Table(name, title, frame.select(list(ACCRUAL)), rule)


def accrual_sites(study: Study) -> Table:
    """One row per site and one over all: screened, failed, treated, against the plan."""
    subjects = study.once(status).with_columns(pl.col("siteid").fill_null(NO_SITE).alias("SITEID"))
    both = pl.concat([subjects, subjects.with_columns(pl.lit(ALL_SITES).alias("SITEID"))])
    end = pl.lit(study.snapshot.cutoff, pl.Date)
    counted = both.group_by("SITEID").agg(
        pl.len().cast(pl.Int64).alias("screened"),
        (pl.col("state") == "screening failure").sum().cast(pl.Int64).alias("screen_failures"),
        (pl.col("state") == "not treated").sum().cast(pl.Int64).alias("not_treated"),
        pl.col("treated").sum().cast(pl.Int64).alias("treated"),
        pl.col("first_treatment_on").min().alias("first_on"),
        pl.col("first_treatment_on").max().alias("last_on"),
        pl.min_horizontal(pl.col("consented_on").min(), pl.col("first_treatment_on").min()).alias("_opened"),
    )
    months = (pl.coalesce(end, "last_on") - pl.col("_opened")).dt.total_days() / _DAYS_PER_MONTH
    frame = (
        counted.with_columns(
            _targets(study.settings.accrual),
            (100 * pl.col("screen_failures") / pl.col("screened")).alias("screen_failures_pct"),
            percent_of("treated", study.n).alias("treated_pct"),
            pl.when(months >= 1).then(pl.col("treated") / months).alias("per_month"),
        )
        .sort(pl.col("SITEID") == ALL_SITES, "SITEID")
        .select(pl.col(column).cast(dtype) for column, dtype in ACCRUAL_SITES.items())
    )
    if not study.subjects.height:
        frame = frame.clear()
    rule = words(
        "Screened: all subjects of DM. Screening failures: by disposition or arm, % of those screened at the site. Treated: % of "
        "all N = {n} treated. Per month: treated, over the time from the first consent of the site (else first treatment) to the "
        "cut-off, where that is a month or more.",
        n=study.n,
    )
    return Table("accrual_sites", "Accrual by site", frame, rule)


def _targets(planned: Accrual) -> pl.Expr:
    targets = {**planned.sites, **({ALL_SITES: planned.planned} if planned.planned is not None else {})}
    if not targets:
        return pl.lit(None, pl.Int64).alias("planned")
    return pl.col("SITEID").replace_strict(targets, default=None, return_dtype=pl.Int64).alias("planned")


def _end_of(month: str, cutoff: date | None) -> date:
    year, number = (int(part) for part in month.split("-"))
    last = date(year, number, calendar.monthrange(year, number)[1])
    return min(last, cutoff) if cutoff else last
