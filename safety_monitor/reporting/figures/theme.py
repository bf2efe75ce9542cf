"""The one theme of all figures: Okabe-Ito colours, told apart by shape and dash as well, so that greyscale says the same.

The same numbers give the same bytes: no date, fixed ids, text kept as text, fonts from files of ours. Labels go through
``wording.t``, so that a figure speaks the language of its report.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from safety_monitor.reporting.fonts import FACES, FOLDER

plt.switch_backend("svg")  # no window, no display
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the Chinese face has one weight; nothing to say
for face in FACES:
    font_manager.fontManager.addfont(FOLDER / face.file)

BLUE, ORANGE, GREEN, VERMILION, GREY, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8F98", "#1F2933"
SKY, YELLOW, PURPLE = "#56B4E9", "#F0E442", "#CC79A7"
THEME: Any = {
    "svg.fonttype": "none", "svg.hashsalt": "safety-monitor", "pdf.fonttype": 3, "pdf.compression": 0,
    "font.family": ["DejaVu Sans", "Safety Han"],
    "font.size": 8.5, "axes.titlesize": 9, "axes.labelsize": 8.5, "axes.edgecolor": GREY, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "lines.linewidth": 1.6,
}  # fmt: skip
DASHED = (0, (4, 2))
_MARGIN = 0.03  # inches; what hangs over the edge of a mark

#: Takes a figure that is to be drawn later and gives the address of what holds its place; without one, figures become SVG.
collector: ContextVar[Callable[[Any], str] | None] = ContextVar("collector", default=None)


@dataclass(frozen=True)
class Figure:
    """One picture: the address of its image (SVG, or what holds its place while an ``album`` is open), and in words what it
    shows for those who cannot see it.
    """

    uri: str
    alt: str


def render(figure: Any, alt: str) -> Figure:
    """*figure* as an image, the same bytes each time."""
    plt.close(figure)  # no longer pyplot's; it can still be drawn
    collect = collector.get()
    return Figure(collect(figure) if collect else _svg(figure), alt)


def arranged(figure: Any) -> Bbox:
    """The box (inches) of all of *figure*, now laid out, and of what a long label or title takes more."""
    if engine := figure.get_layout_engine():  # once: saving would lay out again, and draw twice
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                if not axis.label.get_text():
                    axis.set_label_coords(0, 0)  # else a place is sought for it beside all labels of ticks
            for spine in axes.spines.values():
                spine.set_in_layout(False)  # labels of ticks reach further
        engine.execute(figure)
        figure.set_layout_engine("none")
    beside = [text for axes in figure.axes for text in (*axes.get_children(), axes.xaxis.label, axes.yaxis.label)]
    texts = (text for text in beside if isinstance(text, Text) and text.get_text())
    box = Bbox.union([figure.bbox, *(text.get_window_extent() for text in texts)])
    inches: Bbox = figure.dpi_scale_trans.inverted().transform_bbox(box)
    return inches.padded(_MARGIN)


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, bbox_inches=arranged(figure))
    svg = buffer.getvalue()
    return f"data:image/svg+xml;base64,{base64.b64encode(svg[svg.index('<svg') :].encode()).decode()}"


class Room(NamedTuple):
    """Inches around the axes for what stands there, and between rows and columns of them, where that is the same for all data:
    to measure it takes as long as to draw."""

    left: float
    right: float
    bottom: float
    top: float
    across: float = 0.0
    down: float = 0.0


def panels_of(width: float, height: float, rows: int, columns: int, room: Room | None = None) -> tuple[Any, Any]:
    """A figure of *width* by *height* inches and its axes, *rows* by *columns*; the room around them is measured where none is
    given. Call it and what draws within ``plt.rc_context(THEME)``."""
    if room is None:
        return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)
    wide = (width - room.left - room.right - room.across * (columns - 1)) / columns
    high = (height - room.bottom - room.top - room.down * (rows - 1)) / rows
    places = {
        "left": room.left / width, "right": 1 - room.right / width, "bottom": room.bottom / height, "top": 1 - room.top / height,
        "wspace": room.across / wide, "hspace": room.down / high,
    }  # fmt: skip
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False, gridspec_kw=places)


def axes_of(width: float, height: float, room: Room | None = None) -> tuple[Any, Axes]:
    """The same with one set of axes."""
    with plt.rc_context(THEME):
        figure, [[axes]] = panels_of(width, height, 1, 1, room)
    return figure, axes
