"""How often terms occur."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from safety_monitor.reporting.figures.theme import BLUE, GREY, THEME, VERMILION, Figure, axes_of, render


def term_dots(rows: Sequence[tuple[str, float, float, float, float]]) -> Figure:
    """Most frequent terms: (label, % any grade, interval low, high, % grade 3 or worse)."""
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 0.55 + 0.24 * len(rows))
        places = np.arange(len(rows))[::-1]
        for place, (_, any_grade, low, high, severe) in zip(places, rows, strict=True):
            axes.plot([low, high], [place, place], color=GREY, linewidth=1.0)
            axes.plot([any_grade], [place], marker="o", color=BLUE, markersize=5)
            axes.plot([severe], [place], marker="D", color=VERMILION, markersize=4, clip_on=False)
        axes.set_yticks(places, [row[0] for row in rows])
        axes.set_xlim(-1, min(101, max(row[3] for row in rows) * 1.05 + 1))
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("Subjects (% of the safety population):  ● any grade with 95 % interval   ◆ grade ≥ 3")
        axes.grid(axis="x", color="#E3E6EA", linewidth=0.6)
        axes.set_axisbelow(True)
        said = "; ".join(f"{r[0]} {r[1]:.0f} %, grade 3 or worse {r[4]:.0f} %" for r in rows)
        return render(figure, f"Most frequent events: {said}")
