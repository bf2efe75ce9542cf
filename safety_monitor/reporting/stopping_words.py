"""What a configured stopping rule counts and how its boundary was made, in words: the same in every section that speaks of it."""

from __future__ import annotations

from safety_monitor.reporting.formats import percent
from safety_monitor.reporting.wording import Words, words
from safety_monitor.rules import stopping
from safety_monitor.study import StoppingRule

_HOW = {
    "pocock": "Exact binomial boundary of Pocock’s type (Ivanova), calibrated to stop with a chance of at most {phi} % at the "
    "acceptable rate of {p0} %.",
    "group": "Exact binomial boundary at {looks} planned looks, shape {shape} (0 Pocock, 0.5 O’Brien-Fleming), calibrated to "
    "stop with a chance of at most {phi} % at the acceptable rate of {p0} %.",
    "certain": "Bayesian: stop where the rate lies above {p0} % with a probability of more than {certainty} %; prior "
    "Beta({a}, {b}).",
    "calibrated": "Bayesian: stop where the rate is likely enough to lie above {p0} %, calibrated to stop with a chance of at "
    "most {phi} % at {p0} %; prior Beta({a}, {b}).",
    "sprt": "Truncated sequential probability ratio test of {p1} % against {p0} %, calibrated to stop with a chance of at "
    "most {phi} % at {p0} %.",
    "wald": "Truncated sequential probability ratio test of {p1} % against {p0} % with Wald’s bound for level {phi} % and "
    "power {power} %.",
}


def label_of(rule: StoppingRule) -> Words:
    """What *rule* counts, in words."""
    says = words(stopping.counted_event(rule.event).says)
    if not rule.components:
        return says
    return words("{event}, related to {components}", event=says, components=" / ".join(rule.components))


def how_of(rule: StoppingRule) -> Words:
    """How the boundary of *rule* was made, in one sentence."""
    prior, certainty = stopping.prior_of(rule), stopping.certainty_of(rule)
    a, b = (f"{number:.4g}" for number in prior or (0, 0))
    values = {
        "p0": percent(100 * rule.p0, 0), "phi": percent(100 * rule.phi, 0), "p1": percent(100 * (rule.p1 or 0), 0),
        "power": percent(100 * (rule.power or 0), 0), "certainty": percent(100 * (certainty or 0), 0), "a": a, "b": b,
        "looks": len(stopping.looks_of(rule)), "shape": f"{rule.shape or 0:g}",
    }  # fmt: skip
    return words(_HOW[_kind(rule)], **values)


def _kind(rule: StoppingRule) -> str:
    if rule.method == "sprt":
        return "sprt" if rule.power is None else "wald"
    if stopping.prior_of(rule) is not None:
        return "calibrated" if stopping.certainty_of(rule) is None else "certain"
    return rule.method
