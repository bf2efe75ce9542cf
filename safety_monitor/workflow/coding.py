"""``ctcae code``: a file of verbatim terms to CTCAE terms, without a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

import ctcae_v403
from safety_monitor import intake


@dataclass(frozen=True)
class CodingTally:
    n_rows: int
    n_coded: int


def code_file(source: Path, out: Path) -> CodingTally:
    """Writes *source* with AEDECOD, AEBODSYS, SCORE and RUNNER_UP; blank where it cannot be coded.

    Raises UnreadableFile where *source* is no CSV or has no column AETERM.
    """
    frame, _, _ = intake.READERS[".csv"].read(source, intake.content_of(source), None)
    if "AETERM" not in frame.columns:
        raise intake.UnreadableFile(source, "has no column AETERM", "Name the column with the verbatim terms AETERM")
    coded = {text: ctcae_v403.code(text) for text in frame["AETERM"].drop_nulls().unique()}
    rows = [coded.get(text) for text in frame["AETERM"]]
    result = frame.drop("AEDECOD", "AEBODSYS", "SCORE", "RUNNER_UP", strict=False).with_columns(
        pl.Series("AEDECOD", [c.term.name if c and c.term else None for c in rows], dtype=pl.String),
        pl.Series("AEBODSYS", [c.term.soc if c and c.term else None for c in rows], dtype=pl.String),
        pl.Series("SCORE", [c.score if c and c.term else None for c in rows], dtype=pl.Float64),
        pl.Series("RUNNER_UP", [c.runner_up.name if c and c.term and c.runner_up else None for c in rows], dtype=pl.String),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    result.write_csv(out)
    return CodingTally(result.height, result["AEDECOD"].count())
