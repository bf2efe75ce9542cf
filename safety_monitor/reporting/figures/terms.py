"""How often terms occur."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from safety_monitor.reporting.figures.theme import BLUE, THEME, VERMILION, Figure, axes_of, render
from safety_monitor.reporting.wording import t


def term_dots(rows: Sequence[tuple[str, float, float, float, float, float, float]], n: int) -> Figure:
    """Most frequent terms of *n* subjects: (label, % any grade, its interval, % grade 3 or worse, its interval)."""
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 0.7 + 0.27 * len(rows))
        places = np.arange(len(rows))[::-1]
        any_grade, low, high, severe, severe_low, severe_high = (np.array([row[k] for row in rows]) for k in range(1, 7))
        axes.hlines(places + 0.13, low, high, color=BLUE, linewidth=1.0)
        axes.plot(any_grade, places + 0.13, linestyle="none", marker="o", color=BLUE, markersize=4.5)
        axes.hlines(places - 0.18, severe_low, severe_high, color=VERMILION, linewidth=1.0, linestyle=(0, (2, 1)))
        axes.plot(severe, places - 0.18, linestyle="none", marker="D", color=VERMILION, markersize=3.5, clip_on=False)
        axes.set_yticks(places, [row[0] for row in rows])
        axes.set_xlim(-1, min(101, max(max(row[3], row[6]) for row in rows) * 1.05 + 1))
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.tick_params(axis="y", length=0)
        below = t("Subjects, % of N = {n} treated · ● any grade · ◆ grade ≥ 3 (dashed) · with 95 % intervals", n=n)
        figure.supxlabel(below, fontsize=8.5)  # longer than the axes
        axes.grid(axis="x", color="#E3E6EA", linewidth=0.6)
        axes.set_axisbelow(True)
        said = "; ".join(
            t("{term} {any} %, grade 3 or worse {severe} %", term=row[0], any=f"{row[1]:.0f}", severe=f"{row[4]:.0f}")
            for row in rows
        )
        return render(figure, t("Most frequent events: {events}", events=said))
