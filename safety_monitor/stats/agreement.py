"""Agreement of two raters on yes/no opinions: Cohen's kappa (Educ Psychol Meas 1960).

>>> cohen_kappa(20, 5, 10, 15)
0.4
"""

from __future__ import annotations


def cohen_kappa(both: int, first_only: int, second_only: int, neither: int) -> float | None:
    """Agreement beyond chance, at most 1; None where nothing was rated or chance alone agrees fully."""
    total = both + first_only + second_only + neither
    if total == 0:
        return None
    first, second = both + first_only, both + second_only
    # In whole counts, so that equal fractions stay equal: chance is by_chance / total².
    by_chance = first * second + (total - first) * (total - second)
    if by_chance == total * total:
        return None
    return ((both + neither) * total - by_chance) / (total * total - by_chance)
