"""Where the trial stands against a stopping boundary."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from safety_monitor.reporting.figures.theme import BLUE, THEME, VERMILION, Figure, axes_of, render


def stopping_boundary(
    boundary: Sequence[tuple[int, int]], n_treated: int, n_events: int, n_max: int, event_label: str
) -> Figure:
    """Number treated against subjects with the event; ``boundary``: (n, smallest count that stops)."""
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 3.2)
        ns = np.array([n for n, _ in boundary])
        bounds = np.array([b for _, b in boundary])
        top = max(int(bounds.max(initial=1)), n_events) + 2
        axes.fill_between(ns, bounds, top, step="post", color=VERMILION, alpha=0.10, linewidth=0)
        axes.step(ns, bounds, where="post", color=VERMILION)
        axes.annotate(
            "stop: boundary reached",
            (ns[-1], bounds[-1]),
            xytext=(-4, 7),
            textcoords="offset points",
            ha="right",
            color=VERMILION,
        )
        axes.plot([0, n_treated], [0, n_events], color=BLUE, linestyle=(0, (4, 2)), linewidth=1)
        axes.plot([n_treated], [n_events], marker="o", color=BLUE, markersize=7)
        axes.annotate(
            f"now: {n_events} of {n_treated}",
            (n_treated, n_events),
            xytext=(7, -11),
            textcoords="offset points",
            color=BLUE,
        )
        axes.set_xlim(0, n_max)
        axes.set_ylim(0, top)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("Subjects treated (n)")
        axes.set_ylabel("Subjects with the event (n)")
        return render(
            figure,
            f"Stopping boundary for {event_label}: {n_events} of {n_treated} subjects treated have the event; "
            f"the boundary at {n_max} subjects is {boundary[-1][1]}.",
        )
