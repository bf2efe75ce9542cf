"""CDISC Dataset-JSON 1.1 (``columns`` and ``rows``), whole or as NDJSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from safety_monitor.intake import UnreadableFile

SUFFIXES = (".json", ".ndjson")


def read(path: Path, content: bytes, encoding: str | None) -> tuple[pl.DataFrame, Sequence[int], str]:
    """All cells as text, record numbers from 1, and the encoding (JSON is UTF-8)."""
    try:
        if path.suffix.lower() == ".ndjson":
            head, *rows = (json.loads(line, parse_float=str) for line in content.splitlines() if line.strip())
        else:
            head = json.loads(content, parse_float=str)
            rows = head["rows"]
        names = [column["name"] for column in head["columns"]]
        expected = head.get("records", len(rows))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(path, f"is not Dataset-JSON 1.1 ({error})", "Export it again, or as CSV or XPT") from error
    if not all(isinstance(name, str) and name.strip() for name in names) or len(set(names)) < len(names):
        raise UnreadableFile(path, "has columns without a name, or with the same name twice", "Correct its `columns`")
    if len(rows) != expected:
        raise UnreadableFile(path, f"says {expected} records and has {len(rows)}", "It was cut short; export it again")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise UnreadableFile(path, f"record {number} has {len(row)} of {len(names)} values", "Export it again")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    frame = pl.DataFrame(
        [pl.Series(name, [_text(cell) for cell in cells], dtype=pl.String)
         for name, cells in zip(names, columns, strict=True)]
    )  # fmt: skip
    return frame, range(1, len(rows) + 1), "utf-8"


def _text(cell: Any) -> str | None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool):
        return "Y" if cell else "N"
    return str(cell)
