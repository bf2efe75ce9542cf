"""Where a document is cut so that its parts can be laid out at the same time: a pure function of its HTML.

A document marks with ``<!--part-->`` where a new page begins anyway. Small neighbours stay together; a long listing is cut
between rows, its head repeated. The cuts depend on the text alone, never on the machine, so that the same HTML gives the same
pages everywhere.

>>> document = cut('<html><head></head><body><div class="running foot">f</div><h1>a</h1><!--part--><p>b</p></body></html>')
>>> document.running, document.front, document.parts
('<div class="running foot">f</div>', '<h1>a</h1>', ('<p>b</p>',))
>>> document.page("<p>x</p>", "p { margin: 0 }")
'<html><head><style>p { margin: 0 }</style></head><body><p>x</p></body></html>'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MARK = "<!--part-->"
#: Parts lighter than this many cells are laid out together with their neighbour; listings are cut after so many.
LIGHT, HEAVY = 400, 6000
#: A figure that is still to be drawn takes as long as this many cells.
FIGURE = 40
_TO_DRAW = 'src="data:image/svg'

_BODY = re.compile(r"<body[^>]*>")
_RUNNING = re.compile(r'<div class="running.*?</div>', re.S)
_SECTION = re.compile(r"\s*(<section[^>]*>)(.*)</section>\s*", re.S)
_TABLE = re.compile(r"(<table[^>]*>)(.*?)</table>", re.S)
_SHARED = re.compile(r"@font-face \{[^}]*\}|<link rel=\"stylesheet\"[^>]*>")
_ID = re.compile(r'\sid="[^"]*"')


@dataclass(frozen=True)
class Document:
    """*head* up to and with ``<body>``, the *running* header and footer, the *front* (what has the contents, or all of a
    document without marks) and the other *parts*."""

    head: str
    running: str
    front: str
    parts: tuple[str, ...]

    def page(self, content: str, style: str = "") -> str:
        """*content* as an HTML document of its own, with more *style*."""
        return f"{self.head.replace('</head>', f'<style>{style}</style></head>')}{content}</body></html>"


def cut(html: str, heavy: int = HEAVY) -> Document:
    """*html* in parts; listings of more than *heavy* cells are cut after about so many."""
    body = _BODY.search(html)
    if body is None:
        raise ValueError("the HTML has no <body>")
    inside = html[body.end() : html.rindex("</body>")]
    running = "".join(_RUNNING.findall(inside))
    front, *sections = _RUNNING.sub("", inside).split(MARK)
    head = _SHARED.sub("", html[: body.end()])  # the press has fonts and style sheet
    return Document(head, running, front.strip(), tuple(parts_of(sections, heavy)))


def parts_of(sections: Iterable[str], heavy: int = HEAVY) -> Iterator[str]:
    """The parts of what stands between the marks, each as soon as what it is made of has come."""
    return _together(piece for section in sections for piece in _chunks(section, heavy))


def weight(html: str) -> int:
    """About how long *html* takes to lay out, in table cells."""
    return html.count("<td") + html.count("<th") + FIGURE * html.count(_TO_DRAW)


def _together(pieces: Iterator[str]) -> Iterator[str]:
    held, load = "", 0
    for piece in pieces:
        own = weight(piece)
        if held and load + own > LIGHT:
            yield held
            held, load = "", 0
        held, load = held + piece, load + own
    if held:
        yield held


def _chunks(section: str, limit: int) -> Iterator[str]:
    """*section*, its tables of more than *limit* cells cut between rows into sections that go on under a repeated head."""
    whole = _SECTION.fullmatch(section)
    if whole is None or weight(section) <= limit:
        yield section
        return
    opening, content = whole.groups()
    going_on = _ID.sub("", opening).replace('class="part', 'class="part continued')
    held, at = opening, 0
    for table in _TABLE.finditer(content):
        if weight(table[0]) <= limit or not _is_child(content[: table.start()]) or "rowspan" in _body_of(table[2]):
            continue
        held += content[at : table.start()]
        at = table.end()
        before, rows, after = _rows(table[2])
        for chunk in _groups(rows, limit):
            yield f"{held}{table[1]}{before}{''.join(chunk)}{after}</table></section>"
            held = going_on
    rest = content[at:]
    if rest.strip() or held != going_on:
        yield f"{held}{rest}</section>"


def _is_child(before: str) -> bool:
    """Whether nothing is open where *before* ends, so that a cut there leaves no box in two."""
    return all(before.count(f"<{tag}") == before.count(f"</{tag}>") for tag in ("div", "table", "figure", "section"))


def _body_of(table: str) -> str:
    return table[table.find("<tbody") :]


def _rows(table: str) -> tuple[str, list[str], str]:
    """What stands before the rows of the only body of *table*, the rows, and what stands after them."""
    start = table.index(">", table.index("<tbody")) + 1
    end = table.index("</tbody>")
    first, *rows = re.split(r"(?=<tr[\s>])", table[start:end])
    return table[:start] + first, rows, table[end:]


def _groups(rows: list[str], limit: int) -> Iterator[list[str]]:
    """*rows* in runs of about *limit* cells; a heading of a group stays with the rows below it."""
    held: list[str] = []
    load = 0
    for row in rows:
        if held and load >= limit and not _is_heading(held[-1]):
            yield held
            held, load = [], 0
        held.append(row)
        load += weight(row)
    if held:
        yield held


def _is_heading(row: str) -> bool:
    return row.startswith(('<tr class="level0', '<tr class="level1'))
