"""What the engine is measured against: three ways in which people attribute, each as shares so that scores compare.

Each is given the benefit of a separate training draw of the simulator: an answer becomes the shares that the true causes had
among the training events with that answer. The fourth is no human way: a table of all terms by time, learnt from the simulator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from attribution_trials import CAUSES, COMPONENTS, FINDINGS
from measures import Floats

from safety_monitor.attribution import Case, Challenge, Exposure
from safety_monitor.attribution.instruments import naranjo, prefill_naranjo
from safety_monitor.study import Component


def _learnt(train: pl.DataFrame, train_key: list[Any], test_key: list[Any]) -> Floats:
    """Shares of the causes among the training events with the same answer; of all events where it never occurred."""
    counts: dict[Any, np.ndarray[Any, Any]] = {}
    for key, cause in zip(train_key, train["TRUTH"], strict=True):
        counts.setdefault(key, np.ones(len(CAUSES)))[CAUSES.index(cause)] += 1
    overall = np.array([train.filter(pl.col("TRUTH") == cause).height for cause in CAUSES], dtype=float)
    return np.stack([(found := counts.get(key, overall)) / found.sum() for key in test_key])


def most_frequent(train: pl.DataFrame, test: pl.DataFrame) -> Floats:
    """The usual cause of that term."""
    return _learnt(train, train["AEDECOD"].to_list(), test["AEDECOD"].to_list())


def nearest_exposure(train: pl.DataFrame, test: pl.DataFrame) -> Floats:
    """Whatever was given last before the onset, and how long ago (same day, a week, a month, longer)."""
    return _learnt(train, _nearest(train), _nearest(test))


def term_and_time(train: pl.DataFrame, test: pl.DataFrame) -> Floats:
    """The causes of that term at that time after whatever was given last: what is to be had from term and time alone, by one
    who has seen the truth of other trials."""
    keys = [list(zip(frame["AEDECOD"], _nearest(frame), strict=True)) for frame in (train, test)]
    return _learnt(train, keys[0], keys[1])


def _nearest(frame: pl.DataFrame) -> list[tuple[str, int]]:
    found = []
    columns = [f"{name.upper()}_DAYS_SINCE_LAST" for name in COMPONENTS]
    for days in frame.select(columns).iter_rows():
        known = [(day, name) for day, name in zip(days, COMPONENTS, strict=True) if day is not None and day >= 0]
        day, name = min(known, default=(10_000.0, "none"))
        found.append((name, int(np.searchsorted([1, 8, 31], day, side="right"))))
    return found


def naranjo_per_component(train: pl.DataFrame, test: pl.DataFrame, components: Sequence[Component]) -> Floats:
    """The scale run once for each component; the totals of the three together are the answer."""
    return _learnt(train, _totals(train, components), _totals(test, components))


def _totals(frame: pl.DataFrame, components: Sequence[Component]) -> list[tuple[int, ...]]:
    found = []
    for row in frame.iter_rows(named=True):
        case = Case("", row["AEDECOD"], grade=row["AETOXGR"], evidence=_answers(row), exposures=_seen(row))
        totals = [naranjo(prefill_naranjo(case, part)[0]).total for part in components]
        best = max(totals)
        found.append((*tuple(int(total == best) for total in totals), best))
    return found


def _answers(row: dict[str, Any]) -> dict[str, bool | None]:
    words = {"Y": True, "N": False, None: None}
    return {name.lower(): words[row[name]] for name in FINDINGS}


def _seen(row: dict[str, Any]) -> dict[str, Exposure]:
    return {
        name: Exposure(
            row[f"{name.upper()}_EXPOSED"] == "Y", row[f"{name.upper()}_DAYS_SINCE_FIRST"],
            row[f"{name.upper()}_DAYS_SINCE_LAST"],
            {"Y": True, "N": False, None: None}[row[f"{name.upper()}_ONGOING"]],
            Challenge(row[f"{name.upper()}_DECHALLENGE"]), Challenge(row[f"{name.upper()}_RECHALLENGE"]),
        )
        for name in COMPONENTS
    }  # fmt: skip
