"""The figures of one report on pages of one PDF, so that a font is embedded once; they are put in place when it is printed.

A page needs to know how large a figure is, not what is in it: figures are drawn last, while the pages are laid out.

    with album() as pictures:
        figure = term_dots(...)  # figure.uri holds its place in HTML
        drawn = pictures.pdf()
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import pikepdf
from matplotlib.backends.backend_pdf import FigureCanvasPdf, PdfPages
from matplotlib.transforms import Bbox

from safety_monitor.reporting.figures.theme import THEME, arranged, collector
from safety_monitor.reporting.printing.pictures import holder

_POINTS = 72  # an inch


class Album:
    """Figures that hold their place, and are then drawn in that order."""

    def __init__(self) -> None:
        self.figures: list[Any] = []

    def add(self, figure: Any) -> str:
        """The address of an image that holds the place of *figure*."""
        self.figures.append(figure)
        width, height = figure.get_size_inches()
        return holder(len(self.figures) - 1, _POINTS * width, _POINTS * height)

    def pdf(self) -> pikepdf.Pdf:
        """All figures, one a page."""
        file, boxes = io.BytesIO(), []
        pages: Any = PdfPages(file, metadata={"CreationDate": None, "Creator": None, "Producer": None})
        with plt.rc_context(THEME):
            for figure in self.figures:
                figure.dpi = _POINTS  # as it will be drawn: letters are measured the same
                canvas: Any = FigureCanvasPdf(figure)
                boxes.append(_shaped_as(figure, arranged(figure)))
                canvas.print_pdf(pages)
            pages.close()
        if not boxes:
            return pikepdf.Pdf.new()
        drawn = pikepdf.open(file)
        for page, box in zip(drawn.pages, boxes, strict=True):
            page.mediabox = pikepdf.Array([round(_POINTS * float(side), 3) for side in box.extents])
        return drawn


def _shaped_as(figure: Any, box: Bbox) -> Bbox:
    """*box*, wider or higher where it takes that to have the ratio of the sides of *figure*."""
    width, height = figure.get_size_inches()
    scale = max(box.width / width, box.height / height)
    return Bbox.from_bounds(
        box.x0 - (scale * width - box.width) / 2, box.y0 - (scale * height - box.height) / 2, scale * width, scale * height
    )


@contextmanager
def album() -> Iterator[Album]:
    """What is drawn within goes into one album."""
    opened = Album()
    before = collector.set(opened.add)
    try:
        yield opened
    finally:
        collector.reset(before)
