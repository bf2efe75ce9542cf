"""Disposition: what became of everybody who was screened, of each component of the treatment, and what is overdue.

One subject has one state (:func:`status`); every table here adds up to it. A subject who died without a record of the end of
treatment has ended by death. Nothing on record of an end is "going on", never "completed".
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, percent, rows_to_frame
from safety_monitor.reporting.tables.spread import SEPARATOR, cells_behind
from safety_monitor.reporting.wording import words
from safety_monitor.vocabulary import Outcome

DISPOSITION = {"level": pl.Int64, "row": pl.String, "reason": pl.String, "n": pl.Int64, "pct": pl.Float64}
DISPOSITION_SITES = {
    "SITEID": pl.String, "screened": pl.Int64, "screen_failures": pl.Int64, "not_treated": pl.Int64, "treated": pl.Int64,
    "going_on": pl.Int64, "ended": pl.Int64, "died": pl.Int64,
}  # fmt: skip
OVERDUE = {
    "item": pl.String, "SITEID": pl.String, "records": pl.Int64, "subjects": pl.Int64, "oldest_days": pl.Int64,
}  # fmt: skip
NO_SITE, ALL_SITES = "Not reported", "ALL"
SCREENED, NOT_TREATED, TREATED = "Screened", "Not treated", "Treated"
GOING_ON, ENDED, DIED = "Treatment going on, or no end on record", "Treatment ended", "Died, of any cause"
NOT_STATED, DEATH = "Not stated", "DEATH"
_NOT_CODED = "[not coded]"
#: What is overdue -> the events that it counts (of the columns of ``Study.all_events`` and ``days`` since onset).
ITEMS: dict[str, pl.Expr] = {
    "Grade missing": pl.col("grade").is_null(),
    "Relationship missing": pl.col("aerel").is_null(),
    "Coding missing": pl.col("aedecod").is_null() | pl.col("aedecod").str.starts_with(_NOT_CODED),
    "Outcome missing": pl.col("aeout").is_null(),
    "Start date missing or partial": pl.col("aestdtc").is_null() | (pl.col("aestdtc").str.len_chars() < 10),
    "End date missing": pl.col("aeendtc").is_null() & (pl.col("aeout") != Outcome.NOT_RECOVERED.value).fill_null(True),
}
_LATE_ITEM = "End date missing"


def tables(study: Study) -> Iterator[Table]:
    yield disposition(study)
    yield disposition_sites(study)
    yield overdue(study)


def status(study: Study) -> pl.DataFrame:
    """Subjects with ``state`` (screening failure, not treated, going on, ended), ``reason`` (DSDECOD or null), ``ended_on``."""
    subjects = study.subjects
    record = _end_records(study).group_by("usubjid").agg(
        pl.col("dsdecod").last().alias("reason"), pl.col("on").last().alias("ended_on"),
        pl.col("dsdecod").is_in(CONDUCT["screen_failure"]["words"]).any().alias("failed"),
    )  # fmt: skip
    by_arm = pl.col("arm").str.to_uppercase().is_in(CONDUCT["screen_failure"]["words"]).fill_null(False)
    joined = subjects.join(record, on="usubjid", how="left", maintain_order="left")
    failed = pl.col("failed").fill_null(False) | by_arm
    dead = pl.col("dthfl").fill_null(False)
    state = (
        pl.when(~pl.col("treated") & failed).then(pl.lit("screening failure"))
        .when(~pl.col("treated")).then(pl.lit("not treated"))
        .when(pl.col("reason").is_not_null() | dead).then(pl.lit("ended"))
        .otherwise(pl.lit("going on"))
    )  # fmt: skip
    reason = (
        pl.when(pl.col("treated") & pl.col("reason").is_null() & dead).then(pl.lit(DEATH))
        .when(~pl.col("treated") & failed).then(pl.lit("SCREEN FAILURE"))
        .otherwise(pl.col("reason"))
    )  # fmt: skip
    ended_on = pl.coalesce("ended_on", pl.when(reason == DEATH).then(pl.col("death_on")))
    return joined.with_columns(state.alias("state"), reason.alias("reason"), ended_on.alias("ended_on")).drop("failed")


def disposition(study: Study) -> Table:
    """The flow: screened, not treated by reason, treated, going on, ended by reason, died."""
    rows = [(level, row, reason, len(who), percent(len(who), study.n) if of_treated else None)
            for level, row, reason, who, of_treated in _flow(study)]  # fmt: skip
    rule = words(
        "N = {n} treated is the denominator of every percentage; those not treated have none. Ended: the last disposition event "
        "(DS) of the subject, else death. Going on: no such record; this is not the same as under treatment today.",
        n=study.n,
    )
    if study.frame("dispositions") is None:
        rule += words(" Disposition (DS) was not imported: reasons are not known.")
    return Table("disposition", "Disposition", rows_to_frame(rows, DISPOSITION), rule)


def disposition_sites(study: Study) -> Table:
    """The same by site: each row adds up, screened = failures + not treated + treated; treated = going on + ended."""
    subjects = study.once(status).with_columns(pl.col("siteid").fill_null(NO_SITE).alias("SITEID"))
    both = pl.concat([subjects, subjects.with_columns(pl.lit(ALL_SITES).alias("SITEID"))])
    state, treated = pl.col("state"), pl.col("treated")
    frame = (
        both.group_by("SITEID")
        .agg(
            pl.len().alias("screened"), (state == "screening failure").sum().alias("screen_failures"),
            (state == "not treated").sum().alias("not_treated"), treated.sum().alias("treated"),
            (state == "going on").sum().alias("going_on"), (state == "ended").sum().alias("ended"),
            (treated & pl.col("dthfl").fill_null(False)).sum().alias("died"),
        )
        .sort(pl.col("SITEID") == ALL_SITES, "SITEID")
        .select(pl.col(column).cast(dtype) for column, dtype in DISPOSITION_SITES.items())
    )  # fmt: skip
    if not study.subjects.height:
        frame = frame.clear()
    rule = words(
        "Screened = screening failures + not treated for another reason + treated; treated = going on + ended. Died: of those "
        "treated, of any cause, also after the end of treatment."
    )
    return Table("disposition_sites", "Disposition by site", frame, rule)


def overdue(study: Study) -> Table:
    """What of the events should have been entered by now, by item and site."""
    found = study.once(overdue_events)
    both = pl.concat([found, found.with_columns(pl.lit(ALL_SITES).alias("SITEID"))])
    sums = both.group_by("item", "SITEID").agg(
        pl.len().cast(pl.Int64).alias("records"), pl.col("usubjid").n_unique().cast(pl.Int64).alias("subjects"),
        pl.col("days").max().cast(pl.Int64).alias("oldest_days"),
    )  # fmt: skip
    order = {item: number for number, item in enumerate(ITEMS)}
    everything = pl.DataFrame({"item": list(ITEMS), "SITEID": ALL_SITES}, schema={"item": pl.String, "SITEID": pl.String})
    frame = (
        pl.concat([sums.select("item", "SITEID"), everything]).unique()
        .join(sums, on=["item", "SITEID"], how="left")
        .with_columns(pl.col("records", "subjects").fill_null(0))
        .sort(pl.col("item").replace_strict(order, return_dtype=pl.Int64), pl.col("SITEID") != ALL_SITES, "SITEID")
    )  # fmt: skip
    limits = CONDUCT["overdue"]
    rule = words(
        "Events of all subjects, treated or not, {days} days or more after onset; an end date {end_days} days or more after "
        "onset, unless the event is reported as not resolved. Age: from onset to the cut-off. Without a cut-off nothing can be "
        "late, and "
        "every open item counts.",
        days=limits["days"], end_days=limits["end_days"],
    )  # fmt: skip
    return Table("overdue", "Overdue items", frame.select(list(OVERDUE)), rule)


def overdue_events(study: Study) -> pl.DataFrame:
    """item, SITEID, usubjid, aeseq, days: one row per event and item."""
    limits = CONDUCT["overdue"]
    site = dict(study.subjects.select("usubjid", "siteid").iter_rows())
    age = (pl.lit(study.snapshot.cutoff, pl.Date) - pl.col("onset_on")).dt.total_days()
    events = study.all_events.with_columns(
        age.alias("days"),
        pl.col("usubjid").replace_strict(site, default=None, return_dtype=pl.String).fill_null(NO_SITE).alias("SITEID"),
    )
    parts = []
    for item, wanted in ITEMS.items():
        late = (pl.col("days") >= limits["end_days" if item == _LATE_ITEM else "days"]).fill_null(True)
        chosen = events.filter(wanted, late)
        parts.append(chosen.select(pl.lit(item).alias("item"), "SITEID", "usubjid", "aeseq", "days"))
    return pl.concat(parts)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects and records behind the numbers of these tables."""
    for _, row, reason, who, _ in _flow(study):
        yield cells_behind("disposition", f"{row}{SEPARATOR}{reason}" if reason else row, "n", who)
    yield study.once(overdue_events).select(
        pl.lit("overdue").alias("table"), pl.concat_str("item", "SITEID", separator=SEPARATOR).alias("row"),
        pl.lit("records").alias("column"), pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"),
    )  # fmt: skip


def _end_records(study: Study) -> pl.DataFrame:
    """Disposition events that tell of an end, in their order."""
    dispositions = study.frame("dispositions")
    if dispositions is None:
        return pl.DataFrame(schema={"usubjid": pl.String, "dsdecod": pl.String, "on": pl.Date})
    rule = CONDUCT["not_a_reason"]
    category, reason = (pl.col(name).str.strip_chars().str.to_uppercase() for name in ("dscat", "dsdecod"))
    ends = ~category.is_in(rule["milestones"]).fill_null(False) & ~reason.is_in(rule["words"]).fill_null(True)
    return dispositions.filter(ends).with_columns(reason.alias("dsdecod")).sort("usubjid", "on", maintain_order=True)


def _flow(study: Study) -> Iterator[tuple[int, str, str | None, list[str], bool]]:
    """level, row, reason, subjects, whether of those treated: the flow from top to bottom."""
    people = study.once(status)

    def by_reason(
        level: int, row: str, chosen: pl.DataFrame, treated: bool
    ) -> Iterator[tuple[int, str, str | None, list[str], bool]]:
        yield level, row, None, chosen["usubjid"].to_list(), treated
        grouped = chosen.with_columns(pl.col("reason").fill_null(NOT_STATED)).group_by("reason").agg("usubjid")
        ordered = grouped.sort(pl.col("usubjid").list.len(), "reason", descending=[True, False])
        for reason, who in ordered.iter_rows():
            yield level + 1, row, reason, who, treated

    yield 0, SCREENED, None, people["usubjid"].to_list(), False
    yield from by_reason(1, NOT_TREATED, people.filter(~pl.col("treated")), False)
    treated = people.filter("treated")
    yield 0, TREATED, None, treated["usubjid"].to_list(), True
    yield 1, GOING_ON, None, treated.filter(pl.col("state") == "going on")["usubjid"].to_list(), True
    yield from by_reason(1, ENDED, treated.filter(pl.col("state") == "ended"), True)
    yield 1, DIED, None, treated.filter(pl.col("dthfl").fill_null(False))["usubjid"].to_list(), True
