"""Three figures of the validation study, as SVG without date or random names, so that the same numbers give the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from measures import Bin
from variations import Moved

mpl.use("svg")
mpl.rcParams.update({
    "svg.hashsalt": "safety-monitor", "svg.fonttype": "none", "font.size": 8, "font.family": "sans-serif",
    "axes.spines.top": False, "axes.spines.right": False,
})  # fmt: skip

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

COLOURS = {"ablation": "#D55E00", "lenvatinib": "#0072B2", "pd1": "#009E73", "disease": "#CC79A7", "other": "#7F7F7F"}
GREY = "#8A8F98"


def _save(drawn: Figure, path: Path) -> None:
    drawn.savefig(path, metadata={"Date": None})
    plt.close(drawn)


def reliability_figure(leading: Sequence[Bin], by_cause: Mapping[str, Sequence[Bin]], path: Path) -> None:
    """Stated against observed: the leading share with intervals, and the share of each cause."""
    drawn, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.5), layout="constrained", sharey=True)
    for axes in (left, right):
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="stated share")
    most = max(each.n for each in leading)
    for each in leading:
        left.plot([each.stated] * 2, [each.least, each.most], color="#222222", linewidth=1.2)
        left.plot([each.stated], [each.observed], "o", color="#222222", markersize=2.5 + 5 * (each.n / most) ** 0.5)
    left.set(ylabel="how often it was the true cause", title="leading cause, 95 % interval")
    for cause, bins in by_cause.items():
        right.plot([b.stated for b in bins], [b.observed for b in bins], "o-", markersize=3, linewidth=1, color=COLOURS[cause])
        right.plot([], [], "o-", color=COLOURS[cause], label=cause, markersize=3, linewidth=1)
    right.set(title="each cause")
    right.legend(frameon=False, loc="upper left")
    _save(drawn, path)


def missing_figure(rows: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> None:
    """Brier score by the fraction of events that lack something."""
    drawn, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
    for (label, points), colour in zip(rows.items(), COLOURS.values(), strict=False):
        x, y = zip(*points, strict=True)
        axes.plot([100 * each for each in x], y, "o-", color=colour, label=label, markersize=3, linewidth=1.2)
    axes.set(xlabel="events that lack it, %", ylabel="Brier score (0 is perfect)", ylim=(0, None))
    axes.legend(frameon=False, loc="lower left")
    _save(drawn, path)


def weights_figure(moves: Sequence[Moved], path: Path, n_weights: int = 15) -> None:
    """Events whose leading cause changes: the weights that matter most, up to the right and down to the left."""
    labels = list(dict.fromkeys(move.weight.label for move in moves))[:n_weights]
    drawn, axes = plt.subplots(figsize=(6.6, 0.24 * len(labels) + 0.8), layout="constrained")
    for place, label in enumerate(reversed(labels)):
        for move in (each for each in moves if each.weight.label == label):
            up = move.factor > 1
            axes.barh(place, (1 if up else -1) * 100 * move.leading, color="#0072B2" if up else "#D55E00", height=0.7)
    axes.set_yticks(range(len(labels)), list(reversed(labels)))
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel("events whose leading cause changes, %: weight halved (left), doubled (right)")
    _save(drawn, path)
