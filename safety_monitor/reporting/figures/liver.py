"""Liver safety: peak aminotransferase against peak bilirubin, in multiples of ULN or of baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from safety_monitor.reporting.figures.theme import BLUE, DASHED, GREY, THEME, VERMILION, Figure, axes_of, render
from safety_monitor.reporting.wording import t

_NAMED_UP_TO = 12  # names in the corner; more would cover each other
_FIRST_NAME, _NAME_APART = 0.88, (0.045, 0.055)  # of the height: below the corner's label, and from name to name
_TICKS = [0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100]
#: Words of the axes and of the description, by what the peaks are multiples of.
_WORDS = {
    "ULN": (
        "Peak ALT or AST, whichever is higher (× ULN, log scale)", "Peak total bilirubin (× ULN, log scale)",
        "eDISH plot of {n} subjects, peaks in multiples of ULN. Aminotransferase at least {ta} and bilirubin at least {bili}: "
        "{both}; aminotransferase alone: {first}; bilirubin alone: {second}; neither: {neither}.",
    ),
    "baseline": (
        "Peak ALT or AST, whichever is higher (× own baseline, log scale)", "Peak total bilirubin (× baseline, log scale)",
        "eDISH plot of {n} subjects who start abnormal, peaks in multiples of their baseline. Aminotransferase at least {ta} and "
        "bilirubin at least {bili}: {both}; aminotransferase alone: {first}; bilirubin alone: {second}; neither: {neither}.",
    ),
}  # fmt: skip


def edish(
    peaks: pl.DataFrame, limits: tuple[float, float] = (3.0, 2.0), multiple_of: str = "ULN", days: int = 7, height: float = 3.25
) -> Figure:
    """Peak aminotransferase against peak bilirubin, multiples of ULN or of "baseline", log scales.

    ``peaks``: columns USUBJID, TA, BILI and, where known, near_ablation (peak within ``days`` of a session); ``limits``: the
    lines at aminotransferase and bilirubin multiples.
    """
    points = peaks.filter(pl.col("TA").is_not_null() & pl.col("BILI").is_not_null())
    x, y = points["TA"].to_numpy(), points["BILI"].to_numpy()
    known = "near_ablation" in points.columns and points["near_ablation"].null_count() < points.height
    near = points["near_ablation"].fill_null(False).to_numpy() if known else np.zeros(len(x), dtype=bool)
    high_x, high_y = x >= limits[0], y >= limits[1]
    corner = high_x & high_y
    across, up, described = _WORDS[multiple_of]
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, height)
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, right, top = 0.1, max(20.0, _above(x)), max(10.0, _above(y))  # room for the labels in the corners
        axes.set_xlim(min(low, _below(x)), right)
        axes.set_ylim(min(low, _below(y)), top)
        axes.axvline(limits[0], color=GREY, linestyle=DASHED, linewidth=0.9)
        axes.axhline(limits[1], color=GREY, linestyle=DASHED, linewidth=0.9)
        axes.fill_between([limits[0], right], limits[1], top, color=VERMILION, alpha=0.08, linewidth=0)
        handles = []
        for chosen, marker, label in (
            (~near, "o", t("Other peaks: n = {n}", n=int((~near).sum()))),
            (near, "^", t("Aminotransferase peak on day 0 to {days} after an ablation: n = {n}", days=days, n=int(near.sum()))),
        ):
            open_, full = chosen & ~corner, chosen & corner
            axes.scatter(x[open_], y[open_], s=20, marker=marker, facecolors="none", edgecolors=BLUE, linewidths=1.1)
            axes.scatter(x[full], y[full], s=34, marker=marker, color=VERMILION, zorder=3)
            handles.append(Line2D([], [], marker=marker, linestyle="", markerfacecolor="none", color=BLUE, label=label))
        if known:
            figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False, handletextpad=0.2, fontsize=7.5)
        names = [name.rsplit("-", 1)[-1] if name.count("-") > 1 else name for name in points["USUBJID"]]
        _named(axes, names, x, y, corner, limits[1])
        for place, label, inside in (
            ((1, 1), "possible Hy's law: n = {n}", corner), ((0, 1), "cholestasis: n = {n}", ~high_x & high_y),
            ((1, 0), "Temple's corollary: n = {n}", high_x & ~high_y), ((0, 0), "neither: n = {n}", ~high_x & ~high_y),
        ):  # fmt: skip
            _in_corner(axes, place, t(label, n=int(inside.sum())), bold=place == (1, 1))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(_TICKS))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel(t(across))
        axes.set_ylabel(t(up))
        counts = {"both": corner, "first": high_x & ~high_y, "second": ~high_x & high_y, "neither": ~high_x & ~high_y}
        numbers = {name: int(inside.sum()) for name, inside in counts.items()}
        return render(figure, t(described, n=len(x), ta=f"{limits[0]:g}", bili=f"{limits[1]:g}", **numbers))


def _named(axes: Axes, names: Sequence[str], x: Any, y: Any, corner: Any, floor: float) -> None:
    """Who is in the corner above *floor*: names in one column at the right, a line from each point to its name."""
    inside = sorted(np.flatnonzero(corner).tolist(), key=lambda index: (-y[index], x[index]))
    if not inside or len(inside) > _NAMED_UP_TO:
        return
    bottom, top = np.log(axes.get_ylim())
    least, most = _NAME_APART
    lowest = float((np.log(floor) - bottom) / (top - bottom)) + most / 2  # none below the corner while it has room
    apart = min(most, max(least, (_FIRST_NAME - lowest) / len(inside)))
    lowest, room, places = min(lowest, _FIRST_NAME - (len(inside) - 1) * apart), _FIRST_NAME, []
    for index in inside:
        places.append(min(float((np.log(y[index]) - bottom) / (top - bottom)), room))
        room = places[-1] - apart
    for number, index in enumerate(inside):
        at = max(places[number], lowest + (len(inside) - 1 - number) * apart)
        axes.annotate(
            names[index], (x[index], y[index]), xytext=(0.985, at), textcoords="axes fraction", ha="right", va="center",
            fontsize=7.5, color=VERMILION, arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": GREY, "shrinkB": 3},
        )  # fmt: skip


def _in_corner(axes: Axes, place: tuple[int, int], label: str, bold: bool) -> None:
    right, top = place
    axes.annotate(
        label, place, xycoords="axes fraction", xytext=(-5 if right else 5, -5 if top else 5), textcoords="offset points",
        ha="right" if right else "left", va="top" if top else "bottom", fontsize=8, fontweight="bold" if bold else "normal",
    )  # fmt: skip


def _above(values: Any) -> float:
    return float(values.max()) * 2.2 if len(values) else 1.0


def _below(values: Any) -> float:
    positive = values[values > 0]
    return float(positive.min()) * 0.8 if len(positive) else 0.1
