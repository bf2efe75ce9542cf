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
from typing import Any

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


def axes_of(width: float, height: float) -> tuple[Any, Axes]:
    """A figure of *width* by *height* inches with one set of axes; call it and what draws within ``plt.rc_context(THEME)``."""
    with plt.rc_context(THEME):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
    return figure, axes
