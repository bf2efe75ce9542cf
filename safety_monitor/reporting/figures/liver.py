"""Liver safety: peak transaminase against peak bilirubin."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from safety_monitor.reporting.figures.theme import BLUE, GREY, THEME, VERMILION, Figure, axes_of, render


def edish(peaks: pl.DataFrame, limits: tuple[float, float] = (3.0, 2.0)) -> Figure:
    """Peak transaminase against peak bilirubin, multiples of ULN, log scales.

    ``peaks``: columns USUBJID, TA, BILI; ``limits``: the lines at transaminase and bilirubin multiples.
    """
    points = peaks.filter(pl.col("TA").is_not_null() & pl.col("BILI").is_not_null())
    x, y = points["TA"].to_numpy(), points["BILI"].to_numpy()
    names = [name.rsplit("-", 1)[-1] if name.count("-") > 1 else name for name in points["USUBJID"]]
    in_corner = (x >= limits[0]) & (y >= limits[1])
    with plt.rc_context(THEME):
        figure, axes = axes_of(6.3, 4.0)
        axes.set_xscale("log")
        axes.set_yscale("log")
        low, right, top = 0.1, max(20.0, _above(x)), max(10.0, _above(y))  # room for the labels in the corners
        axes.set_xlim(min(low, _below(x)), right)
        axes.set_ylim(min(low, _below(y)), top)
        axes.axvline(limits[0], color=GREY, linestyle=(0, (4, 2)), linewidth=0.9)
        axes.axhline(limits[1], color=GREY, linestyle=(0, (4, 2)), linewidth=0.9)
        axes.fill_between([limits[0], right], limits[1], top, color=VERMILION, alpha=0.08, linewidth=0)
        axes.scatter(x[~in_corner], y[~in_corner], s=18, facecolors="none", edgecolors=BLUE, linewidths=1.1)
        axes.scatter(x[in_corner], y[in_corner], s=34, marker="D", color=VERMILION, zorder=3)
        for place, index in enumerate(np.flatnonzero(in_corner)):
            shift = (6, 5) if place % 2 else (6, -11)  # neighbours' labels apart
            axes.annotate(names[index], (x[index], y[index]), xytext=shift, textcoords="offset points", color=VERMILION)
        _quadrants(axes, x, y, limits, (axes.get_xlim(), axes.get_ylim()))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100]))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("Peak ALT or AST, whichever is higher (× ULN, log scale)")
        axes.set_ylabel("Peak total bilirubin (× ULN, log scale)")
        return render(
            figure,
            f"eDISH plot of {len(x)} subjects; {int(in_corner.sum())} have a peak transaminase of at least {limits[0]:g} × ULN "
            f"and a peak bilirubin of at least {limits[1]:g} × ULN.",
        )


def _quadrants(axes: Axes, x: Any, y: Any, limits: tuple[float, float], box: tuple[Any, Any]) -> None:
    (left, right), (bottom, top) = box
    a, b = limits
    for place, label, inside in (
        ((right, top, "right", "top"), "possible Hy's law", (x >= a) & (y >= b)),
        ((left, top, "left", "top"), "cholestasis", (x < a) & (y >= b)),
        ((right, bottom, "right", "bottom"), "Temple's corollary", (x >= a) & (y < b)),
        ((left, bottom, "left", "bottom"), "neither", (x < a) & (y < b)),
    ):
        at_x, at_y, horizontal, vertical = place
        shift = (-5 if horizontal == "right" else 5, -5 if vertical == "top" else 5)
        axes.annotate(
            f"{label}: n = {int(inside.sum())}", (at_x, at_y), xytext=shift, textcoords="offset points",
            ha=horizontal, va=vertical, fontsize=8, fontweight="bold" if label.startswith("possible") else "normal",
        )  # fmt: skip


def _above(values: Any) -> float:
    return float(values.max()) * 2.2 if len(values) else 1.0


def _below(values: Any) -> float:
    positive = values[values > 0]
    return float(positive.min()) * 0.8 if len(positive) else 0.1
