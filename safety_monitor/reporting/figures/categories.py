"""Worst categories as stacked bars, one bar a measurement, the darkest the worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt

from safety_monitor.reporting.figures.theme import THEME, Figure, axes_of, render
from safety_monitor.reporting.wording import t

_SHADES = ("#10324F", "#2F6690", "#7FA8C9", "#BDD2E4", "#EEF3F8")  # worst to best; light and dark tell them apart in greyscale
_PER_LETTER = 1.15  # per cent of the bar that a letter takes


def category_bars(measures: Sequence[tuple[str, Sequence[tuple[str, int, float]]]], n: int) -> Figure:
    """*measures*: name with unit, and (category, subjects, per cent of the *n* treated) from worst to best, missing last."""
    with plt.rc_context(THEME):
        figure, axes = axes_of(7.0, 0.5 + 0.42 * len(measures))
        for place, (_, bands) in enumerate(measures):
            left = 0.0
            for order, (label, count, share) in enumerate(bands):
                missing = order == len(bands) - 1
                shade = "white" if missing else _SHADES[order + len(_SHADES) - (len(bands) - 1)]
                style: Any = {"color": shade, "edgecolor": "#52606d", "linewidth": 0.5, "hatch": "----" if missing else ""}
                axes.barh(place, share, 0.72, left=left, **style)
                if share >= _PER_LETTER * sum(1 if letter.isascii() else 1.7 for letter in label):
                    dark = shade in _SHADES[:2]
                    axes.text(left + share / 2, place, f"{label}\n{count}", ha="center", va="center", fontsize=6.3,
                              color="white" if dark else "#1F2933", linespacing=1.05)  # fmt: skip
                left += share
        axes.set_yticks(range(len(measures)), [name for name, _ in measures], fontsize=7.5)
        axes.invert_yaxis()
        axes.set_xlim(0, 100)
        axes.set_xlabel(t("Treated subjects by worst category after first treatment (%, N = {n})", n=n))
        told = [t("{measure}: {counts}.", measure=name, counts="; ".join(f"{label}: {count}" for label, count, _ in bands))
                for name, bands in measures]  # fmt: skip
        return render(figure, t("Worst category after first treatment of {n} treated subjects.", n=n) + " " + " ".join(told))
