"""A simulated pile of laboratory and vital-sign results of an oncology trial, to measure grading with.

Every subject follows one schedule of 400 results: blood counts at every visit, chemistry at most, clotting, lipids and urine
at some; 36 tests, four of them (and glucose in urine) without a CTCAE term. Four laboratories report in their own units with
their own limits; a subject belongs to one. 2 % of the rows lack their limits, 1 % their value, 2 % of the baselines were
never taken, for a third of the rows nobody wrote down whether the subject had fasted.

The numbers are invented: medians, spreads and frequencies are plausible, and wide enough that every grade occurs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

PER_SUBJECT = 400
SUBJECTS_AT_ONCE = 2500  # a million rows


class Test(NamedTuple):
    """``visits``: at how many of the visits; ``us``: conventional unit, factor and decimals; ``median``, ``spread`` (of the
    logarithm) and ``heavy`` (share of results from four times that spread) in ``unit``.
    """

    code: str
    visits: int
    unit: str
    lln: float
    uln: float
    decimals: int
    median: float
    spread: float
    us: tuple[str, float, int] | None = None
    specimen: str = "BLOOD"
    heavy: float = 0.05


N_VISITS = 16
COUNT = ("/mm3", 1000.0, 0)
TESTS = (
    Test("HGB", 16, "g/L", 120, 160, 0, 112, 0.13, ("g/dL", 0.1, 1)),
    Test("WBC", 16, "10^9/L", 4, 10, 2, 5.4, 0.42, COUNT),
    Test("NEUT", 16, "10^9/L", 2, 7, 2, 3.1, 0.55, COUNT),
    Test("LYM", 16, "10^9/L", 1, 4, 2, 1.3, 0.45, COUNT),
    Test("PLAT", 16, "10^9/L", 150, 400, 0, 190, 0.42, COUNT),
    Test("HCT", 16, "%", 36, 48, 1, 35, 0.12),
    Test("MONO", 15, "10^9/L", 0.2, 0.8, 2, 0.5, 0.4),
    Test("ALT", 14, "U/L", 7, 40, 0, 27, 0.7),
    Test("AST", 14, "U/L", 13, 35, 0, 26, 0.6),
    Test("ALP", 14, "U/L", 40, 129, 0, 98, 0.45),
    Test("BILI", 14, "umol/L", 3, 21, 1, 9.5, 0.55, ("mg/dL", 0.05848, 2)),
    Test("CREAT", 14, "umol/L", 62, 106, 0, 80, 0.3, ("mg/dL", 0.01131, 2)),
    Test("SODIUM", 14, "mmol/L", 135, 145, 0, 139, 0.022, ("mEq/L", 1.0, 0)),
    Test("K", 14, "mmol/L", 3.5, 5.1, 1, 4.2, 0.12, ("mEq/L", 1.0, 1)),
    Test("ALB", 14, "g/L", 35, 50, 0, 38, 0.14, ("g/dL", 0.1, 1)),
    Test("CA", 12, "mmol/L", 2.15, 2.55, 2, 2.31, 0.06, ("mg/dL", 4.008, 1)),
    Test("GLUC", 12, "mmol/L", 3.9, 6.1, 1, 5.7, 0.28, ("mg/dL", 18.0156, 0)),
    Test("MG", 12, "mmol/L", 0.7, 1.05, 2, 0.82, 0.14, ("mg/dL", 2.4305, 1)),
    Test("PHOS", 12, "mmol/L", 0.8, 1.45, 2, 1.08, 0.25, ("mg/dL", 3.0974, 1)),
    Test("LDH", 8, "U/L", 120, 250, 0, 230, 0.5),
    Test("UREAN", 8, "mmol/L", 2.5, 7.8, 1, 5.5, 0.35, ("mg/dL", 2.8, 0)),
    Test("GGT", 10, "U/L", 8, 61, 0, 45, 0.8),
    Test("URATE", 4, "umol/L", 200, 420, 0, 330, 0.28, ("mg/dL", 0.01681, 1)),
    Test("AMYLASE", 6, "U/L", 28, 100, 0, 60, 0.5),
    Test("LIPASET", 6, "U/L", 13, 60, 0, 34, 0.6),
    Test("CK", 6, "U/L", 30, 200, 0, 95, 0.8),
    Test("CHOL", 4, "mmol/L", 3, 5.2, 1, 5.0, 0.25, ("mg/dL", 38.665, 0)),
    Test("TRIG", 4, "mmol/L", 0.4, 1.7, 2, 1.5, 0.5, ("mg/dL", 88.54, 0)),
    Test("INR", 6, "RATIO", 0.8, 1.2, 2, 1.06, 0.2),
    Test("APTT", 6, "s", 25, 37, 1, 31, 0.2),
    Test("FIBRINO", 4, "g/L", 2, 4, 1, 3.6, 0.35, ("mg/dL", 100.0, 0)),
    Test("PROTCRT", 5, "mg/mmol", 0, 15, 1, 11, 0.9, ("mg/g", 8.8496, 0), "URINE"),
    Test("GLUC", 4, "mmol/L", 0, 0.8, 1, 0.4, 0.7, ("mg/dL", 18.0156, 0), "URINE"),
    Test("TEMP", 12, "C", np.nan, np.nan, 1, 36.7, 0.012, ("F", 1.8, 1), ""),
    Test("SYSBP", 12, "mmHg", np.nan, np.nan, 0, 127, 0.11, None, ""),
    Test("DIABP", 12, "mmHg", np.nan, np.nan, 0, 77, 0.11, None, ""),
    Test("WEIGHT", 12, "kg", np.nan, np.nan, 1, 74, 0.05, ("LB", 2.2046, 0), ""),
)  # fmt: skip
N_LABS = 4
CONVENTIONAL = (False, False, False, True)  # of each laboratory: whether it reports in conventional units
SHARES = (0.4, 0.2, 0.1, 0.3)
STRINGS = ("STUDYID", "USUBJID", "LBTESTCD", "LBSPEC", "LBSTRESU", "LBBLFL", "LBFAST", "LBDTC", "SEX")

_CODES = list(dict.fromkeys(test.code for test in TESTS))
_SPECIMENS = ["BLOOD", "URINE"]
_UNITS = list(dict.fromkeys(unit for test in TESTS for unit in (test.unit, test.us[0] if test.us else test.unit)))
_DAYS = 2000
_DATES = (np.datetime64("2021-01-04") + np.arange(_DAYS)).astype(str).tolist()
_Y, _FASTING, _SEXES = ["Y"], ["Y", "N", "U"], ["F", "M"]


def frame(n_rows: int, order: str = "random", seed: int = 403) -> pl.DataFrame:
    """*n_rows* results; ``order``: random, or test (then subject, as a study's files are sorted)."""
    whole = pl.concat(list(_parts(n_rows, seed)))
    if order == "random":
        return whole[np.random.default_rng(seed).permutation(n_rows)]
    # a stable sort by test: the subjects come by site, each with its laboratory
    return whole[np.argsort(whole["LBTESTCD"].to_physical().to_numpy(), kind="stable")]


def frames(n_rows: int, seed: int = 403) -> Iterator[pl.DataFrame]:
    """The same in parts of a million rows, each in random order, for files that do not fit into memory."""
    draw = np.random.default_rng(seed)
    for part in _parts(n_rows, seed):
        yield part[draw.permutation(len(part))]


def _parts(n_rows: int, seed: int) -> Iterator[pl.DataFrame]:
    n_subjects = -(-n_rows // PER_SUBJECT)
    subjects = pl.Enum([f"ONC-301-{each // 100:04d}-{each % 100:03d}" for each in range(n_subjects)])
    left = n_rows
    for number, first in enumerate(range(0, n_subjects, SUBJECTS_AT_ONCE)):
        there = np.arange(first, min(n_subjects, first + SUBJECTS_AT_ONCE))
        part = _part(np.random.default_rng([seed, number]), there, subjects).head(left)
        left -= len(part)
        yield part


def _schedule() -> tuple[np.ndarray, np.ndarray]:
    """Test and visit of each of the results of a subject, by visit."""
    visits = [np.linspace(0, N_VISITS - 1, test.visits).round().astype(int).tolist() for test in TESTS]
    visit, test = np.array(sorted((visit, place) for place, those in enumerate(visits) for visit in those)).T
    assert len(visit) == PER_SUBJECT
    return test, visit


def _part(draw: np.random.Generator, there: np.ndarray, subjects: pl.Enum) -> pl.DataFrame:
    """All results of some subjects, subject by subject."""
    n_subjects, n_tests = len(there), len(TESTS)
    test, visit = (np.tile(column, n_subjects) for column in _schedule())
    own = np.repeat(np.arange(n_subjects), PER_SUBJECT)
    n = len(own)
    # of a subject
    site = there // 100  # and with it the laboratory
    lab = np.searchsorted(np.cumsum(SHARES), (site * 0.6180339887) % 1.0, side="right").clip(0, N_LABS - 1)[own]
    female = draw.random(n_subjects) < 0.45
    young, age = draw.random(n_subjects) < 0.01, draw.normal(62, 11, n_subjects).clip(18, 90)
    age = np.where(young, draw.integers(12, 18, n_subjects), age)
    age_known = draw.random(n_subjects) >= 0.005
    entered = draw.integers(0, _DAYS - 400, n_subjects)
    usual = draw.normal(size=(n_subjects, n_tests)) * 0.6
    never = draw.random((n_subjects, n_tests)) < 0.02
    # of a test in a laboratory
    lln, uln, factor, decimals, unit = _reported()
    median, spread, heavy = (np.array([getattr(each, name) for each in TESTS]) for name in ("median", "spread", "heavy"))
    change = draw.standard_normal(n) * 0.8
    change *= np.where(draw.random(n) < heavy[test], 4.0, 1.0)
    places, zero = 10.0 ** decimals[lab, test], np.where((unit[lab, test] == _UNITS.index("F")), 32.0, 0.0)

    def as_reported(deviation: np.ndarray) -> Any:
        raw = median[test] * np.exp(spread[test] * deviation) * factor[lab, test] + zero
        return np.maximum(np.round(raw * places), 1.0) / places

    base = as_reported(usual[own, test])
    first = visit == 0
    value = np.where(first, base, as_reported(usual[own, test] + change))
    no_base = never[own, test]
    value[(first & no_base) | (draw.random(n) < 0.01)] = np.nan
    base[no_base | (first & np.isnan(value))] = np.nan
    sexed = np.isin(test, [place for place, each in enumerate(TESTS) if each.code in ("HGB", "CREAT", "URATE", "CK")])
    of_women = np.where(sexed & female[own], 0.92, 1.0)
    low, high = (np.round(limit[lab, test] * of_women * places) / places for limit in (lln, uln))
    for limit in (low, high):
        limit[draw.random(n) < 0.02] = np.nan
    wrong = draw.random(n) < 0.0002
    low[wrong], high[wrong] = high[wrong], low[wrong]
    fasting = np.searchsorted([0.45, 0.68, 0.78], draw.random(n)).astype(np.int8)  # Y, N, U, nothing
    spec = np.array([_SPECIMENS.index(each.specimen) if each.specimen else -1 for each in TESTS])
    code = np.array([_CODES.index(each.code) for each in TESTS])
    day = entered[own] + visit * 21
    return pl.DataFrame(
        {
            "STUDYID": _words(np.zeros(n, int), pl.Enum(["ONC-301"])),
            "USUBJID": _words(there[own], subjects),
            "LBTESTCD": _words(code[test], pl.Enum(_CODES)),
            "LBSPEC": _words(spec[test], pl.Enum(_SPECIMENS)),
            "LBSTRESN": pl.Series(value).fill_nan(None),
            "LBSTRESU": _words(unit[lab, test], pl.Enum(_UNITS)),
            "LBSTNRLO": pl.Series(low).fill_nan(None),
            "LBSTNRHI": pl.Series(high).fill_nan(None),
            "BASE": pl.Series(base).fill_nan(None),
            "LBBLFL": _words(np.where(first & ~np.isnan(value), 0, -1), pl.Enum(_Y)),
            "LBFAST": _words(np.where(fasting < len(_FASTING), fasting, -1), pl.Enum(_FASTING)),
            "LBDTC": _words(day, pl.Enum(_DATES)),
            "SEX": _words(np.where(female, 0, 1)[own], pl.Enum(_SEXES)),
            "AGE": pl.Series(np.where(age_known, age, -1)[own].astype(np.int16)).replace(-1, None),
        }
    )


def _reported() -> tuple[np.ndarray, ...]:
    """By laboratory and test: limits, factor from SI, decimals, unit. The same for every part of a trial."""
    draw = np.random.default_rng(N_LABS)
    shape = (N_LABS, len(TESTS))
    lln, uln, factor = (np.empty(shape) for _ in range(3))
    decimals, unit = (np.empty(shape, int) for _ in range(2))
    for lab in range(N_LABS):
        for place, test in enumerate(TESTS):
            name, times, digits = test.us if test.us and CONVENTIONAL[lab] else (test.unit, 1.0, test.decimals)
            apart = 0.01 if test.code in ("SODIUM", "CA") else 0.06
            lln[lab, place] = test.lln * times * (1 + apart * draw.uniform(-1, 1))
            uln[lab, place] = test.uln * times * (1 + apart * draw.uniform(-1, 1))
            factor[lab, place], decimals[lab, place], unit[lab, place] = times, digits, _UNITS.index(name)
    return lln, uln, factor, decimals, unit


def _words(codes: np.ndarray, kind: pl.Enum) -> pl.Series:
    """A column of words by their codes; below zero is null."""
    numbers = pl.Series(codes, dtype=pl.Int64)
    return pl.select(pl.when(numbers >= 0).then(numbers)).to_series().cast(pl.UInt32).cat.to(kind)
