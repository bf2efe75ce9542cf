"""A plain reader of tagged PDF files, to hold against what the printing says of itself.

It knows nothing of how the file was made: it reads each page's drawing, walks the structure tree, and compares.
What it cannot judge is whether the order is the one a person would read in, and whether words describe a picture well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

HEADINGS = {f"/H{level}": level for level in range(1, 7)}
#: Elements in which text may stand (ISO 32000-1, 14.8.4); the others hold elements only.
TEXT = {"/P", "/TD", "/TH", "/LBody", "/Lbl", "/Caption", "/Link", "/Span", "/Figure", *HEADINGS}
SHOWS = {"Tj", "TJ", "'", '"'}


@dataclass
class Page:
    """What a page draws: the text of each marked content, the text of its artifacts, and what belongs to neither."""

    marked: dict[int, str] = field(default_factory=dict)
    artifact: str = ""
    bare: str = ""
    nested: int = 0


@dataclass
class Element:
    """One element of the tree with its text (that of its own marked content and of all below)."""

    kind: str
    thing: Any
    parent: Element | None
    page: int | None
    text: str = ""


class Reader:
    def __init__(self, pdf: Pdf) -> None:
        self.pdf = pdf
        self.number = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
        self.pages = [_drawn(page) for page in pdf.pages]
        self.elements: list[Element] = []
        #: (page, mark) to the elements that hold it.
        self.holders: dict[tuple[int, int], list[Element]] = {}
        self.problems: list[str] = []
        [document] = pdf.Root.StructTreeRoot.K
        self._walk(document, None)
        self._check_marks()
        self._check_parent_tree()
        self._check_headings()
        self._check_tables()
        self._check_figures()
        self._check_links()

    def of(self, *kinds: str) -> list[Element]:
        return [element for element in self.elements if element.kind in kinds]

    def page_text(self, number: int) -> str:
        return " ".join(self.pages[number].marked.values())

    def outline(self) -> list[tuple[int, str, int]]:
        """Level, title and page (from 0) of each bookmark, from top to bottom."""

        def below(items: Any, level: int) -> Iterator[tuple[int, str, int]]:
            for item in items:
                yield level, item.title, self.number[item.destination[0].objgen]
                yield from below(item.children, level + 1)

        with self.pdf.open_outline() as outline:
            return list(below(outline.root, 1))

    def links(self) -> list[tuple[str, int]]:
        """Words and target page (from 0) of each link within the file, in order."""
        return [
            (str(annotation.Contents), self.number[annotation.Dest[0].objgen])
            for page in self.pdf.pages
            for annotation in page.obj.get("/Annots", Array())
            if "/Dest" in annotation
        ]

    def _walk(self, thing: Any, parent: Element | None) -> None:
        page = self.number.get(thing.Pg.objgen) if "/Pg" in thing else None
        element = Element(str(thing.S), thing, parent, page)
        self.elements.append(element)
        expected = self.pdf.Root.StructTreeRoot if parent is None else parent.thing
        if thing.P.objgen != expected.objgen:
            self.problems.append(f"{element.kind} names another parent than the one that holds it")
        for kid in thing.K if isinstance(thing.get("/K"), Array) else []:
            if isinstance(kid, int):
                assert page is not None
                self.holders.setdefault((page, kid), []).append(element)
                if element.kind not in TEXT:
                    self.problems.append(f"text stands directly in {element.kind} on page {page + 1}")
                text, above = self.pages[page].marked.get(kid, ""), element
                while above is not None:
                    above.text += text
                    above = above.parent
            elif kid.get("/Type") != Name.OBJR:
                self._walk(kid, element)

    def _check_marks(self) -> None:
        for number, page in enumerate(self.pages):
            for mark in page.marked:
                if len(self.holders.get((number, mark), [])) != 1:
                    self.problems.append(f"marked content {mark} of page {number + 1} has not exactly one owner")
            if page.bare.strip():
                self.problems.append(f"page {number + 1} draws untagged text: {page.bare[:40]}")
            if page.nested:
                self.problems.append(f"page {number + 1} has tagged content inside an artifact or the other way round")
        for number, mark in self.holders:
            if mark not in self.pages[number].marked:
                self.problems.append(f"marked content {mark} is not on page {number + 1}")

    def _check_parent_tree(self) -> None:
        entries = list(self.pdf.Root.StructTreeRoot.ParentTree.Nums)
        keys = [int(key) for key in entries[::2]]
        self.tree = dict(zip(keys, entries[1::2], strict=True))
        if keys != sorted(set(keys)):
            self.problems.append("the keys of the parent tree are not in order, or one is there twice")
        for number, page in enumerate(self.pdf.pages):
            owners = self.tree[int(page.obj.StructParents)]
            for mark in self.pages[number].marked:
                if owners[mark].objgen not in [holder.thing.objgen for holder in self.holders.get((number, mark), [])]:
                    self.problems.append(f"the parent tree gives mark {mark} of page {number + 1} to another element")

    def _check_headings(self) -> None:
        levels = [HEADINGS[element.kind] for element in self.of(*HEADINGS)]
        if levels[:1] != [1]:
            self.problems.append("the first heading is not H1")
        for before, after in pairwise(levels):
            if after > before + 1:
                self.problems.append(f"a heading of level {after} follows one of level {before}")

    def _check_tables(self) -> None:
        for cell in self.of("/TH"):
            if str(cell.thing.A.get("/Scope", "")) not in ("/Column", "/Row"):
                self.problems.append(f"header cell {cell.text!r} has no scope")
        headed = {id(self._table_of(cell)) for cell in self.of("/TH")}
        for table in self.of("/Table"):
            if id(table) not in headed:
                self.problems.append(f"the table {table.text[:30]!r} has no header cell")
            widths = {width for width in self._widths(table)}
            if len(widths) > 1:
                self.problems.append(f"the rows of the table {table.text[:30]!r} have {sorted(widths)} columns")

    def _table_of(self, element: Element | None) -> Element | None:
        while element is not None and element.kind != "/Table":
            element = element.parent
        return element

    def _widths(self, table: Element) -> list[int]:
        rows = [row for row in self.of("/TR") if self._table_of(row) is table]
        widths = [0] * len(rows)
        for at, row in enumerate(rows):
            for cell in row.thing.K:
                attributes = cell.get("/A", Dictionary())
                for below in range(int(attributes.get("/RowSpan", 1))):
                    if at + below < len(widths):
                        widths[at + below] += int(attributes.get("/ColSpan", 1))
        return widths

    def _check_figures(self) -> None:
        for figure in self.of("/Figure"):
            if not str(figure.thing.get("/Alt", "")).strip():
                self.problems.append("a figure has no alternative text")
            assert figure.page is not None
            _, _, width, height = (float(side) for side in self.pdf.pages[figure.page].mediabox)
            left, bottom, right, top = (float(side) for side in figure.thing.A.BBox)
            if not (0 <= left < right <= width + 1 and 0 <= bottom < top <= height + 1):
                self.problems.append(f"a figure of page {figure.page + 1} lies outside it")

    def _check_links(self) -> None:
        for number, page in enumerate(self.pdf.pages, 1):
            for annotation in page.obj.get("/Annots", Array()):
                owner = self.tree.get(int(annotation.get("/StructParent", -1)))
                held = owner is not None and Name.Link == owner.S and any(
                    isinstance(kid, Dictionary) and kid.Obj.objgen == annotation.objgen for kid in owner.K
                )  # fmt: skip
                if not held:
                    self.problems.append(f"a link of page {number} belongs to no Link element")
                if not str(annotation.get("/Contents", "")).strip():
                    self.problems.append(f"a link of page {number} says nothing")


def _drawn(page: pikepdf.Page) -> Page:
    found, stack, maps, font = Page(), [], {}, None
    for operands, operator in pikepdf.parse_content_stream(page):
        name = str(operator)
        if name in ("BDC", "BMC"):
            inside = {kind for kind, _ in stack}
            mark = int(operands[1].MCID) if name == "BDC" and "/MCID" in operands[1] else None
            kind = "artifact" if operands[0] == Name.Artifact else "content"
            found.nested += bool(inside - {kind})
            stack.append((kind, mark))
            if mark is not None:
                assert mark not in found.marked
                found.marked[mark] = ""
        elif name == "EMC":
            stack.pop()
        elif name == "Tf":
            font = str(operands[0])
            if font not in maps:
                maps[font] = _unicode(page.Resources.Font[font])
        elif name in SHOWS:
            assert font is not None
            text = "".join(_decoded(item, maps[font]) for item in _strings(operands[0]))
            if not stack:
                found.bare += text
            elif stack[-1][0] == "artifact":
                found.artifact += text + " "
            else:
                found.marked[stack[-1][1]] += text
    assert stack == []
    return found


def _strings(operand: Any) -> list[Any]:
    items = list(operand) if isinstance(operand, Array) else [operand]
    return [item for item in items if isinstance(item, pikepdf.String)]


def _unicode(font: Any) -> dict[int, str]:
    pairs = re.findall(rb"<([0-9a-f]+)> <([0-9a-f]+)>", font.ToUnicode.read_bytes())
    return {int(glyph, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for glyph, text in pairs if len(glyph) == 4}


def _decoded(string: Any, unicode: dict[int, str]) -> str:
    codes = bytes(string)
    return "".join(unicode[int.from_bytes(codes[at : at + 2], "big")] for at in range(0, len(codes), 2))
