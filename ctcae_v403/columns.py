"""Reading a table of results: which column is what (SDTM findings or ADaM), its numbers, its words.

Every number becomes a finite float or NaN, and every doubt a code; ``frame`` grades from them. Text is read once per
distinct value, and a categorical column by its codes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ctcae_v403 import buffers, grading
from ctcae_v403.buffers import FEW, Buffer
from ctcae_v403.grading import REASONS, Number
from ctcae_v403.kernel import NONE, QUALIFIERS

NO_VALUE, NOT_NUMERIC = REASONS.index("NO_VALUE"), REASONS.index("NOT_NUMERIC")
DOMAINS = ("LB", "VS", "EG", "RE", "CV", "MK", "UR", "RP", "FA")  # findings, the first that has a test code
YES, NO = ("Y", "YES", "TRUE", "1"), ("N", "NO", "FALSE", "0")
UNKNOWN = 2  # the third state of what is true (1) or false (0)
_WORDS = pl.Categories("ctcae_v403")  # of test codes, specimens, units and other short words


class ColumnsError(ValueError):
    """The table lacks columns without which nothing can be graded; says which, and what would do."""


@dataclass(frozen=True)
class Columns:
    """The column of each role; None where the table has none."""

    test: str
    values: tuple[str, ...]
    unit: str | None
    lln: str | None
    uln: str | None
    texts: tuple[str, ...]
    reported_unit: str | None
    subject: str | None
    study: str | None
    specimen: str | None
    date: str | None
    base: str | None
    base_uln: str | None
    flags: tuple[str, ...]
    fasting: str | None
    anticoagulated: str | None
    antihypertensives: str | None
    age: str | None
    sex: str | None

    def used(self) -> list[str]:
        """The columns that grading reads, each once."""
        one = (self.test, self.unit, self.lln, self.uln, self.reported_unit, self.subject, self.study, self.specimen, self.date,
               self.base, self.base_uln, self.fasting, self.anticoagulated, self.antihypertensives, self.age,
               self.sex)  # fmt: skip
        return list(dict.fromkeys(name for name in (*one, *self.values, *self.texts, *self.flags) if name is not None))


def detect(names: Sequence[str]) -> Columns:
    """The roles of a table's columns, without regard to case. Raises ``ColumnsError``."""
    actual = {name.upper(): name for name in reversed(names)}

    def one(*wanted: str) -> str | None:
        return next((actual[name] for name in wanted if name in actual), None)

    def several(*wanted: str) -> tuple[str, ...]:
        return tuple(actual[name] for name in wanted if name in actual)

    prefix = next((p for p in DOMAINS if f"{p}TESTCD" in actual), "LB")
    if one("PARAMCD") and one("AVAL", "AVALC"):
        test, values = one("PARAMCD"), several("AVAL", "AVALC")
        texts, reported = several("AVALC", "AVAL"), None
        unit, lln, uln = one("AVALU", f"{prefix}STRESU"), one("ANRLO"), one("ANRHI")
    else:
        test = one(f"{prefix}TESTCD")
        standard = one(f"{prefix}STRESN") is not None
        values = several(f"{prefix}STRESN", f"{prefix}STRESC") if standard else several(f"{prefix}ORRES")
        texts = several(f"{prefix}STRESC", f"{prefix}ORRES", f"{prefix}STRESN")
        kind = "ST" if standard else "OR"
        unit = one(f"{prefix}{'STRESU' if standard else 'ORRESU'}")
        lln, uln = one(f"{prefix}{kind}NRLO"), one(f"{prefix}{kind}NRHI")
        reported = one(f"{prefix}ORRESU") if standard and one(f"{prefix}ORRES") else None
        values += several(f"{prefix}ORRES") if reported else ()
    if test is None or not values:
        raise ColumnsError(
            f"no test and result columns among {', '.join(names) or 'no columns'}: give LBTESTCD "
            "with LBSTRESN or LBORRES (SDTM LB), or PARAMCD with AVAL (ADaM ADLB)"
        )
    return Columns(
        test=test,
        values=values,
        unit=unit,
        lln=lln,
        uln=uln,
        texts=texts,
        reported_unit=reported,
        subject=one("USUBJID", "SUBJID"),
        study=one("STUDYID"),
        specimen=one(f"{prefix}SPEC"),
        date=one(f"{prefix}DTC", "ADTM", "ADT"),
        base=one("BASE"),
        base_uln=one("BNRHI"),
        flags=several(f"{prefix}BLFL", f"{prefix}LOBXFL", "ABLFL"),
        fasting=one(f"{prefix}FAST"),
        anticoagulated=one("ONANTICOAG"),
        antihypertensives=one("NANTIHYP", "ONANTIHYP"),
        age=one("AGE"),
        sex=one("SEX"),
    )


class Words(NamedTuple):
    """A column of text by its ``distinct`` words, of which null is the empty one. ``place``: for each code of ``raw``, and
    last for none, the word among them.
    """

    raw: Buffer
    place: Any
    distinct: list[str]

    @property
    def codes(self) -> Any:
        """For each row the place of its word among the distinct ones (int32)."""
        return self.raw.look_up(self.place)

    def meanings(self, meaning: Callable[[str], Any], kind: Any) -> Any:
        """What the words mean, found once a word, by code."""
        return np.array([meaning(word) for word in self.distinct], kind)[self.place]

    def map(self, meaning: Callable[[str], Any], kind: Any) -> Any:
        """What each row's word means."""
        return self.raw.look_up(self.meanings(meaning, kind))


def words(column: pl.Series) -> Words:
    """A column of text by distinct value; of a type that lists its words, by that list."""
    if isinstance(column.dtype, pl.Enum) and len(column.dtype.categories) <= FEW:
        listed = [*column.dtype.categories.to_list(), ""]
        return Words(buffers.of(column), np.arange(len(listed), dtype=np.int32), listed)
    if not isinstance(column.dtype, pl.Categorical | pl.Enum):
        column = column.cast(pl.String).cast(pl.Categorical(_WORDS))
    found, raw = column.unique(), buffers.of(column)
    there = buffers.of(found)
    codes = np.where(there.absent(), -1, there.data[there.first :].astype(np.int64))
    place = np.zeros(int(codes.max(initial=-1)) + 2, np.int32)
    place[codes] = np.arange(len(found))  # of null, −1: the last
    return Words(raw, place, found.cast(pl.String).fill_null("").to_list() or [""])


class Table:
    """Rows of a frame, whose columns are looked at once for all its parts."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._whole, self._first, self._n = frame, 0, len(frame)
        self._words: dict[str, Words] = {}
        self._raw: dict[str, Buffer] = {}
        self._days: dict[str, Any] = {}
        self._types: dict[str, Any] = {}

    def part(self, first: int, n: int) -> Table:
        """At most *n* rows, from number *first* on."""
        made = copy.copy(self)
        made._first, made._n = self._first + first, max(0, min(n, self._n - first))
        return made

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, name: str) -> pl.Series:
        return self._whole[name].slice(self._first, self._n)

    def rows(self, at: Any) -> pl.DataFrame:
        """The rows at these places as a frame."""
        return self._whole.select(pl.all().gather(at + self._first))

    def dtype(self, name: str) -> Any:
        """The type of a column; polars takes its time to say, where words are listed."""
        if name not in self._types:
            self._types[name] = self._whole[name].dtype
        return self._types[name]

    def words(self, name: str) -> Words:
        """A column of text."""
        if name not in self._words:
            self._words[name] = words(self._whole[name])
        whole = self._words[name]
        return Words(whole.raw.part(self._first, self._n), whole.place, whole.distinct)

    def codes(self, name: str) -> Buffer:
        """A column of numbers, or of listed words by number, as it lies there."""
        if name not in self._raw:
            column = self._whole[name]
            self._raw[name] = buffers.of(_plainly(column) if self.dtype(name).is_numeric() else column)
        return self._raw[name].part(self._first, self._n)

    def plain_numbers(self, name: str | None, above_zero: bool = False) -> Any:
        """The unqualified numbers of a column, NaN elsewhere, *above_zero* also for those below it; of no column none."""
        if name is None:
            return np.empty(0)
        if self.dtype(name).is_numeric():
            return self.codes(name).floats(above_zero)[0]
        x = numbers(self[name]).plain()
        return np.where(x < 0, np.nan, x) if above_zero else x

    def days(self, name: str, at: Any) -> Any:
        """``days`` of a column at these places."""
        if not isinstance(self.dtype(name), pl.Enum):
            return days(self[name][at])
        found = self.words(name)
        if name not in self._days:
            self._days[name] = days(pl.Series(found.distinct))[found.place]
        return found.raw.look_up(self._days[name])[at]


def state(word: str) -> int:
    """Y/N as a state; anything else is unknown."""
    upper = word.upper()
    return 1 if upper in YES else 0 if upper in NO else UNKNOWN


class Numbers(NamedTuple):
    """``x`` (NaN: none), ``qualifier`` (index in QUALIFIERS), ``why`` (index in REASONS, or NONE: it is a number)."""

    x: Any
    qualifier: Any
    why: Any

    def plain(self) -> Any:
        """The unqualified numbers, NaN elsewhere."""
        return np.where((self.why == NONE) & (self.qualifier == 0), self.x, np.nan)


def numbers(column: pl.Series, scale: Any = None) -> Numbers:
    """A column of results. Numbers below zero are kept: whether they are results depends on the analyte."""
    if column.dtype.is_numeric():
        return _counted(buffers.of(_plainly(column)))
    text = column.cast(pl.String)
    n = len(text)
    x, qualifier, why = np.full(n, np.nan), np.zeros(n, np.int8), np.full(n, NO_VALUE, np.int8)
    odd = np.arange(n)
    if scale is None:
        quick = text.cast(pl.Float64, strict=False).to_numpy()
        finite = np.isfinite(quick)
        x, why = np.where(finite, quick, np.nan), np.where(finite, NONE, NO_VALUE).astype(np.int8)
        odd = np.flatnonzero(~finite & text.is_not_null().to_numpy())
    if len(odd):
        rest = words(text[odd])
        found = [coded(grading.read_number(word, scale, signed=True)) for word in rest.distinct]
        for kept, said in zip((x, qualifier, why), zip(*found, strict=True), strict=True):
            kept[odd] = np.array(said).astype(kept.dtype)[rest.codes]
    return Numbers(x, qualifier, why)


def _counted(raw: Buffer) -> Numbers:
    x, without = raw.floats()
    why = np.full(len(x), NONE, np.int8)
    if without:
        why[np.isnan(x)] = NOT_NUMERIC
        why[raw.absent()] = NO_VALUE
    return Numbers(x, np.zeros(len(x), np.int8), why)


def coded(found: Number | str) -> tuple[float, int, int]:
    """A number, or the reason why there is none, as ``Numbers`` has it."""
    if isinstance(found, Number):
        return float(found.value), QUALIFIERS.index(found.qualifier), NONE
    return np.nan, 0, REASONS.index(found)


def _plainly(column: pl.Series) -> pl.Series:
    """Numbers as a type that compiled code reads."""
    return column if column.dtype in (pl.Float64, pl.Int64) else column.cast(pl.Float64)


def values(table: Table, columns: Columns) -> Numbers:
    """The first column that holds a value: the number, else the text in the same unit (``<0.1``)."""
    first, *others = columns.values
    best = _counted(table.codes(first)) if table.dtype(first).is_numeric() else numbers(table[first])
    for name in others:
        empty = best.why == NO_VALUE
        if not empty.any():
            break
        at = np.flatnonzero(empty)
        part = table.rows(at)
        source = part[name]
        if name.upper().endswith("ORRES"):  # as collected: only where the unit is the same
            units = [part[unit].cast(pl.String).fill_null("") if unit else pl.Series([""] * len(at))
                     for unit in (columns.unit, columns.reported_unit)]  # fmt: skip
            source = part.select(pl.when(units[0] == units[1]).then(pl.col(name).cast(pl.String))).to_series()
        spare = numbers(source)
        best = Numbers(*(kept.copy() for kept in best))
        for kept, found in zip(best, spare, strict=True):
            kept[at] = found
    return best


def on_scale(frame: pl.DataFrame, columns: Columns, scale: Any) -> Numbers:
    """Results reported in words (a dipstick's plus signs), from the first text column that has one."""
    return numbers(first_text(frame, columns), scale)


def first_text(frame: pl.DataFrame, columns: Columns) -> pl.Series:
    """The result as text, of the first column that has one."""
    text = [pl.when(pl.col(name).cast(pl.String) != "").then(pl.col(name).cast(pl.String)) for name in columns.texts]
    return frame.select(pl.coalesce(text)).to_series()


def days(column: pl.Series) -> Any:
    """Days since 1970 (int64) of dates, times or ISO 8601 text; −1 << 31 where the day is not known."""
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        found = column.cast(pl.Date)
    else:
        found = column.cast(pl.String).str.slice(0, len("2026-01-31")).str.to_date("%Y-%m-%d", strict=False)
    return found.cast(pl.Int32).cast(pl.Int64).fill_null(UNKNOWN_DAY).to_numpy()


UNKNOWN_DAY = -1 << 31
