"""Attribution from file to file: one CSV row per event in, one row of shares and levels out.

Columns are those of the documented contract ("attribute input / output"): ``CASEID``, ``AEDECOD`` and, for
each component C, ``C_EXPOSED`` … ``C_RECHALLENGE``; empty means unknown. A row that cannot be read is
reported with its field, value, reason and remedy, and every other row is still answered. No database is used.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv

from safety_monitor.attribution import DISEASE, OTHER, Case, Challenge, Exposure, Profile, disease_behind, profile, weigh_frame
from safety_monitor.intake import content_of
from safety_monitor.records import Rejection
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

T = TypeVar("T")

_EXPOSURE = ("EXPOSED", "DAYS_SINCE_FIRST", "DAYS_SINCE_LAST", "ONGOING", "DECHALLENGE", "RECHALLENGE")
_REQUIRED = ("CASEID", "AEDECOD")
_EVIDENCE = (
    "STEROID_RESPONSE",
    "IMMUNE_BIOPSY",
    "INFECTION_CONFIRMED",
    "PROGRESSION_CONFIRMED",
    "OTHER_CAUSE",
)
_YES_NO = {"Y": True, "N": False, "U": None}
#: The row numbers, beside the columns of the file.
_ROW = "#"
#: Below this many rows a second process starts later than the first one is done.
_ROWS_PER_PROCESS = 20_000
_SITES = ("LUNG", "LIVER", "ADRENAL", "BONE", "NODE", "OTHER")
_MODALITIES = ("MWA", "RFA", "CRYO")


class AttributionFileError(ValueError):
    """The file as a whole cannot be read: which file, what is missing, what to do."""


@dataclass(frozen=True)
class Attributed:
    """What came of a file: rows read, rows answered, and one rejection per fault."""

    n_read: int
    n_written: int
    rejections: tuple[Rejection, ...]


@dataclass
class _Fields:
    """The cells of one row, read one by one; every fault is kept instead of stopping at the first."""

    file: str
    row: int
    cells: Mapping[str, str]
    faults: list[Rejection] = field(default_factory=list)

    def text(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def needed(self, column: str, remedy: str) -> str:
        if not self.text(column):
            self.reject(column, "the cell is empty", remedy)
        return self.text(column)

    def read(self, column: str, parse: Callable[[str], T], remedy: str) -> T | None:
        """The parsed cell; None where it is empty (unknown) or at fault (then recorded)."""
        value = self.text(column)
        if not value:
            return None
        try:
            return parse(value)
        except (KeyError, ValueError):
            self.reject(column, "the value is not one that this column can hold", remedy)
            return None

    def yes_no(self, column: str) -> bool | None:
        remedy = "write Y or N, or leave it empty if unknown"
        return self.read(column, lambda text: _YES_NO[text.upper()], remedy)

    def days(self, column: str) -> float | None:
        return self.read(column, _finite, "write days as a number, or leave it empty if unknown")

    def one_of(self, column: str, allowed: Sequence[str]) -> str | None:
        remedy = f"write one of {' '.join(allowed)}, or leave it empty if unknown"
        return self.read(column, lambda text: allowed[allowed.index(text.upper())], remedy)

    def challenge(self, column: str) -> Challenge:
        word = self.one_of(column, tuple(Challenge))
        return Challenge.UNKNOWN if word is None else Challenge(word)

    def reject(self, column: str, why: str, remedy: str) -> None:
        self.faults.append(Rejection(self.file, self.row, column, self.cells.get(column, ""), why, remedy))


def attribute_file(
    src: Path,
    out: Path,
    *,
    components: Sequence[Component] | None = None,
    disease: str | None = None,
    profiles: Mapping[str, Profile] | None = None,
) -> Attributed:
    """Weigh every event of *src* (CSV) and write *out* (CSV), in input order.

    *components* are the study's; None takes those that the header has columns for. *profiles* are a trial's
    own attribution profiles by name. AttributionFileError where the file itself cannot be used.
    """
    table, ragged = read_cases(src)
    parts = components_of(table.columns) if components is None else tuple(components)
    findings = _finding_columns(parts, disease, profiles or {})
    rejections = [*ragged, *_faults(src.name, table, parts, findings)]
    at_fault = {rejection.row for rejection in rejections}
    good = table.filter(~pl.col(_ROW).is_in(list(at_fault))) if at_fault else table
    weighed = _weigh_all(good.with_columns(pl.col("CASEID").str.strip_chars()), parts, disease, profiles)
    write_csv(out, weighed.select(_output_columns(parts)))
    return Attributed(table.height + len(ragged), weighed.height, tuple(sorted(rejections, key=lambda rejection: rejection.row)))


def _weigh_all(
    table: pl.DataFrame, parts: Sequence[Component], disease: str | None, profiles: Mapping[str, Profile] | None
) -> pl.DataFrame:
    """``weigh_frame`` with rationale, on all processors where the file is long enough to pay for starting them."""
    workers = min(len(os.sched_getaffinity(0)), table.height // _ROWS_PER_PROCESS)
    if workers < 2:
        return weigh_frame(table, parts, disease=disease, profiles=profiles, rationale=True)
    slices = [table.slice(start, _ROWS_PER_PROCESS) for start in range(0, table.height, _ROWS_PER_PROCESS)]
    weigh_one = partial(weigh_frame, components=parts, disease=disease, profiles=profiles, rationale=True)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return pl.concat(pool.map(weigh_one, slices))


def components_of(header: Iterable[str]) -> tuple[Component, ...]:
    """The components that *header* has exposure columns for, with the shipped profile of that name if any."""
    names: dict[str, None] = {}
    for column in header:
        for suffix in _EXPOSURE:
            name = column.removesuffix(f"_{suffix}")
            if name != column and name.isidentifier() and name not in (DISEASE, OTHER):
                names[name.lower()] = None
    return tuple(_component(name) for name in names)


def _component(name: str) -> Component:
    known = profile(name)
    procedure = known is not None and known.kind == "procedure"
    kind = ComponentKind.PROCEDURE if procedure else ComponentKind.DRUG
    return Component(name=name, kind=kind, profile=name if known is not None else None)


def _finding_columns(
    parts: Sequence[Component], disease: str | None, profiles: Mapping[str, Profile]
) -> tuple[str, ...]:
    """The evidence columns of the contract, and those that a profile in use adds."""
    names = dict.fromkeys(_EVIDENCE)
    behind = disease or disease_behind(parts, profiles)
    for wanted in (*(part.profile for part in parts), behind, "other"):
        known = None if wanted is None else profiles.get(wanted) or profile(wanted)
        for rule in known.evidence if known is not None else ():
            if rule.what not in ("dechallenge", "rechallenge"):
                names[rule.what.upper()] = None
    return tuple(names)


def _faults(
    file: str, table: pl.DataFrame, parts: Sequence[Component], findings: Sequence[str]
) -> Iterator[Rejection]:
    """Every fault of every row. A column's distinct values are looked at first: few rows are read cell by cell."""
    suspect = pl.lit(value=False)
    blank = {name: pl.col(name).str.strip_chars() == "" for name in table.columns if name != _ROW}
    suspect |= blank["CASEID"] | (blank["AEDECOD"] & blank.get("AETERM", pl.lit(value=True)))
    for name, read in _readers(parts, findings).items():
        if name not in table.columns:
            continue
        distinct = table[name].unique()
        unreadable = [value for value in distinct if not _is_readable(read, name, value)]
        if unreadable:
            suspect |= pl.col(name).is_in(unreadable)
    for row in table.filter(suspect).iter_rows(named=True):
        fields = _Fields(file, row.pop(_ROW), row)
        fields.needed("CASEID", "give every event its own identifier")
        if not (fields.text("AEDECOD") or fields.text("AETERM")):
            fields.reject("AEDECOD", "no term and no verbatim text", "give the CTCAE v4.03 term, or AETERM")
        for name, read in _readers(parts, findings).items():
            read(fields, name)
        yield from fields.faults


def _is_readable(read: Callable[[_Fields, str], object], name: str, value: str) -> bool:
    alone = _Fields("", 0, {name: value})
    read(alone, name)
    return not alone.faults


def _readers(parts: Sequence[Component], findings: Sequence[str]) -> dict[str, Callable[[_Fields, str], object]]:
    """How each column is read, in the order in which faults are told."""
    wanted: dict[str, Callable[[_Fields, str], object]] = {
        "AETOXGR": lambda fields, name: fields.read(
            name, _grade, "write a CTCAE grade 1 to 5, or leave it empty if unknown"
        )
    }
    for part in parts:
        for suffix in _EXPOSURE:
            kind = "days" if "DAYS" in suffix else "challenge" if "CHALLENGE" in suffix else "yes_no"
            wanted[f"{part.name.upper()}_{suffix}"] = getattr(_Fields, kind)
    wanted |= dict.fromkeys(findings, _Fields.yes_no)
    wanted["ABLATION_SITE"] = lambda fields, name: fields.one_of(name, _SITES)
    wanted["ABLATION_MODALITY"] = lambda fields, name: fields.one_of(name, _MODALITIES)
    return wanted


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _grade(text: str) -> int:
    number = _finite(text)
    if number not in (1, 2, 3, 4, 5):
        raise ValueError(text)
    return int(number)


def _output_columns(parts: Sequence[Component]) -> list[str]:
    columns = ["CASEID"]
    for name in (*(part.name.upper() for part in parts), DISEASE, OTHER):
        columns += [f"{name}_LEVEL", f"{name}_SHARE"]
    return [*columns, "LEADING", "RATIONALE"]


def case_of_row(cells: Mapping[str, str], parts: Sequence[Component]) -> Case:
    """One row of the contract as a case; ValueError names a cell that cannot be read."""
    fields = _Fields("", 0, cells)
    read = {name: reader(fields, name) for name, reader in _readers(parts, _EVIDENCE).items()}
    if fields.faults:
        raise ValueError("; ".join(f"{fault.field} {fault.value!r}: {fault.why}" for fault in fields.faults))
    exposures = {
        part.name: Exposure(*(read[f"{part.name.upper()}_{suffix}"] for suffix in _EXPOSURE))  # type: ignore[arg-type]
        for part in parts
    }
    found: dict[str, Any] = {name.lower(): read[name] for name in _EVIDENCE}
    grade: Any = read["AETOXGR"]
    return Case(
        fields.text("CASEID"), fields.text("AEDECOD") or fields.text("AETERM"), verbatim=fields.text("AETERM"), grade=grade,
        exposures=exposures, evidence=found, pd1_drug=fields.text("PD1_DRUG").upper() or None,
    )  # fmt: skip


def read_cases(src: Path, required: Sequence[str] = _REQUIRED) -> tuple[pl.DataFrame, list[Rejection]]:
    """The file as text with its row numbers (column ``#``), and the rows whose width is wrong."""
    content = content_of(src).removeprefix("\ufeff".encode())
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AttributionFileError(f"{src}: not UTF-8 text ({error.reason}); save it as CSV UTF-8") from None
    raw = next((row for row in csv.reader(io.StringIO(text, newline="")) if row), [])
    header = [name.strip().upper() for name in raw]
    missing = [name for name in required if name not in header]
    if missing:
        raise AttributionFileError(f"{src}: column {' and '.join(missing)} missing from the header; add it")
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise AttributionFileError(f"{src}: column {' and '.join(repeated)} appears twice; keep one")
    ragged: list[Rejection] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        why = f"the row has {row.actual_columns} cells, the header {row.expected_columns}"
        remedy = "quote cells that contain commas or line breaks"
        ragged.append(Rejection(src.name, row.number - 1, "(row)", row.text or "", why, remedy))
        return "skip"

    try:
        found = arrow_csv.read_csv(
            pa.BufferReader(content),
            read_options=arrow_csv.ReadOptions(use_threads=False),  # only then rows have numbers
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
            convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(raw, pa.string()), strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise AttributionFileError(f"{src}: not a CSV file that can be read: {error}; export it again") from None
    wrong = {rejection.row for rejection in ragged}
    numbers = [row for row in range(1, found.num_rows + len(ragged) + 1) if row not in wrong]
    named = found.rename_columns([name or f"({place})" for place, name in enumerate(header, start=1)])
    return pl.DataFrame(named).with_columns(pl.Series(_ROW, numbers, dtype=pl.Int64)), ragged


def write_csv(out: Path, answer: pl.DataFrame) -> None:
    """Whole or not at all: written beside *out*, then moved over it."""
    part = out.with_name(f"{out.name}.part")
    # shares in full precision: those of a row sum to 1, and only the impossible reads 0
    answer.write_csv(part)
    part.replace(out)
