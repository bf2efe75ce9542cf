"""Header and footer, the same on pages of one type, and the label "Page x of y" among them, which each page has its own of.

A frame is printed once for each type of page, with "0" in the place of both numbers: the label of a page is that label with its
own digits, moved to the left by what it is longer. (It is aligned to the right; digits are of one width in the reports' fonts.)
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

import pikepdf
from pikepdf import Array, Page, String

from safety_monitor.reporting.printing.typefaces import texts_of, widths_of

NONE, DIGITS = "0", string.digits
#: The style of a document of ``sheet``s.
SHEETS = """
@page { @bottom-right { content: string(sheet) } }
.sheet { break-before: page; height: 1px; string-set: sheet attr(data-sheet) }
"""
_GLYPH = 2  # bytes
_THOUSANDTHS = 1000  # of the font's size: unit of the widths of glyphs
_Drawn = Sequence[tuple[Sequence[Any], pikepdf.Operator]]


class _Found(NamedTuple):
    """Where in what a page draws its label is, from *start* to *end*; its *glyphs*, and the *font* (name and size) of each."""

    start: int
    end: int
    glyphs: list[bytes]
    fonts: list[tuple[Any, Any]]


class Frame:
    """What is drawn on pages of one type: *page*, printed of ``sheet(label, type, NONE)``; *digits* has the glyph of each.

    Raises ValueError where the label is not on it.
    """

    def __init__(self, page: Page, label: str, digits: Mapping[str, bytes]) -> None:
        self.resources = page.obj.Resources
        self._digits = {digit: String(glyph) for digit, glyph in digits.items()}
        self._places = _places(label, NONE)
        drawn = _drawn(page)
        found = _found(page, drawn, _filled(label, NONE))
        self._label = drawn[found.start : found.end]
        #: What is drawn before the label and after it.
        self.before, self.after = (pikepdf.unparse_content_stream(part) for part in (drawn[: found.start], drawn[found.end :]))
        name, size = found.fonts[min(self._places)]
        width = widths_of([self.resources.Font[name]])[int.from_bytes(digits[NONE])]
        self._digit_width = Decimal(width) * Decimal(size) / _THOUSANDTHS

    def label(self, page: int, pages: int) -> bytes:
        """What draws the label of *page* among *pages*."""
        said = {"page": str(page), "pages": str(pages)}
        longer = sum(len(said[number]) - len(NONE) for number in self._places.values())
        made: list[tuple[Sequence[Any], pikepdf.Operator]] = []
        at = 0
        for operands, operator in self._label:
            if str(operator) == "Tm":
                *turned, x, y = operands
                operands = [*turned, round(x - longer * self._digit_width, 6), y]
            elif str(operator) == "TJ":
                items: list[Any] = []
                for item, glyph in _glyphs(operands[0]):
                    number = self._places.get(at) if glyph else None
                    items += (self._digits[digit] for digit in said[number]) if number else [item]
                    at += bool(glyph)
                operands = [Array(items)]
            made.append((operands, operator))
        return pikepdf.unparse_content_stream(made)


def digits_of(page: Page, label: str) -> dict[str, bytes]:
    """The glyph of each digit in *label*, which *page* was printed with: ``sheet(label, type, DIGITS)``."""
    found = _found(page, _drawn(page), _filled(label, DIGITS))
    start = min(_places(label, DIGITS))
    return dict(zip(DIGITS, found.glyphs[start:], strict=False))


def sheet(label: str, kind: str, number: str) -> str:
    """HTML of an empty page of the type *kind*, its label with *number* for both; *label* as it stands in HTML."""
    return f'<div class="sheet" data-sheet="{_filled(label, number)}" style="page: {kind}"></div>'


def _filled(label: str, number: str) -> str:
    return label.format(page=number, pages=number)


def _places(label: str, number: str) -> dict[int, str]:
    """Where in ``_filled(label, number)`` which number begins.

    >>> _places("Page {page} of {pages}", "0")
    {5: 'page', 10: 'pages'}
    """
    found: dict[int, str] = {}
    at = 0
    for text, name, _, _ in string.Formatter().parse(label):
        at += len(text)
        if name:
            found[at] = name
            at += len(number)
    return found


def _drawn(page: Page) -> _Drawn:
    return [(list(instruction.operands), instruction.operator) for instruction in pikepdf.parse_content_stream(page)]


def _found(page: Page, drawn: _Drawn, label: str) -> _Found:
    """The line of text that says *label*, a glyph for each of its characters."""
    font: Any = None
    texts: dict[Any, dict[int, str]] = {}
    lines = [place for place, (_, operator) in enumerate(drawn) if str(operator) in ("Tm", "ET")]
    for start, end in pairwise(lines):
        glyphs: list[bytes] = []
        fonts: list[tuple[Any, Any]] = []
        for operands, operator in drawn[start:end]:
            if str(operator) == "Tf":
                font = tuple(operands)
                texts.setdefault(font[0], texts_of(page.obj.Resources.Font[font[0]]))
            elif str(operator) == "TJ":
                own = [glyph for _, glyph in _glyphs(operands[0]) if glyph]
                glyphs += own
                fonts += [font] * len(own)
        said = [texts[name].get(int.from_bytes(glyph), "") for glyph, (name, _) in zip(glyphs, fonts, strict=True)]
        if said == list(label):
            return _Found(start, end, glyphs, fonts)
    raise ValueError(f"no line at the foot of the page says {label!r}, a glyph for each letter: see @bottom-right in style.css")


def _glyphs(shown: Any) -> Iterator[tuple[Any, bytes]]:
    """The items of the array that a TJ shows, each string in strings of one glyph; a number (of kerning) has none."""
    for item in shown:
        content = bytes(item) if isinstance(item, String) else b""
        if not content:
            yield item, b""
        for place in range(0, len(content), _GLYPH):
            glyph = content[place : place + _GLYPH]
            yield String(glyph), glyph
