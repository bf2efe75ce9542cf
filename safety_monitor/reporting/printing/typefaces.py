"""One font of each face for the whole file: the parts' own subsets hold much the same glyphs and would repeat in each.

A part's fonts keep the glyph numbers of the font file, so the union of what the parts use, cut once from that file, draws all
of them. That it is the same file is checked by the widths.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pikepdf
from fontTools import subset
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, Stream

from safety_monitor.reporting.fonts import FACES, FOLDER

_PAIR = re.compile(rb"<([0-9a-f]+)> <([0-9a-f]+)>")
_BATCH = 100  # as many as a CMap may list at once


class Cut(NamedTuple):
    """A font program with the outlines of some *glyphs*, as many bytes as *content*."""

    glyphs: frozenset[int]
    content: bytes


def cut(found: Iterable[Any]) -> dict[str, Cut]:
    """What draws all that font dictionaries *found* (of any files) draw, by the name of the face; it takes a second."""
    return {key: _cut(fonts[0].DescendantFonts[0].FontDescriptor, widths_of(fonts)) for key, fonts in _by_face(found).items()}


def unite(pdf: pikepdf.Pdf, found: Iterable[Any], cuts: Mapping[str, Cut]) -> None:
    """Let all font dictionaries *found* (one for each part, of *pdf*) name the same fonts: *cuts* where they have all glyphs."""
    tables = list(found)
    united = {key: pdf.make_indirect(_united(pdf, fonts, cuts.get(key))) for key, fonts in _by_face(tables).items()}
    for table in tables:
        for key, font in united.items():
            table[key] = font


def widths_of(fonts: Iterable[Any]) -> dict[int, Any]:
    """The width of each glyph that *fonts* (dictionaries of one face) have, in thousandths of the font's size."""
    widths: dict[int, Any] = {}
    for font in fonts:
        for glyph, width in _widths(font.DescendantFonts[0].W):
            widths.setdefault(glyph, width)
    return widths


def texts_of(font: Any) -> dict[int, str]:
    """The characters that each glyph of *font* (a dictionary) stands for."""
    return {glyph: bytes.fromhex(text.decode()).decode("utf-16-be") for glyph, text in _pairs(font)}


def _pairs(font: Any) -> Iterator[tuple[int, bytes]]:
    for glyph, text in _PAIR.findall(font.ToUnicode.read_bytes()):
        yield int(glyph, 16), text


def _by_face(found: Iterable[Any]) -> dict[str, list[Any]]:
    tables = list(found)
    return {key: [table[key] for table in tables if key in table] for key in sorted({key for table in tables for key in table})}


def _united(pdf: pikepdf.Pdf, fonts: list[Any], made: Cut | None) -> Dictionary:
    widths = widths_of(fonts)
    texts: dict[int, bytes] = {}
    for font in fonts:
        for glyph, text in _pairs(font):
            texts.setdefault(glyph, text)
    first = fonts[0]
    descendant = first.DescendantFonts[0]
    descriptor = Dictionary(descendant.FontDescriptor)
    if made is None or not made.glyphs.issuperset(widths):
        made = _cut(descriptor, widths)
    stream = Stream(pdf, made.content)
    if (program := _program(descriptor)) == "/FontFile3":
        stream.Subtype = Name.OpenType
    else:
        stream.Length1 = len(made.content)
    descriptor[program] = pdf.make_indirect(stream)
    descriptor.FontBBox = Array([0, descriptor.Descent, max(widths.values(), default=0), descriptor.Ascent])
    family = Dictionary(descendant)
    family.W = _packed(widths)
    family.FontDescriptor = pdf.make_indirect(descriptor)
    font = Dictionary(first)
    font.DescendantFonts = Array([pdf.make_indirect(family)])
    font.ToUnicode = pdf.make_indirect(Stream(pdf, _to_unicode(texts)))
    font.Encoding = Name("/Identity-H")
    return font


def _program(descriptor: Any) -> str:
    [program] = [key for key in ("/FontFile2", "/FontFile3") if key in descriptor]
    return program


def _cut(descriptor: Any, widths: Mapping[int, Any]) -> Cut:
    family, name = str(descriptor.FontFamily), str(descriptor.FontName)
    bold, slanted = "Bold" in name, "Oblique" in name or "Italic" in name
    faces = [face for face in FACES if face.family == family]
    [*_, face] = sorted(faces, key=lambda face: ((face.weight == "bold") == bold, (face.style == "italic") == slanted))
    options = subset.Options(  # hints of outlines in CFF stay: taking them out goes through every glyph of the face
        retain_gids=True, hinting=_program(descriptor) == "/FontFile3", notdef_outline=True, layout_features=[],
        recalc_timestamp=False,
        drop_tables=["GSUB", "GPOS", "GDEF", "BASE", "DSIG", "FFTM", "VORG", "kern", "name", "vhea", "vmtx"],
    )  # fmt: skip
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    with TTFont(FOLDER / face.file, lazy=True, recalcTimestamp=False, recalcBBoxes=False) as font:
        glyphs = [glyph for glyph in sorted(widths) if glyph < font["maxp"].numGlyphs]
        names, scale = font.getGlyphOrder(), 1000 / font["head"].unitsPerEm
        if any(abs(font["hmtx"][names[glyph]][0] * scale - float(widths[glyph])) > 1 for glyph in glyphs):
            raise ValueError(f"{name} was not printed with {face.file}: its glyphs have other widths")
        subsetter = subset.Subsetter(options)
        subsetter.populate(gids=glyphs)
        subsetter.subset(font)
        made = io.BytesIO()
        font.save(made)
    return Cut(frozenset(widths), made.getvalue())


def _widths(packed: Any) -> Iterable[tuple[int, Any]]:
    items = list(packed)
    for first, run in zip(items[::2], items[1::2], strict=True):
        yield from enumerate(run, int(first))


def _packed(widths: dict[int, Any]) -> Array:
    packed: list[Any] = []
    for glyph in sorted(widths):
        if glyph - 1 not in widths:
            packed += [glyph, []]
        packed[-1].append(widths[glyph])
    return Array([Array(item) if isinstance(item, list) else item for item in packed])


def _to_unicode(texts: dict[int, bytes]) -> bytes:
    lines = [
        b"/CIDInit /ProcSet findresource begin", b"12 dict begin", b"begincmap",
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        b"/CMapName /Adobe-Identity-UCS def", b"/CMapType 2 def",
        b"1 begincodespacerange", b"<0000> <ffff>", b"endcodespacerange",
    ]  # fmt: skip
    items = sorted(texts.items())
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        lines += [b"%d beginbfchar" % len(batch), *(b"<%04x> <%s>" % item for item in batch), b"endbfchar"]
    return b"\n".join([*lines, b"endcmap", b"CMapName currentdict /CMap defineresource pop", b"end", b"end"])
