"""SAS transport files, version 5 and 8 (the format of regulatory submissions), read by pyreadstat.

The format has no record count, so a file cut short would read as a shorter one: the observation part must
be whole records followed by blanks only. A cut that falls exactly between two records cannot be seen.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyreadstat

from safety_monitor.intake import UnreadableFile

SUFFIXES = (".xpt",)
_RECORD = 80  # bytes; SAS TS-140
_LIBRARY = b"HEADER RECORD*******LIB"
_OBSERVATIONS = (b"HEADER RECORD*******OBS     HEADER", b"HEADER RECORD*******OBSV8   HEADER")


def read(path: Path, content: bytes, encoding: str | None) -> tuple[pl.DataFrame, Sequence[int], str]:
    """All cells as text, record numbers from 1, and the encoding used."""
    if not content.startswith(_LIBRARY):
        raise UnreadableFile(path, "is not a SAS transport file", "Export it as XPT version 5 or 8, or as CSV")
    used = encoding or "utf-8"
    try:
        frame, meta = pyreadstat.read_xport(
            io.BytesIO(content), encoding=used, disable_datetime_conversion=True, output_format="polars"
        )
    except Exception as error:  # pyreadstat raises its own and several built-in kinds
        raise UnreadableFile(path, f"cannot be read as SAS transport ({error})", "Export it again") from error
    _check_whole(path, content, sum(meta.variable_storage_width.values()))
    text = frame.select(_as_text(series) for series in frame)
    return text, range(1, frame.height + 1), used


def _check_whole(path: Path, content: bytes, width: int) -> None:
    at = max(content.rfind(mark) for mark in _OBSERVATIONS)
    observations = content[at + _RECORD :]
    remainder = observations[len(observations) - len(observations) % width :] if width else b""
    if at < 0 or len(content) % _RECORD or remainder.strip(b" "):
        raise UnreadableFile(path, "is cut short in the middle of a record", "Copy or export it again")


def _as_text(series: pl.Series) -> pl.Series:
    """Numbers without a needless ``.0`` (XPT has floating point only); blanks as null."""
    if series.dtype == pl.String:
        stripped = series.str.strip_chars_end(" ")
        return stripped.set(stripped.str.strip_chars() == "", None)
    values = [None if v is None or v != v else (str(int(v)) if v == int(v) else repr(v)) for v in series.cast(pl.Float64)]
    return pl.Series(series.name, values, dtype=pl.String)
