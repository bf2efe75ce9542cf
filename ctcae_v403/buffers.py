"""Columns as the memory they lie in: values and, bit by bit, which of them are there, read by compiled loops.

A table is read in parts small enough to stay near the processor, and then what a part costs is what is called for it. One
call a column, and no copy of it that is not asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import polars as pl

_compiled = numba.njit(nogil=True, cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]
_ALL = np.zeros(0, np.uint8)
FEW = 4096  # words that are worth a meaning each, whether they occur or not


class Buffer(NamedTuple):
    """``data`` from place ``first`` on; ``valid``: bits of which values are there, from the same place on, empty for all."""

    data: Any
    valid: Any
    first: int
    n: int

    def part(self, first: int, n: int) -> Buffer:
        """The *n* values from place *first* on."""
        return Buffer(self.data, self.valid, self.first + first, n)

    def floats(self, above_zero: bool = False) -> tuple[Any, int]:
        """The finite numbers (float64), NaN elsewhere, and how many are elsewhere; *above_zero*: nor those below zero."""
        out = np.empty(self.n)
        return out, int(_floats(self.data, self.valid, self.first, above_zero, out))

    def look_up(self, meaning: Any) -> Any:
        """What each code means; the last of *meaning* is that of none."""
        out = np.empty(self.n, meaning.dtype)
        _look_up(self.data, self.valid, self.first, meaning, out)
        return out

    def add_up(self, meaning: Any, out: Any) -> None:
        """Adds to *out* what each code means."""
        _add_up(self.data, self.valid, self.first, meaning, out)

    def absent(self) -> Any:
        """Whether each value is missing."""
        out = np.zeros(self.n, np.bool_)
        if len(self.valid):
            _absent(self.valid, self.first, out)
        return out


def of(series: pl.Series) -> Buffer:
    """A column of numbers, or the codes of words, without a copy."""
    if isinstance(series.dtype, pl.Enum) and len(series.dtype.categories) <= FEW:
        array = series.to_arrow().indices  # at a fifth of the price of what follows
    else:
        array = (series if series.dtype.is_numeric() else series.to_physical()).to_arrow()
    valid, data = array.buffers()
    n = len(array)
    kind = np.dtype(array.type.to_pandas_dtype())
    there = np.frombuffer(valid, np.uint8) if valid is not None and array.null_count else _ALL
    return Buffer(np.frombuffer(data, kind) if n else np.zeros(0, kind), there, array.offset, n)


@_compiled
def _there(valid: Any, at: int) -> int:
    return (valid[at >> 3] >> (at & 7)) & 1


@_compiled
def _next_absent(valid: Any, first: int, i: int, n: int) -> int:
    """The next value from *i* on that is not there; *n* if there is none."""
    while i < n:
        if (first + i) & 7 == 0 and valid[(first + i) >> 3] == 255:
            i += 8
        elif _there(valid, first + i):
            i += 1
        else:
            return i
    return n


@_compiled
def _floats(data: Any, valid: Any, first: int, above_zero: bool, out: Any) -> int:
    least, n, without = 0.0 if above_zero else -np.inf, len(out), 0
    for i in range(n):
        x = np.float64(data[first + i])
        fine = (x >= least) & (abs(x) < np.inf)
        out[i] = x if fine else np.nan
        without += not fine
    if len(valid):
        i = _next_absent(valid, first, 0, n)
        while i < n:
            out[i] = np.nan
            without += 1
            i = _next_absent(valid, first, i + 1, n)
    return without


@_compiled
def _look_up(data: Any, valid: Any, first: int, meaning: Any, out: Any) -> None:
    none = len(meaning) - 1
    if len(valid) == 0:
        for i in range(len(out)):
            out[i] = meaning[data[first + i]]
    else:
        for i in range(len(out)):
            out[i] = meaning[data[first + i] if _there(valid, first + i) else none]


@_compiled
def _add_up(data: Any, valid: Any, first: int, meaning: Any, out: Any) -> None:
    none = len(meaning) - 1
    if len(valid) == 0:
        for i in range(len(out)):
            out[i] += meaning[data[first + i]]
    else:
        for i in range(len(out)):
            out[i] += meaning[data[first + i] if _there(valid, first + i) else none]


@_compiled
def _absent(valid: Any, first: int, out: Any) -> None:
    for i in range(len(out)):
        out[i] = _there(valid, first + i) == 0


@_compiled
def among(keys: Any, wanted: Any, out: Any) -> int:
    """Enters in *out* the places of *keys* that are *wanted* (by key, 0 or 1); how many there are."""
    n = 0
    for i in range(len(keys)):
        out[n] = i
        n += wanted[keys[i]]
    return n


@_compiled
def mark(codes: Any, seen: Any) -> None:
    """Marks the codes that occur."""
    for i in range(len(codes)):
        seen[codes[i]] = True


@_compiled
def renumber(codes: Any, number: Any) -> None:
    """Replaces each code by its *number*."""
    for i in range(len(codes)):
        codes[i] = number[codes[i]]


@_compiled
def any_below_zero(x: Any) -> bool:
    """Whether any number is."""
    found = False
    for i in range(len(x)):
        found |= x[i] < 0
    return found


@_compiled
def add_where(true: Any, amount: int, out: Any) -> None:
    """Adds *amount* where it is *true*."""
    for i in range(len(out)):
        out[i] += amount if true[i] else 0


@_compiled
def add_where_from(x: Any, bound: float, amount: int, unknown: int, out: Any) -> None:
    """Adds *amount* from *bound* on, *unknown* where there is no number."""
    for i in range(len(out)):
        out[i] += unknown if x[i] != x[i] else (amount if x[i] >= bound else 0)
