"""The records behind each number of the adverse-event tables.

``n`` of a cell is the number of distinct subjects listed for it; ``events`` the number of records. A grade
column lists the record or records at the subject's worst grade of that row.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables import adverse_events, since_last
from safety_monitor.reporting.tables.base import HIGH_GRADE, Study, Table

DRILLDOWN = {
    "table": pl.String, "row": pl.String, "column": pl.String, "USUBJID": pl.String, "AESEQ": pl.Int64,
}  # fmt: skip
SEPARATOR = " | "


def tables(study: Study) -> Iterator[Table]:
    yield drilldown(study)


def drilldown(study: Study) -> Table:
    """Table, row and column of a number, and each record (for disposition and death: each subject) behind
    it.
    """
    parts = [*_overview(study)]
    parts += [_cells(records, "since_last_report", pl.lit(row), column) for row, column, records in since_last.cells(study)]
    for name, records in by_term_records(study):
        for keys in ([], ["soc"], ["soc", "pt"]):
            parts += _by_term(name, records, keys)
    frame = pl.concat(parts).sort("table", "row", "column", "USUBJID", "AESEQ", maintain_order=True)
    rule = (
        "Records behind each number; subjects of a cell are its distinct USUBJID. Rows of term tables are "
        f"system organ class{SEPARATOR}term."
    )
    return Table("drilldown", "Records behind each number", frame, rule)


def by_term_records(study: Study) -> Iterator[tuple[str, pl.DataFrame]]:
    """Name of each table by term, with the records that it counts."""
    yield "ae_soc_pt_worst_grade", study.emergent
    yield "related_ae_soc_pt_worst_grade", study.emergent.filter("related")
    for component in study.settings.components:
        if (related := study.related_to(component)) is not None:
            yield f"related_{component.name.lower()}_soc_pt_worst_grade", study.emergent.filter(related)
    yield "post_window_related_soc_pt_worst_grade", study.late_related


def _overview(study: Study) -> Iterator[pl.DataFrame]:
    for label, wanted in adverse_events.OVERVIEW_ROWS.items():
        records = study.emergent.filter(wanted)
        yield _cells(records, "overview", pl.lit(label), "n")
    discontinued, died = adverse_events.discontinued(study), adverse_events.died(study)
    for label, subjects in (
        (adverse_events.DISCONTINUED_ROW, discontinued),
        (adverse_events.DEATHS_ROW, died),
    ):
        if subjects is not None:
            without_record = (
                subjects.unique().to_frame("usubjid").with_columns(pl.lit(None, pl.Int64).alias("aeseq"))
            )
            yield _cells(without_record, "overview", pl.lit(label), "n")


def _by_term(name: str, records: pl.DataFrame, keys: list[str]) -> Iterator[pl.DataFrame]:
    row = pl.concat_str(keys, separator=SEPARATOR) if keys else pl.lit(adverse_events.ANY)
    worst = pl.col("grade").max().over([*keys, "usubjid"])
    marked = records.with_columns(worst.alias("worst"))
    at_worst = pl.col("grade").eq_missing(pl.col("worst"))
    wanted = {
        "n": pl.lit(True),
        **{f"g{grade}": at_worst & (pl.col("worst") == grade) for grade in adverse_events.GRADES},
        "gmiss": pl.col("worst").is_null(),
        "ge3": pl.col("grade") >= HIGH_GRADE,
        "sae_n": pl.col("serious_as_flagged"),
        "rel_n": pl.col("related"),
    }
    for column, chosen in wanted.items():
        yield _cells(marked.filter(chosen), name, row, column)


def _cells(records: pl.DataFrame, table: str, row: pl.Expr, column: str) -> pl.DataFrame:
    return records.select(
        pl.lit(table).alias("table"),
        row.alias("row"),
        pl.lit(column).alias("column"),
        pl.col("usubjid").alias("USUBJID"),
        pl.col("aeseq").alias("AESEQ"),
    )
