"""One line of advice in words, in the reader's language (``advice_words.toml``). Every line says that it is advice.

>>> from safety_monitor.rules.advice import advise
>>> sentence(advise("Pneumonitis", 3, ["pd1"])[0], "PD-1")
'Advice, not an order - PD-1: if immune-mediated: stop for good. \
[pembrolizumab label, dose modifications (as for the class); read; rules 2026-1]'
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import isinf
from typing import Any

from safety_monitor.rules.advice import Advice, Condition, Dose
from safety_monitor.rules.ranges import Range

LANGUAGES = ("en", "zh")


@cache
def _words(language: str) -> dict[str, Any]:
    text = files("safety_monitor.rules").joinpath("advice_words.toml").read_text("utf-8")
    found: dict[str, Any] = tomllib.loads(text)[language]
    return found


def sentence(advice: Advice, component: str, language: str = "en", *, given: bool | None = True) -> str:
    """*advice* for the component of that name, with its label, its conditions and its source. *given*: None where it is not
    known whether the component was given before the event.
    """
    words = _words(language)
    name = component if given else component + str(words["if_given"])
    return f"{words['label']}{name}{words['colon']}{body(advice, language)} [{source(advice, language)}]"


def body(advice: Advice, language: str = "en") -> str:
    """What is advised and on what it depends, without label and source: for tables that give these beside it."""
    words = _words(language)
    both = "_both" if advice.action == "hold" and "+" in advice.profile else ""
    text: str = words["action"][advice.action + both]
    if conditions := _conditions(advice, words):
        text = f"{words['when']}{conditions}{words['colon']}{text}"
    if advice.otherwise:
        text = f"{words['otherwise']}{text}"
    text += words["stop_mark"]
    if advice.restart:
        dose = words["or"].join(_dose(weight, dose, words) for weight, dose in advice.doses)
        # A study's own rule may say it in its own words.
        text += words["restart_label"] + words["restart"].get(advice.restart, advice.restart).format(dose=dose)
    note: str = words["note"].get(advice.note, f" {advice.note}" if advice.note else "")
    return text + note


def source(advice: Advice, language: str = "en") -> str:
    """Where the advice is from, whether that was read, and the version of the rules."""
    words = _words(language)
    parts = (
        advice.source.text + (words["by_class"] if advice.by_class else ""),
        words["tier"][advice.source.tier],
        words["version"].format(version=advice.version),
    )
    return str(words["between"]).join(parts)


def _conditions(advice: Advice, words: Mapping[str, Any]) -> str:
    """The premise, then what every alternative needs, then the alternatives."""
    shared = [c for c in advice.open[0] if all(c in other for other in advice.open)] if advice.open else []
    parts = [words["premise"][advice.premise]] if advice.premise else []
    parts += [_condition(condition, words) for condition in shared]
    text = str(words["both"]).join(parts)
    differ = [[_condition(c, words) for c in each if c not in shared] for each in advice.open]
    if len(differ) > 1:
        text += words["any"] if text else words["first_any"]
        text += words["joiner"].join(words["both"].join(each) for each in differ)
    return text


def _condition(condition: Condition, words: Mapping[str, Any]) -> str:
    fact = condition.fact
    if condition.yes is not None:
        return str(words["yes" if condition.yes else "no"][fact])
    if condition.excuses:
        return str(words["fact"]["excused"])
    if fact == "liver_ablation_days":
        return str(words["fact"][fact])
    return f"{words['fact'][fact]} {_limits(condition.limits, words)}{words['unit'].get(fact, '')}"


def _limits(limits: Range, words: Mapping[str, Any]) -> str:
    low, high = f"{'>' if limits.low_open else '≥'} {limits.low:g}", f"{'<' if limits.high_open else '≤'} {limits.high:g}"
    if isinf(limits.low):
        return high
    return low if isinf(limits.high) else str(words["range"].format(low=low, high=high.removeprefix("≤ ")))


def _dose(weight: Range | None, dose: Dose | str, words: Mapping[str, Any]) -> str:
    if isinstance(dose, Dose):
        text = words["every"][str(dose.days)].format(mg=dose.mg)
    elif dose.startswith("ladder:"):
        levels = (level.split("/") for level in dose.removeprefix("ladder:").split(","))
        text = words["ladder"].format(levels=" → ".join(words["every"][days].format(mg=float(mg)) for mg, days in levels))
    else:
        text = words["off_ladder"] if dose == "off_ladder" else words["ends"][dose]
    return str(text if weight is None else words["weight"].format(dose=text, weight=_limits(weight, words)))
