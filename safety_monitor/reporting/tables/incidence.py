"""Cumulative incidence of the first immune-mediated and of the first serious event, death competing; the first event of
grade 3 or worse is in ``exposure``, with the same observation and the same rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, Study, Table, rows_to_frame
from safety_monitor.reporting.tables.exposure import INCIDENCE, observed
from safety_monitor.reporting.wording import words
from safety_monitor.stats.competing import CENSORED, COMPETING, EVENT, aalen_johansen, point_at

TIMES = {"USUBJID": pl.String, "time": pl.Int64, "status": pl.Int64}
NOT_FLAGGED = "not collected: no event says whether it is immune-mediated"


@dataclass(frozen=True)
class Kind:
    """A first event: ``flag`` is the boolean column that marks it."""

    name: str
    flag: str
    title: str
    data_title: str


KINDS = (
    Kind(
        "immune", "immune",
        "Cumulative incidence of the first immune-mediated event", "Time to the first immune-mediated event",
    ),
    Kind("serious", "serious", "Cumulative incidence of the first serious event", "Time to the first serious event"),
)  # fmt: skip
DATA_RULE = (
    "Days from first treatment (day 1) to the first such treatment-emergent event (status 1), death without one (2) or "
    "end of observation (0)."
)
CURVE_RULE = (
    "Aalen-Johansen over N = {n} treated, death without the event competing, 95% limits on the complementary log-log "
    "scale; 1 - KM censors deaths and is given for contrast."
)


def tables(study: Study) -> Iterator[Table]:
    for kind in KINDS:
        data = first_event(study, kind)
        name, curve_name = f"cif_data_{kind.name}", f"cumulative_incidence_{kind.name}"
        if data is None:
            yield Table.absent(name, words(kind.data_title), TIMES, words(DATA_RULE), words(NOT_FLAGGED))
            yield Table.absent(curve_name, words(kind.title), INCIDENCE, words(CURVE_RULE, n=0), words(NOT_FLAGGED))
            continue
        yield Table(name, words(kind.data_title), data, words(DATA_RULE))
        yield Table(curve_name, words(kind.title), curve_of(data), words(CURVE_RULE, n=data.height))


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records that are the first events: row "first event", column "n"."""
    for kind in KINDS:
        if first_event(study, kind) is None:
            continue
        records = study.emergent.filter(pl.col(kind.flag).fill_null(False)).join(observed(study), on="usubjid", how="semi")
        first = records.filter(pl.col("onset_on") == pl.col("onset_on").min().over("usubjid"))
        yield first.select(
            pl.lit(f"cumulative_incidence_{kind.name}").alias("table"), pl.lit("first event").alias("row"),
            pl.lit("n").alias("column"), pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"),
        )  # fmt: skip


def first_event(study: Study, kind: Kind) -> pl.DataFrame | None:
    """USUBJID, time, status per treated subject; None where the flag is on no record."""
    events = study.events
    if kind.flag not in events.columns or (events.height and events[kind.flag].null_count() == events.height):
        return None
    found = study.emergent.filter(pl.col(kind.flag).fill_null(False))
    first = found.group_by("usubjid").agg(pl.col("onset_on").min().alias("first"))
    died = (pl.col("death_on") <= pl.col("end")).fill_null(False)
    happened = pl.col("usubjid").is_in(first["usubjid"].implode())
    days = (pl.coalesce("first", "end") - pl.col("start")).dt.total_days() + 1
    status = pl.when(happened).then(EVENT).when(died).then(COMPETING).otherwise(CENSORED)
    return (
        observed(study)
        .join(first, on="usubjid", how="left", maintain_order="left")
        .select(
            pl.col("usubjid").alias("USUBJID"), pl.max_horizontal(days, 1).cast(pl.Int64).alias("time"),
            status.cast(pl.Int64).alias("status"),
        )
        .sort("USUBJID")
    )  # fmt: skip


def curve_of(data: pl.DataFrame) -> pl.DataFrame:
    """The curve at every step and, as far as somebody is followed, at the landmarks."""
    curve = aalen_johansen(data["time"].to_list(), data["status"].to_list())
    rows = [(p.time, p.n_at_risk, p.n_events, p.n_competing, p.incidence, p.lower, p.upper, p.one_minus_km) for p in curve]
    steps = {p.time for p in curve}
    for day in COUNTING["incidence"]["at_days"]:
        at_risk = data.filter(pl.col("time") >= day).height
        if day not in steps and at_risk:
            p = point_at(curve, day)
            rows.append((day, at_risk, 0, 0, p.incidence, p.lower, p.upper, p.one_minus_km))
    return rows_to_frame(rows, INCIDENCE).sort("day")
