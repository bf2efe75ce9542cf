"""``grade-labs``: a file of results to a file of grades, CSV or Parquet by suffix, without a database."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

import ctcae_v403
from safety_monitor.intake import UnreadableFile, content_of
from safety_monitor.study import SettingsError


@dataclass(frozen=True)
class GradingTally:
    """What came of a file. ``reasons``: how many rows have no grade, by reason, most frequent first."""

    n_in: int
    n_out: int
    n_graded: int
    reasons: dict[str, int]


def grade_file(source: Path, out: Path, *, policy: str = "standard", engine: str = "polars") -> GradingTally:
    """Grades *source* under *policy* into *out*.

    Raises UnreadableFile where a file is not what its suffix says or has no usable columns, SettingsError for
    an engine that is not installed.
    """
    if engine != "polars":
        raise SettingsError(f"--engine {engine} is not part of this version; use polars")
    results = _read(source)
    try:
        graded = ctcae_v403.grade_frame(results, policy=policy)
    except ctcae_v403.ColumnsError as error:
        raise UnreadableFile(source, str(error), "See the columns of grade-labs in docs/interface.md") from None
    _write(graded, out)
    ungraded = graded.filter(pl.col("ATOXGR").is_null() & (pl.col("REASON") != ""))
    reasons = ungraded.group_by("REASON").len().sort("len", "REASON", descending=[True, False])
    return GradingTally(
        results.height, graded.height, graded["ATOXGR"].count(), dict(reasons.select("REASON", "len").iter_rows())
    )


def _read(source: Path) -> pl.DataFrame:
    content = content_of(source)
    suffix = source.suffix.lower()
    try:
        if suffix == ".parquet":
            return pl.read_parquet(content)
        if suffix == ".csv":
            return pl.read_csv(content, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UnreadableFile(source, f"cannot be read: {error}", "Export it again") from error
    raise UnreadableFile(source, f"format {suffix!r} is not known", "Use .csv or .parquet")


def _write(frame: pl.DataFrame, out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix.lower() == ".parquet":
        frame.write_parquet(out)
    elif out.suffix.lower() == ".csv":
        frame.write_csv(out)
    else:
        raise UnreadableFile(out, f"format {out.suffix!r} is not known", "Write to .csv or .parquet")
