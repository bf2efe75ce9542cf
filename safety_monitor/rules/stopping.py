"""Which events a stopping rule counts, and where the trial stands against its boundary.

Named events and defaults are in ``stopping.toml``; boundaries come from ``stats.stopping``. Subjects are
taken in the order of first treatment, so that a boundary crossed earlier stays visible after later subjects
without events.

>>> found = standing([True, True, True, False], stopping.pocock(30, p0=0.2, phi=0.05))
>>> found.crossed, found.boundary, found.first_crossed_at
(False, 4, 3)
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from safety_monitor.stats import stopping
from safety_monitor.stats.stopping import Boundary, Operating
from safety_monitor.study import StoppingRule

_DATA: dict[str, Any] = tomllib.loads(
    files("safety_monitor.rules").joinpath("stopping.toml").read_text("utf-8")
)


class StoppingRuleError(ValueError):
    """A stopping rule that cannot be computed: names what is unknown and what is known."""


@dataclass(frozen=True)
class CountedEvent:
    """A named event. ``flags`` are boolean columns of the events frame that must all be true."""

    name: str
    says: str
    source: str
    grade_at_least: int | None = None
    flags: tuple[str, ...] = ()

    @property
    def predicate(self) -> pl.Expr:
        """True for the rows of the events frame that count. A missing grade or flag does not count."""
        conditions = [pl.col(flag).fill_null(False) for flag in self.flags]
        if self.grade_at_least is not None:
            conditions.append((pl.col("grade") >= self.grade_at_least).fill_null(False))
        return pl.all_horizontal(conditions)


@dataclass(frozen=True)
class Standing:
    """``n_treated`` (at most the planned number) with ``n_events``; ``boundary`` None: no count stops yet.

    ``first_crossed_at``: number treated when the boundary was first reached; ``next_trigger`` (count, number
    treated): the first point from here on at which the rule could stop; None once crossed.
    """

    n_treated: int
    n_events: int
    boundary: int | None
    crossed: bool
    first_crossed_at: int | None
    next_trigger: tuple[int, int] | None


EVENTS: dict[str, CountedEvent] = {
    name: CountedEvent(
        name=name,
        says=body["says"],
        source=body["source"],
        grade_at_least=body.get("grade_at_least"),
        flags=tuple(body.get("flags", ())),
    )
    for name, body in _DATA["events"].items()
}
METHODS = ("pocock", "beta_binomial")
NUMERATORS = ("subjects",)


def counted_event(name: str) -> CountedEvent:
    """The event called *name*; StoppingRuleError names the nearest one where there is none."""
    return EVENTS[_known(name, tuple(EVENTS), "event")]


@cache
def boundary(rule: StoppingRule) -> Boundary:
    """The boundary of *rule* at every number treated up to its n_max."""
    _known(rule.numerator, NUMERATORS, "numerator")
    if _known(rule.method, METHODS, "method") == "pocock":
        return stopping.pocock(rule.n_max, rule.p0, rule.phi)
    weight = _DATA["beta_binomial"]["prior_subjects"]
    return stopping.beta_binomial(
        rule.n_max, rule.p0, (weight * rule.p0, weight * (1 - rule.p0)), phi=rule.phi
    )


@cache
def characteristics(rule: StoppingRule) -> tuple[Operating, ...]:
    """Operating characteristics of *rule* at its p0 and the worse rates that ``stopping.toml`` asks for."""
    grid = _DATA["operating_characteristics"]
    rates = (round(rule.p0 + k * grid["step"], 10) for k in range(grid["rates"]))
    return tuple(stopping.operating_characteristics(boundary(rule), p) for p in rates if p < 1)


def standing(had_event: Sequence[bool], limit: Boundary) -> Standing:
    """Where the trial stands; *had_event* is one value per treated subject in the order of first
    treatment.
    """
    last = limit.looks[-1]
    path = had_event[:last]
    n, count, running, first = len(path), sum(path), 0, None
    for treated, event in enumerate(path, start=1):
        running += event
        at = limit.stop_at(treated)
        if first is None and at is not None and running >= at:
            first = treated
    ahead = ((at, k) for k in range(max(n, 1), last + 1) if (at := limit.stop_at(k)) is not None)
    now = limit.stop_at(n) if n else None
    return Standing(
        n_treated=n,
        n_events=count,
        boundary=now,
        crossed=now is not None and count >= now,
        first_crossed_at=first,
        next_trigger=None if first is not None else next(ahead, None),
    )


def wants_attention(found: Standing, limit: Boundary) -> str | None:
    """``boundary_crossed`` once the boundary was reached, ``boundary_near`` where one more event would reach it, of a subject
    treated already or of the next one; else None.

    >>> thirty = stopping.pocock(30, p0=0.2, phi=0.05)
    >>> [wants_attention(standing([True] * n, thirty), thirty) for n in (1, 2, 3)]
    [None, 'boundary_near', 'boundary_crossed']
    """
    if found.crossed or found.first_crossed_at is not None:
        return "boundary_crossed"
    soon = (found.n_treated, min(found.n_treated + 1, limit.looks[-1]))
    near = any(at is not None and found.n_events + 1 >= at for n in soon if n and (at := limit.stop_at(n)) is not None)
    return "boundary_near" if near else None


def _known(name: str, known: tuple[str, ...], what: str) -> str:
    if name in known:
        return name
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise StoppingRuleError(f"study settings: stopping: {what} {name!r} is not known; {hint}")
