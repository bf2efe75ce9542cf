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
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import accumulate
from math import log
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
    without: str | None = None
    related_to: tuple[str, ...] = ()

    @property
    def predicate(self) -> pl.Expr:
        """True for the rows of the events frame that count. A missing grade or flag does not count; a blank opinion on a
        component follows the overall one, as everywhere.
        """
        conditions = [pl.col(flag).fill_null(False) for flag in self.flags]
        if self.grade_at_least is not None:
            conditions.append((pl.col("grade") >= self.grade_at_least).fill_null(False))
        if self.without is not None:
            group = _DATA["groups"][self.without]
            inside = pl.col("aebodsys").is_in(group["classes"]) | pl.col("aedecod").is_in(group["terms"])
            conditions.append(~inside.fill_null(False))
        if self.related_to:
            opinions = (pl.col(f"related_{name}").fill_null(pl.col("related")) for name in self.related_to)
            conditions.append(pl.any_horizontal(*opinions).fill_null(False))
        return pl.all_horizontal(conditions)


@dataclass(frozen=True)
class Standing:
    """``n_treated`` (at most the planned number) with ``n_events``; ``boundary`` None: no count stops yet.

    ``first_crossed_at``: number treated when the boundary was first reached; ``next_trigger`` (count, number
    treated): the first point from here on at which the rule could stop; None once crossed. ``one_away``: one more event
    would reach the boundary, at the latest look or at the next.
    """

    n_treated: int
    n_events: int
    boundary: int | None
    crossed: bool
    first_crossed_at: int | None
    next_trigger: tuple[int, int] | None
    one_away: bool


EVENTS: dict[str, CountedEvent] = {
    name: CountedEvent(
        name=name,
        says=body["says"],
        source=body["source"],
        grade_at_least=body.get("grade_at_least"),
        flags=tuple(body.get("flags", ())),
        without=body.get("without"),
    )
    for name, body in _DATA["events"].items()
}
#: Each method with the settings that are its own.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "pocock": ("looks",),
    "group": ("looks", "shape"),
    "beta_binomial": ("looks", "prior", "certainty"),
    "boin": ("looks", "prior", "certainty"),
    "sprt": ("looks", "p1", "power"),
}
METHODS = tuple(_SETTINGS)
NUMERATORS = ("subjects",)
#: What a method cannot do without.
_NEEDED = {"group": "looks", "sprt": "p1"}


def counted_event(name: str) -> CountedEvent:
    """The event called *name*; StoppingRuleError names the nearest one where there is none."""
    return EVENTS[_known(name, tuple(EVENTS), "event")]


def counted(rule: StoppingRule) -> CountedEvent:
    """What *rule* counts: its event, of its components where it names some."""
    event = counted_event(rule.event)
    if not rule.components:
        return event
    says = f"{event.says}, related to {' or '.join(rule.components)}"
    return replace(event, says=says, related_to=rule.components)


@cache
def boundary(rule: StoppingRule) -> Boundary:
    """The boundary of *rule* at every look up to its n_max; StoppingRuleError where its settings do not fit its method."""
    _known(rule.numerator, NUMERATORS, "numerator")
    _check(rule)
    looks = looks_of(rule)
    certainty, prior = certainty_of(rule), prior_of(rule)
    match rule.method:
        case "sprt":
            assert rule.p1 is not None  # checked
            if rule.power is None:
                return stopping.sprt(rule.n_max, rule.p0, rule.p1, phi=rule.phi, looks=looks)
            return stopping.sprt(rule.n_max, rule.p0, rule.p1, bound=log(rule.power / rule.phi), looks=looks)
        case "beta_binomial" | "boin":
            assert prior is not None
            phi = rule.phi if certainty is None else None
            return stopping.beta_binomial(rule.n_max, rule.p0, prior, phi=phi, certainty=certainty, looks=looks)
        case _:
            return stopping.group(rule.n_max, rule.p0, rule.phi, looks, rule.shape or 0.0)


def looks_of(rule: StoppingRule) -> tuple[int, ...]:
    """The numbers treated at which *rule* is looked at: its own, or every one from its first."""
    first = _DATA["boin"]["first_look"] if rule.method == "boin" and rule.first_look == 1 else rule.first_look
    return rule.looks or tuple(range(min(first, rule.n_max), rule.n_max + 1))


def prior_of(rule: StoppingRule) -> tuple[float, float] | None:
    """The Beta prior of a Bayesian rule; None for the others."""
    if rule.method == "boin":
        return rule.prior or tuple(_DATA["boin"]["prior"])
    if rule.method == "beta_binomial":
        weight = _DATA["beta_binomial"]["prior_subjects"]
        return rule.prior or (weight * rule.p0, weight * (1 - rule.p0))
    return None


def certainty_of(rule: StoppingRule) -> float | None:
    """How certain a Bayesian rule must be to stop, where that is fixed; None where ``phi`` is aimed at instead."""
    if rule.certainty is None and rule.method == "boin":
        return float(_DATA["boin"]["certainty"])
    return rule.certainty


def posterior(rule: StoppingRule, n_events: int, n_treated: int) -> float | None:
    """How likely the rate lies above p0 after *n_events* of *n_treated*; None where *rule* is not Bayesian."""
    prior = prior_of(rule)
    return None if prior is None else stopping.posterior(n_events, n_treated, rule.p0, prior)


@cache
def characteristics(rule: StoppingRule) -> tuple[Operating, ...]:
    """Operating characteristics of *rule* at its p0 and the worse rates that ``stopping.toml`` asks for."""
    grid = _DATA["operating_characteristics"]
    rates = (round(rule.p0 + k * grid["step"], 10) for k in range(grid["rates"]))
    return tuple(stopping.operating_characteristics(boundary(rule), p) for p in rates if p < 1)


@cache
def curve(rule: StoppingRule) -> tuple[Operating, ...]:
    """The same at many rates around p0, close enough for a line."""
    grid = _DATA["curve"]
    first, last = max(0.0, rule.p0 - grid["below"]), min(1.0, rule.p0 + grid["above"])
    steps = round((last - first) / grid["step"])
    return tuple(
        stopping.operating_characteristics(boundary(rule), round(first + k * grid["step"], 10)) for k in range(steps + 1)
    )


def standing(had_event: Sequence[bool], limit: Boundary) -> Standing:
    """Where the trial stands; *had_event* is one value per treated subject in the order of first
    treatment. A boundary is reached at its looks only.
    """
    last = limit.looks[-1]
    path = had_event[:last]
    n, running = len(path), (0, *accumulate(path))
    looked = [(look, at) for look, at in zip(limit.looks, limit.at, strict=True) if look <= n]
    crossings = (look for look, at in looked if at is not None and running[look] >= at)
    first = next(crossings, None)
    ahead = ((at, look) for look, at in zip(limit.looks, limit.at, strict=True) if look >= n and at is not None)
    latest, now = looked[-1] if looked else (0, None)
    upcoming = next((limit.stop_at(look) for look in limit.looks if look > n), None)
    crossed = now is not None and running[latest] >= now
    near = (now is not None and running[latest] + 1 >= now) or (upcoming is not None and running[n] + 1 >= upcoming)
    return Standing(
        n_treated=n,
        n_events=running[n],
        boundary=now,
        crossed=crossed,
        first_crossed_at=first,
        next_trigger=None if first is not None else next(ahead, None),
        one_away=near and first is None,
    )


def wants_attention(found: Standing) -> str | None:
    """``boundary_crossed`` once the boundary was reached, ``boundary_near`` where one more event would reach it, of a subject
    treated already or of those until the next look; else None.

    >>> thirty = stopping.pocock(30, p0=0.2, phi=0.05)
    >>> [wants_attention(standing([True] * n, thirty)) for n in (1, 2, 3)]
    [None, 'boundary_near', 'boundary_crossed']
    """
    if found.crossed or found.first_crossed_at is not None:
        return "boundary_crossed"
    return "boundary_near" if found.one_away else None


def _check(rule: StoppingRule) -> None:
    method = _known(rule.method, METHODS, "method")
    given = [name for name in ("looks", "shape", "prior", "certainty", "p1", "power") if getattr(rule, name)]
    if strange := sorted(set(given) - set(_SETTINGS[method])):
        fits = ", ".join(_SETTINGS[method])
        raise StoppingRuleError(f"study settings: stopping: {strange[0]} does not go with method {method}; it takes {fits}")
    if (needed := _NEEDED.get(method)) and not getattr(rule, needed):
        raise StoppingRuleError(f"study settings: stopping: method {method} needs {needed}")
    if rule.p1 is not None and rule.p1 <= rule.p0:
        raise StoppingRuleError(f"study settings: stopping: p1 = {rule.p1} must be above p0 = {rule.p0}")
    if rule.power is not None and rule.power <= rule.phi:
        raise StoppingRuleError(f"study settings: stopping: power = {rule.power} must be above phi = {rule.phi}")


def _known(name: str, known: tuple[str, ...], what: str) -> str:
    if name in known:
        return name
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise StoppingRuleError(f"study settings: stopping: {what} {name!r} is not known; {hint}")
