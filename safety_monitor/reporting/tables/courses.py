"""The course of each treated subject on one line: observation, what was given, severe and serious events, death.

Days count from first treatment, which is day 1. Both ends of a stretch count.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table
from safety_monitor.reporting.tables.exposure import observed
from safety_monitor.reporting.wording import words
from safety_monitor.vocabulary import ComponentKind

COLUMNS = {
    "USUBJID": pl.String, "kind": pl.String, "component": pl.String, "from_day": pl.Int64, "to_day": pl.Int64,
    "grade": pl.Int64, "AESEQ": pl.Int64,
}  # fmt: skip
#: What a row can be. ``ongoing``: still under observation at the cut-off.
KINDS = ("observed", "ongoing", "procedure", "dose", "serious", "high_grade", "death")
NO_EXPOSURES = "not collected: no records of what was given"


def tables(study: Study) -> Iterator[Table]:
    yield courses(study)


def courses(study: Study) -> Table:
    """Rows by subject, those under observation longest first."""
    rule = words(
        "Treated subjects whose observation has a known end: {n} of {N}. Days from first treatment (day 1). Stretches of one "
        "dose are joined where they follow without a gap. Events: treatment-emergent, at onset; a serious event is not "
        "repeated among those of grade 3 or worse. Ongoing: under observation at the cut-off.",
        n=observed(study).height, N=study.n,
    )  # fmt: skip
    title = words("Courses of treatment")
    given = study.frame("exposures")
    if given is None:
        return Table.absent("courses", title, COLUMNS, rule, words(NO_EXPOSURES))
    periods = observed(study)
    cutoff = study.snapshot.cutoff
    alive = periods.filter(pl.col("death_on").is_null(), pl.col("end") == pl.lit(cutoff, pl.Date))
    died = periods.filter(pl.col("death_on").is_not_null())
    parts = [
        _rows(periods, "observed", "start", "end"),
        _rows(alive, "ongoing", "end", "end"),
        *_given(study, given, periods),
        *_events(study, periods),
        _rows(died, "death", "death_on", "death_on"),
    ]
    longest = periods.select(pl.col("usubjid").alias("USUBJID"), "days")
    order = {kind: place for place, kind in enumerate(KINDS)}
    frame = (
        pl.concat(parts)
        .join(longest, on="USUBJID")
        .sort("days", "USUBJID", pl.col("kind").replace_strict(order), "component", "from_day", "AESEQ",
              descending=[True, False, False, False, False, False])
        .select(*COLUMNS)
    )  # fmt: skip
    return Table("courses", title, frame, rule)


def _given(study: Study, given: pl.DataFrame, periods: pl.DataFrame) -> Iterator[pl.DataFrame]:
    kinds = {component.name: component.kind for component in study.settings.components}
    rows = given.filter(
        pl.col("component").is_in(list(kinds)), pl.col("start_on").is_not_null(), (pl.col("dose").fill_null(1) > 0)
    ).join(periods.select("usubjid", "start"), on="usubjid")
    procedures = [name for name, kind in kinds.items() if kind is ComponentKind.PROCEDURE]
    done = rows.filter(pl.col("component").is_in(procedures)).unique(["usubjid", "component", "start_on"], keep="first")
    yield _rows(done, "procedure", "start_on", "start_on", component="component")
    doses = rows.filter(~pl.col("component").is_in(procedures)).sort("usubjid", "component", "start_on", "end_on")
    reached = pl.col("end_on").cum_max().shift(1).over("usubjid", "component")
    stretch = ((pl.col("start_on") - reached).dt.total_days() > 1).fill_null(True).cum_sum().over("usubjid", "component")
    joined = (
        doses.with_columns(stretch.alias("stretch"))
        .group_by("usubjid", "component", "stretch", maintain_order=True)
        .agg(pl.col("start").first(), pl.col("start_on").min(), pl.col("end_on").max())
    )
    yield _rows(joined, "dose", "start_on", "end_on", component="component")


def _events(study: Study, periods: pl.DataFrame) -> Iterator[pl.DataFrame]:
    emergent = study.emergent.join(periods.select("usubjid", "start"), on="usubjid").filter(pl.col("onset_on").is_not_null())
    for kind, wanted in (("serious", pl.col("serious")), ("high_grade", pl.col("high_grade") & ~pl.col("serious"))):
        yield _rows(emergent.filter(wanted), kind, "onset_on", "onset_on", grade="grade", aeseq="aeseq")


def _rows(
    frame: pl.DataFrame, kind: str, first: str, last: str, component: str | None = None, grade: str | None = None,
    aeseq: str | None = None,
) -> pl.DataFrame:  # fmt: skip
    def day(column: str) -> pl.Expr:
        return (pl.col(column) - pl.col("start")).dt.total_days() + 1

    def of(column: str | None, kind: pl.DataType | type[pl.DataType]) -> pl.Expr:
        return pl.lit(None, kind) if column is None else pl.col(column).cast(kind)

    return frame.select(
        pl.col("usubjid").alias("USUBJID"), pl.lit(kind).alias("kind"), of(component, pl.String).alias("component"),
        day(first).alias("from_day"), day(last).alias("to_day"), of(grade, pl.Int64).alias("grade"),
        of(aeseq, pl.Int64).alias("AESEQ"),
    )  # fmt: skip
