"""Reading other people's files: one module per format, each with ``SUFFIXES`` and ``read()``.

A reader turns a file into a :class:`SourceTable` of text, exactly as the file has it, or raises
:class:`UnreadableFile` that says what is wrong and what to do. Nothing is guessed, trimmed or dropped here:
meaning is the business of ``rules.normalise``. Adding a format is adding a module to this package.
"""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

#: Files beside the SDTM datasets that have a meaning of their own: file stem -> domain.
COMPANIONS = {"sae_receipt": "SAE_RECEIPT"}
#: Files that a trial folder may hold and that are not collected data.
NOT_COLLECTED = frozenset({"truth", "planted", "rejects"})


class UnreadableFile(ValueError):
    """A file that is not what it says. The message has the file, the fault and the remedy."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(f"{path}: {why}. {remedy}")


@dataclass(frozen=True)
class SourceTable:
    """One dataset as read. ``frame``: text columns as in the file (null = blank), in file order;
    ``rows``: the line (CSV) or record number of each row, for people who look it up."""

    path: Path
    format: str
    encoding: str
    sha256: str
    domain: str
    frame: pl.DataFrame
    rows: Sequence[int]


class Reader(Protocol):
    SUFFIXES: tuple[str, ...]

    def read(self, path: Path, content: bytes, encoding: str | None) -> tuple[pl.DataFrame, Sequence[int], str]: ...


def _readers() -> dict[str, Reader]:
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return {suffix: module for module in modules for suffix in module.SUFFIXES}


READERS = _readers()


def read(path: Path, encoding: str | None = None) -> SourceTable:
    """The dataset in *path*. ``encoding`` is the declared one; without it CSV must be UTF-8.

    Raises UnreadableFile for a folder, an empty file, an unknown format, a file cut short or ragged.
    """
    content = content_of(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UnreadableFile(path, f"format {path.suffix!r} is not known", f"Use one of {', '.join(sorted(READERS))}")
    frame, rows, used = reader.read(path, content, encoding)
    frame = frame.rename({column: column.strip().upper() for column in frame.columns})
    return SourceTable(
        path, path.suffix.lower().lstrip("."), used, hashlib.sha256(content).hexdigest(), domain_of(path, frame), frame, rows
    )


def content_of(path: Path) -> bytes:
    """The bytes of *path*; UnreadableFile for a folder, a file that cannot be opened, or an empty one."""
    if path.is_dir():
        raise UnreadableFile(path, "is a folder, not a file", "Name the files, or import the folder that holds them")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableFile(path, f"cannot be opened: {error.strerror}", "Check the name and the permissions") from error
    if not content.strip():
        raise UnreadableFile(path, "is empty", "Export it again; a dataset without records still has its header")
    return content


def domain_of(path: Path, frame: pl.DataFrame) -> str:
    """The SDTM domain: the DOMAIN column, SUPP + RDOMAIN, or what the file's name stands for."""
    if companion := COMPANIONS.get(path.stem.lower()):
        return companion
    for column, prefix in (("DOMAIN", ""), ("RDOMAIN", "SUPP")):
        if column not in frame.columns:
            continue
        found = frame[column].drop_nulls().str.strip_chars().str.to_uppercase().unique().to_list()
        if len(found) > 1:
            raise UnreadableFile(path, f"holds several domains ({', '.join(sorted(found))})", "Give each its own file")
        if found:
            return f"{prefix}{found[0]}"
    stem = path.stem.upper()
    if len(stem) == 2 or (stem.startswith("SUPP") and len(stem) == 6):
        return stem
    raise UnreadableFile(path, "has no DOMAIN column and its name is no SDTM domain", "Name it after its domain, e.g. ae.csv")


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The dataset files that *paths* stand for: files as named, and of each folder those of a known format."""
    for path in paths:
        if not path.exists():
            raise UnreadableFile(path, "does not exist", "Check the path")
        if not path.is_dir():
            yield path
            continue
        found = [
            entry
            for entry in sorted(path.iterdir())
            if entry.suffix.lower() in READERS and entry.stem.lower() not in NOT_COLLECTED
        ]
        if not found:
            raise UnreadableFile(path, "holds no dataset", f"Put {', '.join(sorted(READERS))} files there")
        yield from found
