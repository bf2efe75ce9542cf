"""Agreement of two raters on yes/no opinions: Cohen's kappa (Educ Psychol Meas 1960).

>>> cohen_kappa(20, 5, 10, 15)
0.4
"""

from __future__ import annotations

from collections.abc import Sequence


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


def weighted_kappa(pairs: Sequence[tuple[int, int]]) -> float | None:
    """Cohen's kappa of two raters on ordered levels, disagreement weighed by its square (Cohen, Psychol Bull 1968).

    None where nothing was rated or both used one and the same level throughout.

    >>> weighted_kappa([(1, 1), (2, 3), (4, 4), (5, 4)])
    0.875
    """
    seen = sum((first - second) ** 2 for first, second in pairs)
    by_chance = sum((first - second) ** 2 for first, _ in pairs for _, second in pairs)
    # in whole counts: seen / n over by_chance / n²
    return None if not by_chance else 1 - seen * len(pairs) / by_chance
