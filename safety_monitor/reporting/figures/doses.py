"""Which dose subjects take, week by week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from safety_monitor.reporting.figures.theme import BLUE, GREY, SKY, THEME, VERMILION, YELLOW, Figure, axes_of, render
from safety_monitor.reporting.wording import t

_LOOKS = ((BLUE, ""), (SKY, "////"), (YELLOW, "---"), (VERMILION, "xxxx"))
_HELD, _ENDED = ("#FFFFFF", "\\\\\\\\"), ("#E3E6EA", "")


def dose_levels(
    component: str, weeks: Sequence[int], levels: Mapping[str, Sequence[int]], held: Sequence[int], ended: Sequence[int]
) -> Figure:
    """Subjects by what they take at the end of each week since the first dose of *component*: *levels* (highest first), held,
    ended; those whose time has not come yet are left out, so that the height of each column is who is followed so long.
    """
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 2.5)
        bottom = np.zeros(len(weeks))
        known = [(f"{dose}", counts, look) for (dose, counts), look in zip(levels.items(), _LOOKS, strict=False)]
        for name, counts, (colour, hatch) in (*known, (t("held"), held, _HELD), (t("ended"), ended, _ENDED)):
            heights = np.array(counts, dtype=float)
            if not heights.any():
                continue
            axes.bar(weeks, heights, bottom=bottom, width=0.92 * (weeks[1] - weeks[0] if len(weeks) > 1 else 1), color=colour,
                     hatch=hatch, edgecolor=GREY, linewidth=0.3, label=name)  # fmt: skip
            bottom += heights
        axes.set_xlabel(t("Weeks since the first dose of {component}", component=component))
        axes.set_ylabel(t("Subjects followed so long (n)"))
        axes.legend(loc="upper right", frameon=False, fontsize=7.5, ncols=1, handlelength=1.6)
        axes.set_ylim(0, max(bottom, default=1) * 1.06)
        step = weeks[1] - weeks[0] if len(weeks) > 1 else 1
        axes.set_xlim(-0.6 * step, (weeks[-1] if weeks else 1) + 0.6 * step)
        parts = [f"{name}: {counts[0]}" for name, counts, _ in known if counts]
        alt = t(
            "Doses of {component} by week since the first dose; in the first week {doses}.",
            component=component,
            doses=", ".join(parts),
        )
        return render(figure, alt)
