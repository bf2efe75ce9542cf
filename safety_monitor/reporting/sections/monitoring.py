"""Stopping rules: where the trial stands against each configured boundary, what is asked of the board, and what each rule
does in the long run. Where no rule is configured, the rates that one could count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.stopping_words import how_of, label_of
from safety_monitor.reporting.wording import t, words
from safety_monitor.rules import stopping
from safety_monitor.study import StoppingRule

#: Bounds are shown in at most this many columns, each of at least this many rows.
COLUMNS, ROWS = 5, 8


def section(material: Material) -> Section:
    tables = material.tables
    rules = [
        _shown(material, rule, row)
        for rule, row in zip(material.settings.stopping, tables["stopping"].frame.iter_rows(named=True), strict=True)
    ]
    rates = [
        row | {"label": words(stopping.EVENTS[row["event"]].says)} for row in tables["event_rates"].frame.iter_rows(named=True)
    ]
    values = {
        "table": tables["stopping"], "path": tables["stopping_path"], "operating": tables["stopping_operating"],
        "rules": rules, "event_rates": tables["event_rates"], "rates": rates,
    }  # fmt: skip
    return Section("monitoring", words("Stopping rules"), values)


def _shown(material: Material, rule: StoppingRule, row: dict[str, Any]) -> dict[str, Any]:
    tables, number = material.tables, row["rule"]
    label = t(label_of(rule))
    bounds = tables["stopping_boundary"].frame.filter(rule=number).drop_nulls("stop_at")
    operating = tables["stopping_operating"].frame.filter(rule=number)
    path = tables["stopping_path"].frame.filter(rule=number)["n_events"].to_list()
    picture = None
    if bounds.height:
        steps = list(bounds.select("n_treated", "stop_at").iter_rows())
        picture = figures.stopping_boundary(steps, path, rule.n_max, rule.p0, label)
    curve = [(o.p, o.stopped, o.expected_n) for o in stopping.curve(rule)]
    characteristic = figures.operating_characteristics(curve, operating["p"].to_list(), rule.p0, rule.n_max, label)
    return row | {
        "label": label,
        "how": how_of(rule),
        "status": "reached" if row["first_crossed_at"] is not None else "near" if row["one_away"] else "clear",
        "next": _next(bounds, row["n_treated"], row["n_events"]),
        "picture": picture,
        "characteristic": characteristic,
        "bounds": columns_of(_ranges(bounds, row["n_treated"], row["n_events"])),
        "certainty_at_boundary": _certainty(rule, bounds),
        "operating": operating.to_dicts(),
    }


def columns_of(ranges: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    """*ranges* in columns of equal length."""
    height = max(ROWS, -(-len(ranges) // COLUMNS))
    return [ranges[start : start + height] for start in range(0, len(ranges), height)]


def _certainty(rule: StoppingRule, bounds: pl.DataFrame) -> float | None:
    """The least posterior probability that stops: that of the boundary's own points. None where the rule is not Bayesian."""
    found = [stopping.posterior(rule, at, n) for n, at in bounds.select("n_treated", "stop_at").iter_rows()]
    return min((value for value in found if value is not None), default=None)


def _next(bounds: pl.DataFrame, n_treated: int, n_events: int) -> dict[str, int] | None:
    """The first look from here on that can stop the trial, and how many more events that takes; None where all are past."""
    ahead = bounds.filter(pl.col("n_treated") >= n_treated)
    return None if ahead.is_empty() else {"at": ahead["n_treated"][0], "more": max(ahead["stop_at"][0] - n_events, 0)}


def _ranges(bounds: pl.DataFrame, n_treated: int, n_events: int) -> list[dict[str, Any]]:
    """The boundary in words of n: 4–6 means that as many events stop at 4, 5 and 6 subjects; ``more``: how many more that
    takes from now on, None where all these looks are past.
    """
    grouped = bounds.group_by("stop_at", maintain_order=True).agg(
        first=pl.col("n_treated").min(), last=pl.col("n_treated").max()
    )
    return [
        {
            "range": str(first) if first == last else f"{first}–{last}",
            "stop_at": at,
            "more": max(at - n_events, 0) if last >= n_treated else None,
            "now": first <= n_treated <= last,
        }
        for at, first, last in grouped.iter_rows()
    ]
