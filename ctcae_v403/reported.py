"""A reported number: read from what stands in a table, and what is known of a comparison with it.

A concentration below zero is a code for something else (-9), not a very low result; a qualified number (``<0.1``) is every
number on that side.

>>> compare(read_number("<0.1"), "<", Fraction(1)), compare(read_number("<0.1"), ">", Fraction(0))
(True, 'QUALIFIED')
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from ctcae_v403 import rules
from ctcae_v403.units import Analyte

Numeric = float | int | str | Decimal | Fraction | None
Known = bool | str  # a bool, or the reason why it is not known


@dataclass(frozen=True, slots=True)
class Number:
    """A reported number: ``value`` exactly, or every number on one side of it (``<`` ``<=`` ``>`` ``>=``).

    ``signed``: numbers below zero are among those.
    """

    value: Fraction
    qualifier: str = ""
    signed: bool = False


_PATTERN = re.compile(r"(<=|>=|=<|=>|≤|≥|<|>)?\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)")
_COMMA = re.compile(r"(.*?)(\d+),(\d+)")  # a decimal comma; what may as well set thousands apart is refused
_SPELLED = {"≤": "<=", "≥": ">=", "=<": "<=", "=>": ">="}


@lru_cache(maxsize=65_536)
def read_number(
    value: Numeric, scale: Analyte | None = None, signed: bool = False
) -> Number | Literal["NO_VALUE", "NOT_NUMERIC"]:
    """A reported value as a number, or the reason code. A comma is a decimal one (``1,5``), but for ``1,500``: that may be
    either, a thousandfold apart, and is NOT_NUMERIC.

    *scale*: an analyte reported in words (dipstick). *signed*: a number below zero is a result.
    """
    if isinstance(value, Fraction):
        return Number(value, "", signed)
    if value is None or str(value).strip() in ("", "."):
        return "NO_VALUE"
    text = str(value).strip()
    if scale is not None and scale.scale:
        plus = scale.scale.get(text.upper().replace(" ", ""))
        return Number(Fraction(plus)) if plus is not None else "NOT_NUMERIC"
    if isinstance(value, float) and not math.isfinite(value):
        return "NOT_NUMERIC"
    if (comma := _COMMA.fullmatch(text)) and not (len(comma[3]) == 3 and len(comma[2]) < 4 and comma[2].strip("0")):
        text = f"{comma[1]}{comma[2]}.{comma[3]}"
    found = _PATTERN.fullmatch(text)
    if found is None:
        return "NOT_NUMERIC"
    qualifier = found[1] or ""
    if not math.isfinite(float(found[2])):  # 1e400 is a code or a slip, no result
        return "NOT_NUMERIC"
    number = rules.to_digits(Fraction(found[2]))
    # a concentration below zero is a code for something else (-9), not a very low result
    return Number(number, _SPELLED.get(qualifier, qualifier), signed) if signed or number >= 0 else "NOT_NUMERIC"


def limit(value: Numeric) -> Fraction | None:
    """A normal limit or baseline as a plain number; None when absent or unreadable."""
    number = read_number(value)
    return number.value if isinstance(number, Number) and not number.qualifier else None


def compare(number: Number, operator: str, bound: Fraction) -> Known:
    """Whether *number operator bound*; ``QUALIFIED`` where it holds for some of a qualified number only."""
    value, side = number.value, number.qualifier
    if operator in ("<", "<="):
        opposite = compare(number, ">=" if operator == "<" else ">", bound)
        return opposite if isinstance(opposite, str) else not opposite
    strict = operator == ">"
    if side in (">", ">="):  # from value upward without end
        lowest_counts = value > bound or (value == bound and not (strict and side == ">="))
        return True if lowest_counts else "QUALIFIED"
    if side in ("<", "<="):  # from zero to value, or from below without end
        if not number.signed and (bound < 0 or (bound == 0 and not strict)):
            return True
        highest_counts = value > bound or (value == bound and not strict and side == "<=")
        return "QUALIFIED" if highest_counts else False
    return value > bound if strict else value >= bound
