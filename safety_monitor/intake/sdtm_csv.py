"""CSV as RFC 4180 has it, one header line, in a declared encoding or UTF-8 (with or without a mark)."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from safety_monitor.intake import UnreadableFile

SUFFIXES = (".csv",)


def read(path: Path, content: bytes, encoding: str | None) -> tuple[pl.DataFrame, Sequence[int], str]:
    """All cells as text, the line on which each record starts, and the encoding used."""
    text, used = _decode(path, content, encoding)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = next(reader)
        _check_header(path, header)
        before = reader.line_num
        for row in reader:
            start, before = before + 1, reader.line_num
            if len(row) == len(header):
                rows.append(row)
                lines.append(start)
            elif row:  # a blank line is no record
                raise UnreadableFile(
                    path,
                    f"line {start} has {len(row)} fields where the header has {len(header)}",
                    "The file is ragged or cut short; quote cells that hold commas or line breaks and export it again",
                )
    except csv.Error as error:
        raise UnreadableFile(path, f"line {reader.line_num}: {error}", "Export it again as CSV (RFC 4180)") from error
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    frame = pl.DataFrame(
        [pl.Series(name, [cell if cell.strip() else None for cell in cells], dtype=pl.String)
         for name, cells in zip(header, columns, strict=True)]
    )  # fmt: skip
    return frame, lines, used


def _decode(path: Path, content: bytes, encoding: str | None) -> tuple[str, str]:
    marked = content.startswith(codecs.BOM_UTF8)
    used = "utf-8-sig" if marked else (encoding or "utf-8")
    try:
        return content.decode(used), used
    except LookupError as error:
        raise UnreadableFile(path, f"encoding {used!r} is not known", "Correct `encoding` in study.yaml") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            path,
            f"line {line} is not {used}",
            "Declare the encoding in study.yaml (for Chinese exports usually `encoding: GB18030`)",
        ) from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    names = [name.strip().upper() for name in header]
    if "" in names or len(set(names)) < len(names):
        twice = sorted({name or "(blank)" for name in names if names.count(name) > 1 or not name})
        raise UnreadableFile(path, f"the header has blank or repeated names: {', '.join(twice)}", "Correct the first line")
    if any("\x00" in name for name in names):
        raise UnreadableFile(path, "holds binary data", "Export it as CSV text")
