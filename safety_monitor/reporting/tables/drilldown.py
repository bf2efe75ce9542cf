"""The records behind each number of the tables that count subjects.

``n`` of a cell is the number of distinct subjects listed for it; where a table counts events beside them, its records. A
module of tables that has such cells says them in its function ``cells_of(study)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import polars as pl

from safety_monitor.reporting.tables.base import CELLS, SEPARATOR, Study, Table
from safety_monitor.reporting.wording import words

Cells = Callable[[Study], Iterator[pl.DataFrame]]


def drilldown(study: Study, sources: Iterable[Cells]) -> Table:
    """Table, row and column of a number, and each record (for disposition, death and the like: each subject) behind it."""
    parts = [part for cells_of in sources for part in cells_of(study)]
    frame = pl.concat([pl.DataFrame(schema=CELLS), *parts])
    frame = frame.sort("table", "row", "column", "USUBJID", "AESEQ", maintain_order=True)
    rule = words(
        "Records behind each number; subjects of a cell are its distinct USUBJID. Rows of term tables are "
        "system organ class{separator}term.", separator=SEPARATOR,
    )  # fmt: skip
    return Table("drilldown", "Records behind each number", frame, rule)
