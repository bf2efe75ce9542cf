"""Rates over person-time, and cumulative incidence with death competing.

Observation begins on the day of first treatment and ends on the first of: last treatment plus the
treatment-emergent window, death, data cut-off. Both days count, and every subject at least one day.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, Study, Table, cells, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.stats.competing import CENSORED, COMPETING, EVENT, Point, aalen_johansen
from safety_monitor.stats.incidence import Rate, person_years, poisson_rate

EXPOSURE = {
    "row": pl.String, "subj": pl.Int64, "py_at_risk": pl.Float64, "eair": pl.Float64, "eair_lo": pl.Float64,
    "eair_hi": pl.Float64, "events": pl.Int64, "py_total": pl.Float64, "ear": pl.Float64,
    "ear_lo": pl.Float64,
    "ear_hi": pl.Float64,
}  # fmt: skip
INCIDENCE = {
    "day": pl.Int64, "n_at_risk": pl.Int64, "n_events": pl.Int64, "n_competing": pl.Int64, "cif": pl.Float64,
    "cif_lo": pl.Float64, "cif_hi": pl.Float64, "one_minus_km": pl.Float64,
}  # fmt: skip
NOTHING_YET = Point(0, 0, 0, 0, 0.0, None, None, 0.0)
_PER: int = COUNTING["rates"]["per_years"]


def tables(study: Study) -> Iterator[Table]:
    yield exposure_adjusted(study)
    yield cif_data(study)
    yield cumulative_incidence(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind the numbers of subjects."""
    for label, records in _kinds(study):
        yield cells(records, "exposure_adjusted", label, "subj")


def observed(study: Study) -> pl.DataFrame:
    """usubjid, start, end (dates), days: the observation of each treated subject whose end is known."""
    last = pl.col("last_treatment_on") + pl.duration(days=study.settings.treatment_emergent.days_after_last)
    end = pl.min_horizontal(last, "death_on", pl.lit(study.snapshot.cutoff, pl.Date))
    return (
        study.treated.select(
            "usubjid", pl.col("first_treatment_on").alias("start"), end.alias("end"), "death_on"
        )
        .drop_nulls(["start", "end"])
        .with_columns(_days("start", "end").alias("days"))
    )


def exposure_adjusted(study: Study) -> Table:
    """Incidence rate (first events over time at risk) and event rate (all events over all time)."""
    periods = observed(study)
    total = person_years(periods["days"])
    rows = []
    for label, records in _kinds(study):
        until_first = _until_first(periods, records)
        n = records["usubjid"].n_unique()
        incidence = poisson_rate(n, person_years(until_first["days"]))
        events = poisson_rate(records.height, total)
        rows.append((label, n, incidence.time, *_scaled(incidence), records.height, total, *_scaled(events)))
    rule = words(
        "Left: subjects with the event per {per} person-years until the first one; right: events per {per} "
        "person-years of all observation; exact Poisson 95 % limits. Observation ends at last treatment + "
        "{days} days, death or cut-off, whichever is first.",
        per=_PER, days=study.settings.treatment_emergent.days_after_last,
    )  # fmt: skip
    if unknown := study.n - periods.height:
        rule += words(" Left out: {unknown} of {n} treated, whose observation has no known end.", unknown=unknown, n=study.n)
    return Table("exposure_adjusted", "Exposure-adjusted rates", rows_to_frame(rows, EXPOSURE), rule)


def _kinds(study: Study) -> list[tuple[str, pl.DataFrame]]:
    """Rows of the table with the records of observed subjects that they count."""
    emergent = study.emergent.join(observed(study).select("usubjid"), on="usubjid", how="semi")
    return [
        ("Any TEAE", emergent),
        ("SAE", emergent.filter("serious_as_flagged")),
        ("Grade >=3", emergent.filter("high_grade")),
        ("Related", emergent.filter("related")),
        *((f"PT: {term}", emergent.filter(pl.col("pt") == term)) for term in _frequent_terms(emergent)),
    ]


def first_high_grade(study: Study) -> pl.DataFrame:
    """usubjid, time (days from first treatment, that day is 1), status: first event of grade 3 or worse."""
    periods = observed(study)
    first = _until_first(periods, study.emergent.filter("high_grade"))
    died = (pl.col("death_on") <= pl.col("end")).fill_null(False)
    status = pl.when("had_event").then(EVENT).when(died).then(COMPETING).otherwise(CENSORED)
    return first.select("usubjid", pl.col("days").alias("time"), status.cast(pl.Int64).alias("status")).sort(
        "usubjid"
    )


def cif_data(study: Study) -> Table:
    """The subjects behind the cumulative incidence."""
    frame = first_high_grade(study).rename({"usubjid": "USUBJID"})
    rule = words(
        "Days from first treatment (day 1) to the first treatment-emergent event of grade 3 or worse "
        "(status 1), death without one (2) or end of observation (0)."
    )
    return Table("cif_data_grade3plus", "Time to first event of grade 3 or worse", frame, rule)


def cumulative_incidence(study: Study) -> Table:
    """Aalen-Johansen curve of the first event of grade 3 or worse, at every step and at the landmarks."""
    data = first_high_grade(study)
    curve = aalen_johansen(data["time"].to_list(), data["status"].to_list())
    rows: list[tuple[object, ...]] = [
        (p.time, p.n_at_risk, p.n_events, p.n_competing, p.incidence, p.lower, p.upper, p.one_minus_km)
        for p in curve
    ]
    steps = {p.time for p in curve}
    for day in COUNTING["incidence"]["at_days"]:
        at_risk = data.filter(pl.col("time") >= day).height
        if day not in steps and at_risk:  # where nobody is followed so long the curve says nothing
            last = max((p for p in curve if p.time < day), key=lambda p: p.time, default=NOTHING_YET)
            rows.append((day, at_risk, 0, 0, last.incidence, last.lower, last.upper, last.one_minus_km))
    rule = words(
        "Aalen-Johansen over N = {n} treated, death without the event competing, 95% limits on the complementary log-log scale; "
        "1 - KM censors deaths and is given for contrast.", n=data.height,
    )  # fmt: skip
    frame = rows_to_frame(rows, INCIDENCE).sort("day")
    return Table("cumulative_incidence", "Cumulative incidence of grade 3 or worse", frame, rule)


def _frequent_terms(records: pl.DataFrame) -> list[str]:
    counts = records.group_by("pt").agg(pl.col("usubjid").n_unique().alias("n"))
    return (
        counts.sort("n", "pt", descending=[True, False])
        .head(COUNTING["frequent_terms"]["most"])["pt"]
        .to_list()
    )


def _until_first(periods: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """*periods* with ``days`` to the first of *records* or the end of observation, and ``had_event``."""
    first = records.group_by("usubjid").agg(pl.col("onset_on").min().alias("first"))
    joined = periods.join(first, on="usubjid", how="left", maintain_order="left")
    return joined.with_columns(
        _days("start", pl.coalesce("first", "end")).alias("days"),
        pl.col("usubjid").is_in(first["usubjid"].implode()).alias("had_event"),
    )


def _days(start: str, end: str | pl.Expr) -> pl.Expr:
    """Days from *start* to *end*, both counted, at least 1."""
    until = pl.col(end) if isinstance(end, str) else end
    return pl.max_horizontal((until - pl.col(start)).dt.total_days() + 1, pl.lit(1))


def _scaled(found: Rate) -> tuple[float | None, float | None, float | None]:
    if found.rate is None or found.interval is None:
        return None, None, None
    return _PER * found.rate, _PER * found.interval.lower, _PER * found.interval.upper
