"""What moves the share of a cause."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np

from safety_monitor.reporting.figures.theme import BLUE, GREY, THEME, VERMILION, Figure, axes_of, render
from safety_monitor.reporting.formats import coded
from safety_monitor.reporting.wording import t


def moved_by(pieces: Sequence[tuple[str, str, float]], leading: str, share: float) -> Figure:
    """What moved the share of the leading cause: (cause, evidence, effect), for it to the right, against it to the left."""
    pieces, leading = [(coded(cause), evidence, effect) for cause, evidence, effect in pieces], coded(leading)
    with plt.rc_context(THEME):
        figure, axes = axes_of(3.1, 0.5 + 0.3 * len(pieces))
        places = np.arange(len(pieces))[::-1]
        for place, (cause, evidence, effect) in zip(places, pieces, strict=True):
            ours = effect >= 0
            axes.barh([place], [100 * effect], height=0.42, color=BLUE if ours else "none", edgecolor=BLUE if ours else VERMILION)
            words = f"{cause}: {evidence}"
            axes.text(-100, place + 0.27, words if len(words) <= 62 else f"{words[:61]}…", fontsize=6.2, va="bottom", ha="left",
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4})  # fmt: skip
            axes.text(100 * effect + (2 if ours else -2), place, f"{100 * effect:+.0f}", fontsize=6.5, va="center",
                      ha="left" if ours else "right")  # fmt: skip
        axes.axvline(0, color=GREY, linewidth=0.7)
        axes.set_xlim(-100, 100)
        axes.set_ylim(-0.6, len(pieces) - 0.1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="x", labelsize=6.5)
        axes.set_xlabel(t("percentage points of the share of {cause} (n = 1 event)", cause=leading), fontsize=6.8)
        said = "; ".join(
            t("{cause}, {evidence}: {points} points", cause=cause, evidence=evidence, points=f"{100 * effect:+.0f}")
            for cause, evidence, effect in pieces
        )
        return render(
            figure, t("{cause} leads with {share} %. Moved by: {pieces}", cause=leading, share=f"{100 * share:.0f}", pieces=said)
        )
