"""Printed parts to one file: pages, one structure tree, bookmarks, links across parts, one font of each face.

What is drawn on every page (header, footer, "Page x of y") is drawn as an artifact, so that a screen reader does not read it
400 times.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, OutlineItem, Pdf, Stream, String

from safety_monitor.reporting.printing import pictures as holders
from safety_monitor.reporting.printing.framing import Frame
from safety_monitor.reporting.printing.typefaces import Cut, unite

#: The scheme of a link whose target may be in another part (WeasyPrint drops a link to an unknown ``#name``).
SCHEME = "part:"


@dataclass
class Part:
    """One printed part and what its pages are: their types (names of ``@page``), and where its anchors are."""

    pdf: Pdf
    types: list[str] = field(init=False)
    #: Name to (page of this part, left, top).
    anchors: dict[str, tuple[int, Any, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.types = [str(page.obj.PageType)[1:] for page in self.pdf.pages]
        number = {page.obj.objgen: index for index, page in enumerate(self.pdf.pages)}
        self.anchors = {}
        names = self.pdf.Root.get("/Names", Dictionary()).get("/Dests", Dictionary()).get("/Names", Array())
        for name, target in zip(list(names)[::2], list(names)[1::2], strict=True):
            self.anchors.setdefault(str(name), (number[target[0].objgen], target[2], target[3]))

    @classmethod
    def of(cls, content: bytes) -> Part:
        return cls(pikepdf.open(io.BytesIO(content)))


def faces_of(files: Iterable[Pdf]) -> Iterator[Any]:
    """The font dictionaries of all pages of *files*."""
    for file in files:
        tables = {page.obj.Resources.Font.objgen: page.obj.Resources.Font for page in file.pages}
        yield from tables.values()


def pages_of(parts: Sequence[Part]) -> dict[str, int]:
    """The page of the whole on which each anchor is, the first being 1."""
    found: dict[str, int] = {}
    start = 1
    for part in parts:
        for name, (page, _, _) in part.anchors.items():
            found.setdefault(name, start + page)
        start += len(part.types)
    return found


class Joiner:
    """One PDF of *parts*, the first of which may still be in work: all others are taken over at once, and *pictures* into the
    places that are held for them.
    """

    def __init__(self, parts: Sequence[Part], pictures: Pdf | None) -> None:
        self.pdf = Pdf.new()
        self.parts = list(parts)
        self.trees = [self._taken(part, len(self.pdf.pages)) for part in parts]
        if pictures:
            holders.place(self.pdf, pictures)

    def _taken(self, part: Part, start: int) -> Any:
        """The structure of *part*, whose pages are now among those of the whole, from number *start* on."""
        for number, page in enumerate(part.pdf.pages, start):
            self.pdf.pages.insert(number, page)
        return self.pdf.copy_foreign(part.pdf.Root.StructTreeRoot)

    def bytes(
        self, first: Part, frames: Mapping[str, Frame], identifier: str, labels: Mapping[str, str], faces: Mapping[str, Cut]
    ) -> bytes:  # fmt: skip
        """The whole, with *first* before the parts and each page in the frame of its type; *labels* says in words where a link
        to an anchor leads; *faces* are cut already."""
        self.parts.insert(0, first)
        self.trees.insert(0, self._taken(first, 0))
        self.pages = list(self.pdf.pages)
        self.labels = labels
        self.starts: list[int] = []
        self.targets: dict[str, tuple[int, Any, Any]] = {}
        start = 0
        for part in self.parts:
            self.starts.append(start)
            for name, (page, left, top) in part.anchors.items():
                self.targets.setdefault(name, (start + page, left, top))
            start += len(part.types)
        self.frame(frames, faces)
        self.tag()
        self.link()
        self.bookmark()
        self.describe(identifier)
        made = io.BytesIO()
        self.pdf.save(
            made, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True, deterministic_id=True,
            min_version="1.7",
        )  # fmt: skip
        return made.getvalue()

    def frame(self, frames: Mapping[str, Frame], faces: Mapping[str, Cut]) -> None:
        """Header and footer onto each page, and the fonts of both from one table."""
        opened = self.pdf.make_indirect(Stream(self.pdf, b"q"))
        drawn = {
            kind: (
                self.pdf.make_indirect(Stream(self.pdf, b"Q /Artifact <</Type /Pagination>> BDC q\n" + frame.before)),
                self.pdf.make_indirect(Stream(self.pdf, frame.after + b"\nQ EMC")),
                self.pdf.copy_foreign(frame.resources),
            )
            for kind, frame in frames.items()
        }
        tables: dict[tuple[int, int], Any] = {}
        for number, page in enumerate(self.pages, 1):
            own, kind = page.obj, str(page.obj.PageType)[1:]
            del own.PageType
            before, after, resources = drawn[kind]
            for key, state in resources.get("/ExtGState", Dictionary()).items():
                own.Resources.ExtGState[key] = state  # a state's name says all that it does: two alike are the same
            for table in (own.Resources.Font, resources.Font):
                tables.setdefault(table.objgen, table)
            label = self.pdf.make_indirect(Stream(self.pdf, frames[kind].label(number, len(self.pages))))
            own.Contents = Array([opened, own.Contents, before, label, after])
        unite(self.pdf, tables.values(), faces)

    def tag(self) -> None:
        """One structure tree; the numbers by which pages and annotations find their elements run through."""
        root = self.pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot))
        document = self.pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, P=root, K=Array()))
        root.K = Array([document])
        numbers, annotations = Array(), []
        for part, tree, start in zip(self.parts, self.trees, self.starts, strict=True):
            for kid in tree.K[0].K:
                kid.P = document
                document.K.append(kid)
            entries: list[Any] = list(tree.ParentTree.Nums)
            for number, owners in zip(entries[::2], entries[1::2], strict=True):
                if number < len(part.types):
                    numbers.append(start + int(number))
                    numbers.append(owners)
                    self.pages[start + int(number)].obj.StructParents = start + int(number)
                else:
                    annotations.append(owners)
        for place, (annotation, owner) in enumerate(self.annotated(annotations), len(self.pages)):
            annotation.StructParent = place
            numbers.append(place)
            numbers.append(owner)
        root.ParentTree = self.pdf.make_indirect(Dictionary(Nums=numbers))
        root.ParentTreeNextKey = len(self.pages) + len(annotations)
        self.pdf.Root.StructTreeRoot = root
        self.pdf.Root.MarkInfo = Dictionary(Marked=True)

    def annotated(self, owners: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Each annotation with the element that owns it."""
        for owner in owners:
            for kid in owner.K:
                if isinstance(kid, Dictionary) and kid.get("/Type") == Name.OBJR:
                    yield kid.Obj, owner

    def link(self) -> None:
        """Links to other parts get their targets; what a link says is where it leads."""
        for page in self.pages:
            for annotation in page.obj.get("/Annots", Array()):
                uri = str(annotation.get("/A", Dictionary()).get("/URI", ""))
                if uri.startswith(SCHEME):
                    name = uri.removeprefix(SCHEME)
                    del annotation.A
                    annotation.Dest = self.destination(name)
                    annotation.Contents = String(self.labels.get(name, name))
        names = Array()
        for name in sorted(self.targets):
            names.append(String(name))
            names.append(self.destination(name))
        if len(names):
            self.pdf.Root.Names = Dictionary(Dests=self.pdf.make_indirect(Dictionary(Names=names)))

    def destination(self, name: str) -> Array:
        if name not in self.targets:
            raise ValueError(f"a link leads to #{name}, which no part has")
        page, left, top = self.targets[name]
        return Array([self.pages[page].obj, Name.XYZ, left, top, 0])

    def bookmark(self) -> None:
        with self.pdf.open_outline() as outline:
            for part, start in zip(self.parts, self.starts, strict=True):
                number = {page.obj.objgen: index for index, page in enumerate(part.pdf.pages, start)}
                with part.pdf.open_outline() as theirs:
                    outline.root.extend(_moved(item, number) for item in theirs.root)

    def describe(self, identifier: str) -> None:
        first = self.parts[0].pdf
        root = self.pdf.Root
        root.Lang = String(str(first.Root.Lang))
        root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
        root.PageMode = Name.UseOutlines
        root.Metadata = self.pdf.copy_foreign(first.Root.Metadata)
        for key, value in first.docinfo.items():
            self.pdf.docinfo[key] = String(str(value))
        self.pdf.trailer.ID = Array([String(identifier), String(identifier)])


def _moved(item: OutlineItem, number: Mapping[tuple[int, int], int]) -> OutlineItem:
    target: Any = item.destination
    moved = OutlineItem(item.title, number[target[0].objgen], "XYZ", left=target[2], top=target[3])
    moved.children.extend(_moved(child, number) for child in item.children)
    return moved
