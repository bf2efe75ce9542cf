"""Measured values among findings: the grade that the numeric rules give them, and quantities in their units.

>>> graded("Hypokalemia", {"potassium": {"value": 2.8, "unit": "mmol/L", "lln": 3.5}})[0].low
Decimal('3')
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import inf
from typing import Any

from ctcae_v403 import grading, rules, units
from ctcae_v403.findings import Interval, UnknownFinding, Words

#: The worst grade whose numbers are met; whether findings bear it out is for the criteria to say.
#: An age that stands for "adult" must not enter an eGFR.
_POLICY = {"same_band": "higher", "egfr": "as_reported"}
_ARGUMENTS = set(inspect.signature(grading.grade).parameters) - {"test", "policy"}


def graded(term: str, measured: Mapping[str, object], adult: bool | None = None) -> tuple[Interval, list[str]]:
    """Between which grades the numeric rules of *term* put the values, and why no narrower.

    *adult* stands for an age that a value does not come with. The upper end is closed only where every rule ladder
    of the term has a value that grades fully.
    """
    results = [
        (ladder, result)
        for test, value in measured.items() for arguments in _each(value)
        for ladder, result in _results(term, test, _of_age(adult) | arguments)
    ]  # fmt: skip
    levels = [result.grade for _, result in results if result.grade is not None]
    notes = [f"{term}: no grade from the numbers, {result.reason}" for _, result in results if result.grade is None]
    whole = {id(ladder) for ladder, result in results if result.grade is not None and "floor" not in result.flags}
    complete = all(id(ladder) in whole for ladder in rules.ladders() if ladder.term == term)
    complete &= all(result.grade is not None and "floor" not in result.flags for _, result in results)
    low = Decimal(max(levels, default=0))
    return Interval(low if levels else -inf, low if complete and levels else inf), notes


def converted(measured: Mapping[str, object], words: Words) -> dict[str, object]:
    """The measured values of which the vocabulary has a quantity, in its unit; several that differ leave it open.

    Raises ``UnknownFinding`` where a unit is missing or does not measure the quantity.
    """
    found: dict[str, object] = {}
    for test, value in measured.items():
        for quantity, name in words.analytes.items():
            analyte = units.analyte(name)
            if test == quantity or analyte in units.candidates(test):
                unit = words.questions[quantity].unit
                numbers = {number for each in _each(value) if (number := _in(unit, analyte, each)) is not None}
                if len(numbers) == 1:
                    found[quantity] = numbers.pop()
    return found


def _in(unit: str, analyte: units.Analyte, arguments: dict[str, Any]) -> Decimal | None:
    number = grading.limit(arguments["value"])
    if number is None:
        return None
    try:
        scaled = units.convert(number, analyte, arguments.get("unit") or "", unit)
    except units.UnknownUnit as error:
        raise UnknownFinding(str(error)) from None
    return Decimal(scaled.numerator) / Decimal(scaled.denominator)


def _of_age(adult: bool | None) -> dict[str, Any]:
    return {} if adult is None else {"age": grading.ADULT_FROM if adult else 0}


def _each(value: object) -> Iterator[dict[str, Any]]:
    entries = [value] if isinstance(value, Mapping) else value
    for entry in entries:  # type: ignore[attr-defined]
        if not isinstance(entry, Mapping) or "value" not in entry:
            raise UnknownFinding(f"a measured value needs at least 'value' and 'unit', not {entry!r}")
        yield dict(entry)


def _results(term: str, test: str, arguments: dict[str, Any]) -> Iterator[tuple[rules.Ladder, grading.Grading]]:
    if strange := set(arguments) - _ARGUMENTS:
        raise UnknownFinding(f"{test}: unknown {', '.join(sorted(strange))}; known: {', '.join(sorted(_ARGUMENTS))}")
    found = grading.grade(test, policy=_POLICY, **arguments)
    if found and found[0].reason in ("UNKNOWN_TEST", "WRONG_SPECIMEN"):
        raise UnknownFinding(f"{test!r} is neither a finding of this term nor a known test")
    yield from ((result.case.ladder, result) for result in found if result.term == term and result.case and result.case.ladder)
