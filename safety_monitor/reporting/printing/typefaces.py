"""One font of each face for the whole file: the parts' own subsets hold much the same glyphs and would repeat in each.

A part's fonts keep the glyph numbers of the font file, so the union of what the parts use, cut once from that file, draws all
of them. That it is the same file is checked by the widths.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pikepdf
from fontTools import subset
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, Stream

from safety_monitor.reporting.fonts import FACES, FOLDER

_PAIR = re.compile(rb"<([0-9a-f]+)> <([0-9a-f]+)>")
_BATCH = 100  # as many as a CMap may list at once


def unite(pdf: pikepdf.Pdf, found: Iterable[Any]) -> None:
    """Let all font dictionaries *found* (one for each part, of *pdf*) name the same fonts."""
    tables = list(found)
    united: dict[str, Any] = {}
    for key in sorted({key for table in tables for key in table}):
        fonts = [table[key] for table in tables if key in table]
        united[key] = pdf.make_indirect(_united(pdf, fonts))
    for table in tables:
        for key, font in united.items():
            table[key] = font


def _united(pdf: pikepdf.Pdf, fonts: list[Any]) -> Dictionary:
    widths: dict[int, Any] = {}
    texts: dict[int, bytes] = {}
    for font in fonts:
        for glyph, width in _widths(font.DescendantFonts[0].W):
            widths.setdefault(glyph, width)
        for glyph, text in _PAIR.findall(font.ToUnicode.read_bytes()):
            texts.setdefault(int(glyph, 16), text)
    first = fonts[0]
    descendant = first.DescendantFonts[0]
    descriptor = Dictionary(descendant.FontDescriptor)
    [program] = [key for key in ("/FontFile2", "/FontFile3") if key in descriptor]
    descriptor[program] = _subset(pdf, descriptor, program, widths)
    descriptor.FontBBox = Array([0, descriptor.Descent, max(widths.values(), default=0), descriptor.Ascent])
    family = Dictionary(descendant)
    family.W = _packed(widths)
    family.FontDescriptor = pdf.make_indirect(descriptor)
    font = Dictionary(first)
    font.DescendantFonts = Array([pdf.make_indirect(family)])
    font.ToUnicode = pdf.make_indirect(Stream(pdf, _to_unicode(texts)))
    font.Encoding = Name("/Identity-H")
    return font


def _subset(pdf: pikepdf.Pdf, descriptor: Dictionary, program: str, widths: Mapping[int, Any]) -> Stream:
    family, name = str(descriptor.FontFamily), str(descriptor.FontName)
    bold, slanted = "Bold" in name, "Oblique" in name or "Italic" in name
    faces = [face for face in FACES if face.family == family]
    [*_, face] = sorted(faces, key=lambda face: ((face.weight == "bold") == bold, (face.style == "italic") == slanted))
    options = subset.Options(  # hints of outlines in CFF stay: taking them out goes through every glyph of the face
        retain_gids=True, hinting=program == "/FontFile3", notdef_outline=True, layout_features=[], recalc_timestamp=False,
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
    stream = Stream(pdf, made.getvalue())
    if program == "/FontFile3":
        stream.Subtype = Name.OpenType
    else:
        stream.Length1 = len(made.getvalue())
    return pdf.make_indirect(stream)


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
