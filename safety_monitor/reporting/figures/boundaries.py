"""Where the trial stands against a stopping boundary, and what that boundary does in the long run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator, PercentFormatter

from safety_monitor.reporting.figures.theme import (
    BLUE,
    DASHED,
    GREY,
    INK,
    THEME,
    VERMILION,
    Figure,
    Room,
    axes_of,
    panels_of,
    render,
)
from safety_monitor.reporting.wording import t

DOTTED = (0, (1, 2))


def stopping_boundary(
    boundary: Sequence[tuple[int, int]], path: Sequence[int], n_max: int, p0: float, event_label: str
) -> Figure:
    """Number treated against subjects with the event.

    ``boundary``: (n, smallest count that stops); ``path``: subjects with the event among the first, first two, ... treated.
    """
    n_treated, n_events = len(path), path[-1] if path else 0
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 2.05, Room(0.5, 1.2, 0.43, 0.05))
        ns, bounds = (np.array([pair[k] for pair in boundary]) for k in (0, 1))
        top = max(int(bounds.max(initial=1)), n_events, 2) * 1.16 + 1
        if len(ns) > 1 and (np.diff(ns) == 1).all():  # looked at after every subject: a line
            edges = np.append(ns - 0.5, ns[-1] + 0.5)
            heights = np.append(bounds, bounds[-1])
            shade: Any = {"facecolor": "#FBEDE3", "edgecolor": VERMILION, "hatch": "///", "linewidth": 0}
            axes.fill_between(edges, heights, top, step="post", **shade)
            axes.step(edges, heights, where="post", color=VERMILION)
        else:
            axes.vlines(ns, bounds, top, color=VERMILION, linewidth=0.9, linestyle=DOTTED)
            axes.plot(ns, bounds, linestyle="none", marker="v", color=VERMILION, markersize=6)
        axes.annotate(
            t("stop"), (ns[len(ns) // 3], (bounds[len(ns) // 3] + top) / 2), ha="center", va="center", color=VERMILION,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        axes.plot([0, n_max], [0, p0 * n_max], color=GREY, linestyle=DOTTED, linewidth=1.1)
        axes.step(range(n_treated + 1), [0, *path], where="post", color=BLUE, linewidth=1.4)
        axes.plot([n_treated], [n_events], marker="o", color=BLUE, markersize=6, clip_on=False, zorder=4)
        above = n_events > p0 * n_treated  # keep clear of the dotted line and of its label
        axes.annotate(
            t("now: {n} of {N}", n=n_events, N=n_treated), (n_treated, n_events), xytext=(7, 2 if above else -2),
            textcoords="offset points", color=BLUE, va="bottom" if above else "top", annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
        axes.annotate(
            t("acceptable rate {p} %", p=f"{100 * p0:g}"), (n_max, p0 * n_max), xytext=(4, 0), textcoords="offset points",
            va="center", color=INK, fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
        axes.set_xlim(0, n_max + 0.5)
        axes.set_ylim(0, top)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(t("Subjects treated (n)"))
        axes.set_ylabel(t("Subjects with the event (n)"))
        alt = t(
            "Stopping boundary for {event}: {n} of {N} subjects treated have the event; the boundary at {last} subjects is {at}.",
            event=event_label, n=n_events, N=n_treated, last=boundary[-1][0], at=boundary[-1][1],
        )  # fmt: skip
        return render(figure, alt)


def operating_characteristics(
    curve: Sequence[tuple[float, float, float]], shown: Sequence[float], p0: float, n_max: int, event_label: str
) -> Figure:
    """Chance of stopping and expected number treated against the true rate.

    ``curve``: (rate, chance of stopping, expected number treated); ``shown``: rates that are marked and labelled.
    """
    with plt.rc_context(THEME):
        figure, [panels] = panels_of(4.6, 1.6, 1, 2, Room(0.65, 0.22, 0.43, 0.08, across=0.7))
        rates = np.array([point[0] for point in curve])
        marked = [k for k, rate in enumerate(rates) if any(abs(rate - p) < 1e-9 for p in shown)]
        for axes, values, colour, marker, says in (
            (panels[0], np.array([point[1] for point in curve]), VERMILION, "D", "{:.0%}"),
            (panels[1], np.array([point[2] for point in curve]), BLUE, "o", "{:.0f}"),
        ):
            axes.plot(rates, values, color=colour)
            rising, said = values[-1] > values[0], None
            for k in marked:
                axes.plot([rates[k]], [values[k]], marker=marker, color=colour, markersize=4.5, clip_on=False, zorder=3)
                if said is not None and abs(values[k] - said) < 0.08 * values.max():
                    continue  # too near the last one that was labelled; the table has it
                said, low = values[k], rising and values[k] < 0.15
                shift = (-4 if low else 5, 4 if low or not rising else -9)
                axes.annotate(
                    says.format(said).replace("%", " %"), (rates[k], said), xytext=shift, textcoords="offset points",
                    fontsize=7.5, ha="right" if low else "left",
                )  # fmt: skip
            axes.axvline(p0, color=GREY, linestyle=DASHED, linewidth=0.9, zorder=0)
            axes.set_xlim(rates[0], rates[-1])
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            axes.set_xlabel(t("True rate (%), dashed: acceptable"))
        panels[0].set_ylim(0, 1.04)
        panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panels[0].set_ylabel(t("Chance of stopping (%)"))
        panels[1].set_ylim(0, n_max * 1.06)
        panels[1].set_ylabel(t("Expected subjects (n)"))
        alt = t(
            "Operating characteristics of the rule for {event}: chance of stopping and expected subjects by true rate: {points}.",
            event=event_label,
            points="; ".join(f"{curve[k][0]:.0%}: {curve[k][1]:.1%}, n = {curve[k][2]:.1f}" for k in marked),
        )  # fmt: skip
        return render(figure, alt)
