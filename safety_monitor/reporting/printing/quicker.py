"""WeasyPrint with a fifth to a third less work for the same pages: the same bytes, which a test compares.

What it does over and over with the same outcome is done once: the styles of elements that the same rules match in the same
parent, and for each style the used values of margins, paddings and sizes in a container of one size, and the first line of the
same words in the same width ("0 (0.0 %)" stands in a thousand cells), measured and drawn. HTML is parsed by libxml2. The version
is named because this knows its inside: another one prints as it is, and slower.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from math import inf
from typing import Any
from xml.etree import ElementTree

import cssselect2
import lxml.etree
import lxml.html
import weasyprint
from weasyprint import HTML, URLFetcher, css
from weasyprint.draw import text as drawing
from weasyprint.formatting_structure import boxes
from weasyprint.layout import percent
from weasyprint.text import fonts, line_break
from weasyprint.text.ffi import pango

_KNOWN = "70.0"
_RESUMES, _WIDTH = 2, 3  # in what splitting a line answers: where the next one begins, and how wide this one is
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
            (line_break, "strut", partial(_of_style, "_strut")),
            (fonts, "get_font_description", partial(_of_style, "_font_description")),
            (drawing, "draw_first_line", _drawn),
        ):
            _replace(getattr(module, name), name, remembering)
        css.StyleFor.__init__ = _styles
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


def _styles(self: Any, html: Any, sheets: Any, presentational_hints: Any, font_config: Any, target_collector: Any) -> None:
    """The styles of each element and of what stands before, after and beside it; those with the same rules share them."""
    self._cascaded_styles, self._computed_styles, self._sheets, self.font_config = {}, {}, sheets, font_config
    self.initial_page_sizes = {"box": None, "area": None}
    root = html.etree_element
    own: dict[Any, list[tuple[Any, ...]]] = {}
    for specificity, element, declarations, base_url in css.find_style_attributes(root, presentational_hints, html.base_url):
        for declared in css.preprocess_declarations(base_url, declarations):
            own.setdefault(element, []).append((None, *declared, "author", inf, specificity))
    matching = [sheet for sheet in enumerate(sheets) if sheet[1][0].matcher.order]  # others have no rules of elements
    known: dict[tuple[Any, ...], dict[Any, Any]] = {}
    for wrapper in html.wrapper_element.iter_subtree():
        element, parent = wrapper.etree_element, wrapper.parent.etree_element if wrapper.parent else None
        rules = [(number, sheet, rule) for number, sheet in matching for rule in sheet[0].matcher.match(wrapper)]
        key = (
            id(self._computed_styles[parent, None]) if wrapper.parent else None, element if element in own else None,
            tuple((number, rule[1]) for number, _, rule in rules),
        )  # fmt: skip
        if key not in known:
            declared = [*own.get(element, ()), *_declared(rules)]
            known[key] = _computed(self, element, parent, root, declared, html.base_url, target_collector)
        for kind, style in known[key].items():
            self._computed_styles[element, kind] = style
    self._cascaded_styles.clear()


def _declared(rules: Any) -> Iterator[tuple[Any, ...]]:
    """Each declaration of *rules*: what it is of, name, value, whether it is important, origin, layer and specificity."""
    for _, (sheet, origin, stronger), (specificity, _, kind, (declarations, layer)) in rules:
        order = inf if layer is None else sheet.layers.index(layer)
        for declared in declarations:
            yield kind, *declared, origin, order, stronger or specificity


def _computed(
    self: Any, element: Any, parent: Any, root: Any, declared: Any, base_url: Any, target_collector: Any
) -> dict[Any, Any]:  # fmt: skip
    """The styles of *element* itself (None) and of its pseudo-elements, by the cascade over what is *declared*."""
    cascaded: dict[Any, dict[str, Any]] = {None: {}}
    for kind, name, value, important, origin, order, specificity in declared:
        style = cascaded.setdefault(kind, {})
        weight = (css.declaration_precedence(origin, important), order, specificity)
        if name not in style or style[name][1] <= weight:
            style[name] = value, weight
    for kind, style in cascaded.items():
        self._cascaded_styles[element, kind] = style
        self.set_computed_styles(element, parent if kind is None else element, root, kind, base_url, target_collector)
    return {kind: self._computed_styles[element, kind] for kind in cascaded}


def _replace(known: Any, name: str, remembering: Callable[..., Any]) -> None:
    """*remembering*, with what it replaces as its first argument, takes the place of *known* wherever WeasyPrint has it."""
    for module in [module for path, module in sys.modules.items() if path.startswith("weasyprint")]:
        if getattr(module, name, None) is known:
            setattr(module, name, partial(remembering, known))


def _of_style(name: str, work_out: Any, style: Any) -> Any:
    """What follows from *style* alone, by *name*."""
    remembered = style.__dict__
    if name not in remembered:
        remembered[name] = work_out(style)
    return remembered[name]


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
    """The same words in the same width; and those that fit into less, or into any width, fit."""
    remembered = style.__dict__.setdefault("_first_lines", {})
    whole, key = (text, justification_spacing), (text, max_width, justification_spacing, is_line_start, minimum)
    found = remembered.get(whole)
    if found is None or not _fits(found, max_width):
        found = remembered.get(key)
    if found is None:
        found = remembered[key] = split(text, style, context, max_width, justification_spacing, is_line_start, minimum)
        found[0].drawn = []
        if found[_RESUMES] is None and _fits(found, max_width):
            remembered[whole] = found
    like, *measured = found
    layout = line_break.Layout.__new__(line_break.Layout)
    layout.__dict__.update(like.__dict__, max_width=max_width)
    return layout, *measured


def _fits(line: tuple[Any, ...], max_width: float | None) -> bool:
    return max_width is None or bool(line[_WIDTH] <= max_width)


def _drawn(draw: Any, stream: Any, textbox: Any, text_overflow: str, block_ellipsis: str, matrix: Any) -> Any:
    """A line that is whole and in one font is drawn by the same operator wherever it stands."""
    layout = textbox.pango_layout
    if layout.justification_spacing or text_overflow == "ellipsis" or block_ellipsis != "none" or not hasattr(layout, "drawn"):
        return draw(stream, textbox, text_overflow, block_ellipsis, matrix)
    if layout.drawn:
        font, operator = layout.drawn
        stream.set_text_matrix(*matrix.values)
        stream.set_font_size(*font)
        stream.stream.append(operator)
        return []
    before = len(stream.stream)
    emojis = draw(stream, textbox, text_overflow, block_ellipsis, matrix)
    drawn = stream.stream[before:]  # where it stands, its font where that is another than before, and its glyphs
    if not emojis and 2 <= len(drawn) <= 2 + sum(operator.endswith(b"Tf") for operator in drawn):
        layout.drawn[:] = stream._current_font, drawn[-1]
    return emojis
