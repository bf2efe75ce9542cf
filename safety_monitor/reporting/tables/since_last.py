"""What changed since the last report: each event as it stood in that report beside what it is now, and the sums of it.

Every sum cross-foots: last + new - gone = now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from safety_monitor.reporting.tables.base import HIGH_GRADE, Study, Table, cells, rows_to_frame
from safety_monitor.reporting.wording import words

#: What is compared of an event: its column now -> its name in the table of events.
COMPARED: Mapping[str, str] = {
    "grade": "grade", "serious": "serious", "fatal": "fatal", "aeout": "AEOUT", "related": "related", "aedecod": "AEDECOD",
}  # fmt: skip
EVENTS = {
    "USUBJID": pl.String, "AESEQ": pl.Int64, "change": pl.String,
    "AEDECOD": pl.String, "AEDECOD_before": pl.String, "grade": pl.Int64, "grade_before": pl.Int64,
    "serious": pl.Boolean, "serious_before": pl.Boolean, "fatal": pl.Boolean, "fatal_before": pl.Boolean,
    "AEOUT": pl.String, "AEOUT_before": pl.String, "related": pl.Boolean, "related_before": pl.Boolean,
}  # fmt: skip
COUNTS = {"row": pl.String, "last": pl.Int64, "new": pl.Int64, "gone": pl.Int64, "now": pl.Int64}
NEW, CHANGED, WITHDRAWN = "new", "changed", "withdrawn"
NO_REPORT = words("No earlier report of this kind has been issued.")
#: Which events each row counts: a column as it is now and (with _before) as it was.
ROWS: Mapping[str, str] = {
    "Adverse events": "there",
    "Serious adverse events": "serious",
    "Events of grade 3 or worse": "high",
    "Fatal events": "fatal",
}
SUBJECTS_ROW, DEATHS_ROW = "Subjects treated", "Deaths from any cause"


def tables(study: Study) -> Iterator[Table]:
    yield since_last_report(study)
    yield since_last_events(study)


def since_last_report(study: Study) -> Table:
    """Subjects, deaths and events in the last report, new since, no longer so, and now."""
    name, title = "since_last_report", "What changed since the last report"
    rule = words(
        "Events are records of all subjects, whenever they began, compared by subject and AESEQ with the last issued report; "
        "new: not so then. Last + new − no longer = now."
    )
    last = study.frame("last_report")
    if last is None:
        return Table.absent(name, title, COUNTS, rule, NO_REPORT)
    then = last.to_dicts()[0]
    deaths = int(study.treated["dthfl"].fill_null(False).sum())
    rows = [_moved(SUBJECTS_ROW, then["n_treated"], study.n), _moved(DEATHS_ROW, then["n_deaths"], deaths)]
    compared = _side_by_side(study)
    for label, column in ROWS.items():
        now, before = pl.col(column), pl.col(f"{column}_before")
        sums = compared.select(before.sum(), (now & ~before).sum().alias("new"), (before & ~now).sum().alias("gone"), now.sum())
        rows.append((label, *sums.row(0)))
    return Table(name, title, rows_to_frame(rows, COUNTS), rule)


def since_last_events(study: Study) -> Table:
    """Every event that is new, changed or withdrawn since the last report, with what it was."""
    name, title = "since_last_events", "Events that are new or changed since the last report"
    rule = words(
        "Every record that is new since the last issued report, that has another grade, seriousness, outcome, relationship or "
        "term than then, or that is no longer in the data."
    )
    if study.frame("previous") is None:
        return Table.absent(name, title, EVENTS, rule, NO_REPORT)
    differs = pl.any_horizontal(~pl.col(column).eq_missing(pl.col(f"{column}_before")) for column in COMPARED)
    change = (
        pl.when(~pl.col("there_before")).then(pl.lit(NEW))
        .when(~pl.col("there")).then(pl.lit(WITHDRAWN))
        .when(differs).then(pl.lit(CHANGED))
    )  # fmt: skip
    pairs = {label: column for column, label in COMPARED.items()}
    frame = (
        _side_by_side(study)
        .with_columns(change=change)
        .filter(pl.col("change").is_not_null())
        .select(
            pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"), "change",
            *(pl.col(pairs[name.removesuffix("_before")] + ("_before" if name.endswith("_before") else "")).alias(name)
              for name in list(EVENTS)[3:]),
        )
        .sort("USUBJID", "AESEQ")
    )  # fmt: skip
    return Table(name, title, frame, rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each sum of events."""
    if study.frame("previous") is None:
        return
    compared = _side_by_side(study)
    for label, column in ROWS.items():
        now, before = pl.col(column), pl.col(f"{column}_before")
        for name, wanted in {"last": before, "new": now & ~before, "gone": before & ~now, "now": now}.items():
            yield cells(compared.filter(wanted), "since_last_report", label, name)


def _moved(label: str, then: int, now: int) -> tuple[str, int, int, int, int]:
    return label, then, max(now - then, 0), max(then - now, 0), now


def _side_by_side(study: Study) -> pl.DataFrame:
    """One row an event of either time: what it is, and what it was (``_before``); what is not there is nothing of all that."""
    previous = study.frame("previous")
    assert previous is not None
    columns = ["usubjid", "aeseq", *COMPARED]
    now = study.frames["events"].select(columns).with_columns(there=pl.lit(True))
    then = previous.select(columns).with_columns(there=pl.lit(True))
    both = now.join(then, on=["usubjid", "aeseq"], how="full", coalesce=True, suffix="_before", maintain_order="left_right")
    flags = [pl.col(name + end).fill_null(False) for name in ("there", "serious", "fatal") for end in ("", "_before")]
    high = [(pl.col("grade" + end) >= HIGH_GRADE).fill_null(False).alias("high" + end) for end in ("", "_before")]
    return both.with_columns(*flags, *high)
