"""Figures as SVG: numbers with units and n, direct labels, safe for greyscale and colour-blind readers.

One theme for all (Okabe-Ito colours, told apart by shape and dash as well). The same snapshot gives the
same bytes: no date, fixed ids, text kept as text.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

plt.switch_backend("svg")  # no window, no display

BLUE, ORANGE, GREEN, VERMILION, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8F98", "#1F2933"
_THEME: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "safety-monitor", "font.family": ["DejaVu Sans"],
    "font.size": 8.5, "axes.titlesize": 9, "axes.labelsize": 8.5, "axes.edgecolor": GREY, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "lines.linewidth": 1.6,
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One picture: SVG text, and in words what it shows for those who cannot see it."""

    svg: str
    alt: str


def _render(figure: Any, alt: str) -> Figure:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight", pad_inches=0.03)
    plt.close(figure)
    svg = buffer.getvalue()
    return Figure(svg[svg.index("<svg") :], alt)


def _axes(width: float, height: float) -> tuple[Any, Axes]:
    with plt.rc_context(_THEME):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return figure, axes


def stopping_boundary(
    boundary: Sequence[tuple[int, int]], n_treated: int, n_events: int, n_max: int, event_label: str
) -> Figure:
    """Number treated against subjects with the event; ``boundary``: (n, smallest count that stops)."""
    with plt.rc_context(_THEME):
        figure, axes = _axes(6.3, 3.2)
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
        return _render(
            figure,
            f"Stopping boundary for {event_label}: {n_events} of {n_treated} subjects treated have the event; "
            f"the boundary at {n_max} subjects is {boundary[-1][1]}.",
        )


def edish(peaks: pl.DataFrame, limits: tuple[float, float] = (3.0, 2.0)) -> Figure:
    """Peak transaminase against peak bilirubin, multiples of ULN, log scales.

    ``peaks``: columns USUBJID, TA, BILI; ``limits``: the lines at transaminase and bilirubin multiples.
    """
    points = peaks.filter(pl.col("TA").is_not_null() & pl.col("BILI").is_not_null())
    x, y = points["TA"].to_numpy(), points["BILI"].to_numpy()
    names = [name.rsplit("-", 1)[-1] if name.count("-") > 1 else name for name in points["USUBJID"]]
    in_corner = (x >= limits[0]) & (y >= limits[1])
    with plt.rc_context(_THEME):
        figure, axes = _axes(6.3, 4.0)
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
        return _render(
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


def term_dots(rows: Sequence[tuple[str, float, float, float, float]]) -> Figure:
    """Most frequent terms: (label, % any grade, interval low, high, % grade 3 or worse)."""
    with plt.rc_context(_THEME):
        figure, axes = _axes(6.3, 0.55 + 0.24 * len(rows))
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
        return _render(figure, f"Most frequent events: {said}")


def moved_by(pieces: Sequence[tuple[str, str, float]], leading: str, share: float) -> Figure:
    """What moved the share of the leading cause: (cause, evidence, effect), for it to the right, against it to the left."""
    with plt.rc_context(_THEME):
        figure, axes = _axes(3.1, 0.5 + 0.3 * len(pieces))
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
        axes.set_xlabel(f"percentage points of the share of {leading} (n = 1 event)", fontsize=6.8)
        said = "; ".join(f"{cause}, {evidence}: {100 * effect:+.0f} points" for cause, evidence, effect in pieces)
        return _render(figure, f"{leading} leads with {100 * share:.0f} %. Moved by: {said}")


def _above(values: Any) -> float:
    return float(values.max()) * 2.2 if len(values) else 1.0


def _below(values: Any) -> float:
    positive = values[values > 0]
    return float(positive.min()) * 0.8 if len(positive) else 0.1
