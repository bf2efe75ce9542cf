"""The flow of subjects through the trial, as CONSORT draws it, with one box per component."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from safety_monitor.reporting.figures.theme import BLUE, GREY, INK, THEME, Figure, render

_LINE, _PAD = 0.165, 0.11  # inches: one line of text, margin above and below
_GAP = 0.30
_WIDTH = 6.3


@dataclass(frozen=True)
class Box:
    """A box of the flow: its ``heading`` with its number, and the lines below it; ``strong``: the denominator."""

    heading: str
    lines: tuple[str, ...] = ()
    strong: bool = False

    def wrapped(self, width: float) -> list[tuple[str, bool]]:
        letters = int((width - 0.2) / 0.066)
        found = [(line, True) for line in _wrapped(self.heading, int(letters * 0.92))]
        return found + [(line, False) for text in self.lines for line in _wrapped(text, letters)]

    def height(self, width: float) -> float:
        return len(self.wrapped(width)) * _LINE + 2 * _PAD


def flow(screened: Box, not_treated: Box, treated: Box, components: Sequence[Box], outcomes: Sequence[Box]) -> Figure:
    """Screened, to the side who was not treated; treated; a row of components; a row of what became of everybody."""
    side, middle = 2.5, 2.2
    rows = [[screened], [treated], list(components), list(outcomes)]
    widths = [[middle], [middle], *(_even(len(row)) for row in rows[2:])]
    heights = [max((box.height(w) for box, w in zip(row, wide, strict=True)), default=0.0)
               for row, wide in zip(rows, widths, strict=True)]  # fmt: skip
    beside = max(_GAP, not_treated.height(side) - 0.10)
    gaps = [beside + 0.1, _GAP, _GAP]
    total = sum(heights) + sum(gap for gap, row in zip(gaps, rows[1:], strict=True) if row)
    with plt.rc_context(THEME):
        figure = plt.figure(figsize=(_WIDTH, total + 0.06))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, _WIDTH)
        axes.set_ylim(0, total + 0.06)
        axes.axis("off")
        top, centre = total + 0.03, middle / 2 + 0.55
        _draw(axes, screened, centre - middle / 2, top, middle, heights[0])
        bottom = top - heights[0]
        level = bottom - gaps[0] / 2
        _line(axes, (centre, bottom), (centre, bottom - gaps[0]), arrow=True)
        _line(axes, (centre, level), (_WIDTH - 0.02 - side, level), arrow=True)
        tall = not_treated.height(side)
        _draw(axes, not_treated, _WIDTH - 0.02 - side, level + tall / 2, side, tall)
        top = bottom - gaps[0]
        _draw(axes, treated, centre - middle / 2, top, middle, heights[1])
        bottom, source = top - heights[1], centre
        for row, wide, height, gap in zip(rows[2:], widths[2:], heights[2:], gaps[1:], strict=True):
            if row:
                _row(axes, row, wide, (source, bottom), gap, height)
                bottom, source = bottom - gap - height, _WIDTH / 2
        said = "; ".join(" ".join((box.heading, *box.lines)) for box in (screened, not_treated, treated, *components, *outcomes))
        return render(figure, said)


def _even(n: int) -> list[float]:
    return [(_WIDTH - 0.04 - 0.16 * (n - 1)) / n] * n if n else []


def _row(axes: Axes, row: Sequence[Box], widths: Sequence[float], source: tuple[float, float], gap: float, height: float) -> None:
    """A row of boxes below a bar that comes from *source*."""
    x, bottom = source
    lefts = [0.02 + number * (widths[0] + 0.16) for number in range(len(row))]
    middles = [left + widths[0] / 2 for left in lefts]
    bar = bottom - gap / 2
    _line(axes, (x, bottom), (x, bar))
    _line(axes, (min(*middles, x), bar), (max(*middles, x), bar))
    for box, left, middle in zip(row, lefts, middles, strict=True):
        _line(axes, (middle, bar), (middle, bottom - gap), arrow=True)
        _draw(axes, box, left, bottom - gap, widths[0], height)


def _draw(axes: Axes, box: Box, left: float, top: float, width: float, height: float) -> None:
    shape = FancyBboxPatch(
        (left, top - height), width, height, boxstyle="square,pad=0", facecolor="#E8EEF3" if box.strong else "white",
        edgecolor=BLUE if box.strong else GREY, linewidth=1.3 if box.strong else 0.8,
    )  # fmt: skip
    axes.add_patch(shape)
    for number, (line, bold) in enumerate(box.wrapped(width)):
        axes.text(left + 0.1, top - _PAD - (number + 0.5) * _LINE, line, va="center", ha="left", color=INK,
                  fontsize=8 if bold else 7.4, fontweight="bold" if bold else "normal")  # fmt: skip


def _line(axes: Axes, begin: tuple[float, float], end: tuple[float, float], arrow: bool = False) -> None:
    style = {
        "arrowstyle": "-|>" if arrow else "-",
        "color": GREY,
        "linewidth": 0.9,
        "shrinkA": 0,
        "shrinkB": 0,
        "mutation_scale": 7,
    }
    axes.annotate("", end, begin, arrowprops=style)


def _wrapped(text: str, letters: int) -> list[str]:
    """*text* in lines of at most *letters* narrow letters; a Chinese one takes the room of two."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    room = max(4, int(letters * len(text) / (len(text) + wide))) if text else letters
    return textwrap.wrap(text, room) or [""]
