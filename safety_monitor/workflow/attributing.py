"""Attribution from file to file: one CSV row per event in, one row of shares and levels out.

Columns are those of the documented contract ("attribute input / output"): ``CASEID``, ``AEDECOD`` and, for
each component C, ``C_EXPOSED`` … ``C_RECHALLENGE``; empty means unknown. A row that cannot be read is
reported with its field, value, reason and remedy, and every other row is still answered. No database is used.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from safety_monitor.attribution import (
    DISEASE,
    OTHER,
    Case,
    Challenge,
    Exposure,
    Profile,
    disease_behind,
    profile,
    weigh,
)
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
    header, rows = _read(src)
    parts = components_of(header) if components is None else tuple(components)
    findings = _finding_columns(parts, disease, profiles or {})
    written, rejections, n_read = [_output_header(parts)], [], 0
    for number, cells in enumerate(rows, start=1):
        n_read += 1
        fields = _Fields(src.name, number, dict(zip(header, cells, strict=False)))
        if len(cells) != len(header):
            why = f"the row has {len(cells)} cells, the header {len(header)}"
            fields.reject("(row)", why, "quote cells that contain commas or line breaks")
        case = _case(fields, parts, findings)
        if fields.faults:
            rejections += fields.faults
        else:
            written.append(_answer(case, parts, disease, profiles))
    _write(out, written)
    return Attributed(n_read, len(written) - 1, tuple(rejections))


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


def _case(fields: _Fields, parts: Sequence[Component], findings: Sequence[str]) -> Case:
    verbatim = fields.text("AETERM")
    term = fields.text("AEDECOD") or verbatim
    if not term:
        fields.reject("AEDECOD", "no term and no verbatim text", "give the CTCAE v4.03 term, or AETERM")
    return Case(
        case_id=fields.needed("CASEID", "give every event its own identifier"),
        term=term,
        verbatim=verbatim,
        grade=fields.read("AETOXGR", _grade, "write a CTCAE grade 1 to 5, or leave it empty if unknown"),
        exposures={part.name: _exposure(fields, part.name.upper()) for part in parts},
        evidence={column.lower(): fields.yes_no(column) for column in findings},
        ablation_site=fields.one_of("ABLATION_SITE", _SITES),
        ablation_modality=fields.one_of("ABLATION_MODALITY", _MODALITIES),
        pd1_drug=fields.text("PD1_DRUG") or None,
    )


def _exposure(fields: _Fields, name: str) -> Exposure:
    return Exposure(
        exposed=fields.yes_no(f"{name}_EXPOSED"),
        days_since_first=fields.days(f"{name}_DAYS_SINCE_FIRST"),
        days_since_last=fields.days(f"{name}_DAYS_SINCE_LAST"),
        ongoing=fields.yes_no(f"{name}_ONGOING"),
        dechallenge=fields.challenge(f"{name}_DECHALLENGE"),
        rechallenge=fields.challenge(f"{name}_RECHALLENGE"),
    )


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


def _output_header(parts: Sequence[Component]) -> list[str]:
    columns = ["CASEID"]
    for name in (*(part.name.upper() for part in parts), DISEASE, OTHER):
        columns += [f"{name}_LEVEL", f"{name}_SHARE"]
    return [*columns, "LEADING", "RATIONALE"]


def _answer(
    case: Case, parts: Sequence[Component], disease: str | None, profiles: Mapping[str, Profile] | None
) -> list[str]:
    weighing = weigh(case, parts, disease=disease, profiles=profiles)
    cells = [case.case_id]
    for name in (*(part.name for part in parts), DISEASE, OTHER):
        # in full precision: the shares of a row sum to 1, and only the impossible reads 0
        cells += [weighing.levels[name].name, repr(weighing.shares[name])]
    return [*cells, weighing.leading.upper(), weighing.rationale]


def _read(src: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = content_of(src).decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except UnicodeDecodeError as error:
        raise AttributionFileError(f"{src}: not UTF-8 text ({error.reason}); save it as CSV UTF-8") from None
    header = [name.strip().upper() for name in rows[0]] if rows else []
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise AttributionFileError(f"{src}: column {' and '.join(missing)} missing from the header; add it")
    repeated = sorted({name for name in header if name and header.count(name) > 1})
    if repeated:
        raise AttributionFileError(f"{src}: column {' and '.join(repeated)} appears twice; keep one")
    return header, rows[1:]


def _write(out: Path, rows: Iterable[Sequence[str]]) -> None:
    """Whole or not at all: written beside *out*, then moved over it."""
    part = out.with_name(f"{out.name}.part")
    with part.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    part.replace(out)
