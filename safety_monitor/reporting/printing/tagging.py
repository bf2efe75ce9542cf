"""The structure tree of one part, made fit for PDF/UA and small, before the part is written.

WeasyPrint wraps every piece of text in one or two elements, names no scope for header cells, gives a link one annotation for
each of its boxes and measures figures from the wrong corner. Here text belongs directly to its paragraph or cell (a third of
the objects), header cells have ``Scope`` (what stands in ``thead`` heads its column, other header cells their row), a link has
one annotation, and the elements of one section on successive pages are one element.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pydyf

_INLINE = ("/Span", "/NonStruct")
_GROUPS = ("/Sect", "/Div", "/Part", "/Art", "/BlockQuote", "/NonStruct")
#: Pixels of the layout in points of the file.
_SCALE = 0.75


def tidy(document: Any, pdf: Any) -> None:
    """To be given to ``write_pdf`` as its finisher: *pdf*, made from *document*, with the better tree."""
    _Tidier(document, pdf).run()


class _Tidier:
    def __init__(self, document: Any, pdf: Any) -> None:
        self.pages, self.pdf = document.pages, pdf
        root = self.of(pdf.catalog["StructTreeRoot"])
        self.parents, self.document = self.of(root["ParentTree"]), self.of(root["K"][0])
        self.page_of = {reference: number for number, reference in enumerate(pdf.page_references)}
        self.owners: list[dict[int, bytes]] = [{} for _ in self.pages]
        self.links: list[tuple[bytes, Any]] = []

    def run(self) -> None:
        self.join_pages()
        self.visit(self.document, heads=False)
        numbers = pydyf.Array()
        for page, owners in enumerate(self.owners):
            numbers.extend((page, pydyf.Array([owners[mark] for mark in range(len(owners))])))
        for number, (owner, annotation) in enumerate(self.links, len(self.pages)):
            annotation["StructParent"] = number
            annotation["F"] = 4  # printed with the page
            numbers.extend((number, owner))
        self.parents["Nums"] = numbers
        for reference, page in zip(self.pdf.page_references, self.pages, strict=True):
            self.of(reference)["PageType"] = f"/{page._page_box.page_type.name or 'auto'}"

    def of(self, reference: bytes) -> Any:
        return self.pdf.objects[int(reference.split()[0])]

    def join_pages(self) -> None:
        """One element for each section of the body, though it goes over many pages."""
        boxes = [child for page in self.pages for child in _children_of_body(page._page_box)]
        pairs = list(zip(boxes, self.document["K"], strict=True))
        kept = pydyf.Array()
        for _, run in groupby(pairs, key=lambda pair: id(pair[0].element)):
            (_, first), *others = run
            element = self.of(first)
            kept.append(first)
            if element["S"] != "/Sect":
                kept.extend(reference for _, reference in others)
                continue
            for _, reference in others:
                for kid in self.of(reference)["K"]:
                    element["K"].append(kid)
                    self.of(kid)["P"] = first
                self.drop(reference)
        self.document["K"] = kept

    def visit(self, element: Any, heads: bool) -> None:
        """Tidy below *element*, which stands in a head of a table where *heads*."""
        kind = element["S"]
        kids: list[Any] = []
        for kid in element["K"]:
            child = None if isinstance(kid, int) else self.of(kid)
            if child is None or child["Type"] == "/OBJR":
                kids.append(kid)
                continue
            self.visit(child, heads or kind == "/THead")
            kids.extend(self.kept(kind, kid, child, element))
        if kind in _GROUPS and any(isinstance(kid, int) for kid in kids):
            if all(isinstance(kid, int) for kid in kids):
                if kind != "/NonStruct":  # that is text of what it stands in
                    element["S"] = "/P"
            else:
                kids = self.paragraphs(kids, element)
        element["K"] = pydyf.Array(kids)
        self.describe(element, heads)

    def kept(self, kind: str, reference: bytes, child: Any, parent: Any) -> list[Any]:
        """What stays of *child* in *parent* (of *kind*): itself, its content, or nothing."""
        kids = child["K"]
        if kind == "/Link" and child["S"] == "/Link":  # the link of a pseudo-element: the whole one has all of it
            self.unlink(kids)
            kids = [kid for kid in kids if isinstance(kid, int)]
        elif child["S"] in _INLINE:
            plain = all(isinstance(kid, int) for kid in kids)
            if kind == "/Document" and plain and kids:
                child["S"] = "/P"
                return [reference]
            if (not plain and len(kids) > 1) or child["Pg"] != parent.get("Pg"):
                return [reference]
            for kid in kids:
                if not isinstance(kid, int):
                    self.of(kid)["P"] = parent.reference
        elif kids or child["S"] in ("/TD", "/TH", "/LBody"):
            return [reference]
        self.drop(reference)
        return list(kids)

    def paragraphs(self, kids: list[Any], parent: Any) -> list[Any]:
        """*kids* with each run of bare text as a paragraph."""
        found: list[Any] = []
        for bare, run in groupby(kids, key=lambda kid: isinstance(kid, int)):
            if not bare:
                found.extend(run)
                continue
            marks = list(run)
            made = pydyf.Dictionary(
                {"Type": "/StructElem", "S": "/P", "K": pydyf.Array(marks), "Pg": parent["Pg"], "P": parent.reference}
            )
            self.pdf.add_object(made)
            self.own(made)
            found.append(made.reference)
        return found

    def describe(self, element: Any, heads: bool) -> None:
        kind = element["S"]
        self.own(element)
        if kind in ("/TH", "/TD"):
            attributes = element["A"]
            attributes.pop("Headers", None)  # Scope says it, and takes a tenth of the room
            element.pop("ID", None)
            if kind == "/TH":
                attributes["Scope"] = "/Column" if heads else "/Row"
            elif len(attributes) == 1:
                del element["A"]
        elif kind == "/Figure":
            page = self.of(element["Pg"])
            height = float(page["MediaBox"][3])
            left, top, right, bottom = (_SCALE * side for side in element["A"]["BBox"])
            element["A"]["BBox"] = pydyf.Array((left, height - bottom, right, height - top))
        elif kind == "/Link":
            for kid in element["K"]:
                if not isinstance(kid, int):
                    self.links.append((element.reference, self.of(self.of(kid)["Obj"])))

    def own(self, element: Any) -> None:
        marks = [kid for kid in element["K"] if isinstance(kid, int)]
        if marks:
            owners = self.owners[self.page_of[element["Pg"]]]
            owners.update(dict.fromkeys(marks, element.reference))

    def unlink(self, kids: list[Any]) -> None:
        for kid in kids:
            if not isinstance(kid, int):
                found = self.of(kid)
                self.of(found["Pg"])["Annots"].remove(found["Obj"])
                self.links = [(owner, annotation) for owner, annotation in self.links if annotation.reference != found["Obj"]]
                self.drop(found["Obj"])
                self.drop(kid)

    def drop(self, reference: bytes) -> None:
        self.of(reference).free = "f"


def _children_of_body(page: Any) -> list[Any]:
    [html] = [child for child in page.children if child.element_tag == "html"]
    [body] = [child for child in html.children if child.element_tag == "body"]
    return list(body.children)
