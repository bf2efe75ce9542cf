"""Sites against chance: a funnel of their rates."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from safety_monitor.reporting.figures.theme import BLUE, DASHED, GREY, INK, THEME, VERMILION, Figure, panels_of, render
from safety_monitor.reporting.wording import t
from safety_monitor.stats.incidence import funnel_curves

#: One panel: its title, the pooled rate, and of each site name, person-years, rate, and whether it is outside of a limit.
Panel = tuple[str, float | None, Sequence[tuple[str, float, float, bool]]]
_LEVELS = ((0.95, DASHED, "95 %"), (0.998, "-", "99.8 %"))


#: Where a name may stand beside its point, as the middle of the name in points from the middle of the marker.
_BESIDE = ((11, 0), (-11, 0), (0, 9), (0, -9), (10, 7), (-10, -7), (10, -7), (-10, 7))


def site_funnel(panels: Sequence[Panel]) -> Figure:
    """Events per person-year against person-years, one panel a kind of event, with exact Poisson limits of the pooled rate."""
    with plt.rc_context(THEME):
        figure, all_axes = panels_of(6.3, 2.9, 1, len(panels))
        said = []
        for axes, (title, pooled, sites) in zip(all_axes[0], panels, strict=True):
            _panel(axes, pooled, sites)
            axes.set_title(title, loc="left", fontweight="bold")
            axes.set_xlabel(t("Observation at the site (person-years)"))
            outside = [name for name, _, _, out in sites if out]
            said.append(t("{kind}: pooled rate {rate} per person-year; sites outside the 95 % limits: {names}.", kind=title,
                          rate="–" if pooled is None else f"{pooled:.2f}", names=", ".join(outside) or t("none")))  # fmt: skip
        all_axes[0][0].set_ylabel(t("Events per person-year"))
        return render(figure, " ".join(said))


def _panel(axes: Axes, pooled: float | None, sites: Sequence[tuple[str, float, float, bool]]) -> None:
    longest = max((time for _, time, _, _ in sites), default=1.0) * 1.18
    shortest = min((time for _, time, _, _ in sites if time > 0), default=longest / 10)
    start = max(min(shortest * 0.6, longest / 8), longest / 200)
    top = max((rate for _, _, rate, _ in sites), default=1.0)
    if pooled:
        times = np.linspace(start, longest, 160)
        for level, dash, name in _LEVELS:
            low, high = funnel_curves(pooled, times, level)
            for side in (low, high):
                axes.plot(times, side, color=GREY, linestyle=dash, linewidth=0.9)
            axes.annotate(name, (times[-1], high[-1]), xytext=(0, 2), textcoords="offset points", ha="right", va="bottom",
                          fontsize=7, color=GREY)  # fmt: skip
            top = max(top, high[int(0.12 * len(high))])
        axes.axhline(pooled, color=INK, linewidth=0.8)
        axes.annotate(t("pooled {rate}", rate=f"{pooled:.2f}"), (start, pooled), xytext=(2, 2), textcoords="offset points",
                      fontsize=7)  # fmt: skip
    axes.set_xlim(0, longest or 1)
    axes.set_ylim(0, top * 1.12 or 1.0)
    _marked(axes, sorted(sites, key=lambda site: site[1]))


def _marked(axes: Axes, sites: Sequence[tuple[str, float, float, bool]]) -> None:
    """The sites with their names, each on the side where it stands freest of the points and of the names before it."""
    per_point = axes.figure.dpi / 72
    taken = [axes.transData.transform((time, rate)) / per_point for _, time, rate, _ in sites]
    for (name, time, rate, outside), here in zip(sites, list(taken), strict=True):
        beside = max(_BESIDE, key=lambda offset: min(np.hypot(*(here + offset - other)) for other in taken))
        taken.append(here + beside)
        colour = VERMILION if outside else BLUE
        axes.plot([time], [rate], marker="D" if outside else "o", markersize=5, color=colour,
                  markerfacecolor=colour if outside else "none")  # fmt: skip
        axes.annotate(name, (time, rate), xytext=beside, textcoords="offset points", fontsize=7, color=colour, ha="center",
                      va="center")  # fmt: skip
