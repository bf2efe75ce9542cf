"""WeasyPrint with a fifth less work for the same pages: the same bytes, which a test compares.

What it does over and over with the same outcome is done once for each style: the used values of margins, paddings and sizes in
a container of one size, and the first line of the same words in the same width ("0 (0.0 %)" stands in a thousand cells). HTML
is parsed by libxml2. The version is named because this knows its inside: another one prints as it is, and slower.
"""

from __future__ import annotations

import copy
import sys
from functools import partialmethod
from typing import Any
from xml.etree import ElementTree

import cssselect2
import lxml.etree
import lxml.html
import weasyprint
from weasyprint import HTML, URLFetcher
from weasyprint.formatting_structure import boxes
from weasyprint.layout import percent
from weasyprint.text import line_break
from weasyprint.text.ffi import pango

_KNOWN = "70.0"
_BORDERS = tuple(f"border_{side}_width" for side in ("top", "right", "bottom", "left"))
_USED = (
    *(f"{kind}_{side}" for kind in ("margin", "padding") for side in ("top", "right", "bottom", "left")),
    *(f"{limit}{side}" for limit in ("", "min_", "max_") for side in ("width", "height")),
    *_BORDERS,
)


def quicken() -> None:
    """Let WeasyPrint, in this process and its forks, remember what it has worked out."""
    if weasyprint.__version__ == _KNOWN:
        for module, name, remembering in (
            (percent, "resolve_percentages", _used_values),
            (line_break, "split_first_line", _first_line),
        ):
            _replace(getattr(module, name), name, remembering)
        line_break.Layout.deactivate = lambda layout: None
        line_break.Layout.reactivate = partialmethod(_as_measured, line_break.Layout.reactivate)


class Parsed(HTML):  # type: ignore[misc]
    """*html*, a whole document, for WeasyPrint; *base_url* is what its addresses are relative to."""

    def __init__(self, html: str, base_url: str) -> None:
        found = lxml.html.document_fromstring(html, parser=lxml.html.HTMLParser(huge_tree=True))
        root = ElementTree.fromstring(lxml.etree.tostring(found))
        self.base_url, self.url_fetcher, self.media_type = base_url, URLFetcher(), "print"
        self.wrapper_element = cssselect2.ElementWrapper.from_html_root(root, content_language=None)
        self.etree_element = self.wrapper_element.etree_element


def _as_measured(layout: Any, set_up: Any, style: Any) -> None:
    """Draw from the layout that was measured, which is kept; it is set up anew only where words are spread over the line."""
    if layout.justification_spacing or getattr(layout, "style", None) is not style:
        set_up(layout, style)
    else:
        pango.pango_layout_set_width(layout.layout, -1)


def _replace(known: Any, name: str, remembering: Any) -> None:
    """*remembering* takes the place of *known* wherever a module of WeasyPrint has it."""

    def called(*given: Any, **named: Any) -> Any:
        return remembering(known, *given, **named)

    for module in [module for path, module in sys.modules.items() if path.startswith("weasyprint")]:
        if getattr(module, name, None) is known:
            setattr(module, name, called)


def _used_values(work_out: Any, box: Any, containing_block: Any) -> None:
    """All that the outcome depends on: style, size of the container, and borders that a table has settled before."""
    size = (
        (containing_block.width, containing_block.height) if isinstance(containing_block, boxes.Box) else tuple(containing_block)
    )
    values = box.__dict__
    key = (size, tuple(map(values.get, _BORDERS)), isinstance(box, boxes.PageBox))
    remembered = box.style.__dict__.setdefault("_used_values", {})
    if (found := remembered.get(key)) is not None:
        values.update(found)
    else:
        work_out(box, containing_block)
        remembered[key] = {name: values[name] for name in _USED}


def _first_line(
    split: Any, text: str, style: Any, context: Any, max_width: float | None, justification_spacing: float,
    is_line_start: bool = True, minimum: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    remembered = style.__dict__.setdefault("_first_lines", {})
    key = (text, max_width, justification_spacing, is_line_start, minimum)
    if key not in remembered:
        remembered[key] = split(text, style, context, max_width, justification_spacing, is_line_start, minimum)
    layout, *measured = remembered[key]
    return copy.copy(layout), *measured
