"""The fonts of every report: files of this package, never of the machine, so that the same report has the same bytes.

DejaVu Sans sets Latin, Greek and symbols; Safety Han (Noto Sans CJK SC, what GBK encodes) sets Chinese. A character
that neither covers would print as an empty box: :func:`missing_glyphs` finds it before anything is printed.

>>> missing_glyphs("ALT ≥ 5 × ULN, 肝细胞癌")
set()
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

from fontTools.ttLib import TTFont

FOLDER = Path(__file__).resolve().parents[1] / "fonts"


class Face(NamedTuple):
    """One font file and what a style sheet calls it."""

    family: str
    file: str
    weight: str = "normal"
    style: str = "normal"


FACES = (
    Face("DejaVu Sans", "DejaVuSans.ttf"),
    Face("DejaVu Sans", "DejaVuSans-Bold.ttf", weight="bold"),
    Face("DejaVu Sans", "DejaVuSans-Oblique.ttf", style="italic"),
    Face("DejaVu Sans Mono", "DejaVuSansMono.ttf"),
    Face("Safety Han", "SafetyHan.otf"),
)
FAMILIES = tuple(dict.fromkeys(face.family for face in FACES))


def font_face_css() -> str:
    """@font-face rules for :data:`FAMILIES`; they win over fonts of the same name on the machine."""
    return "\n".join(
        f'@font-face {{ font-family: "{face.family}"; font-weight: {face.weight}; font-style: {face.style}; '
        f'src: url("{(FOLDER / face.file).as_uri()}") }}'
        for face in FACES
    )


def missing_glyphs(text: str) -> set[str]:
    """The characters of *text* that no regular face of a report's text covers; empty when all can be printed.

    White space and characters that are never drawn (controls, joiners, variation selectors) are not counted.
    """
    uncovered = set(text) - covered()
    return {character for character in uncovered if not _is_invisible(character)}


@cache
def covered() -> frozenset[str]:
    """What the text families of a report, in their regular face, can draw (read once, from the font files)."""
    files = ("DejaVuSans.ttf", "SafetyHan.otf")
    characters: set[str] = set()
    for file in files:
        with TTFont(FOLDER / file, lazy=True) as font:
            characters.update(map(chr, font.getBestCmap()))
    return frozenset(characters)


def _is_invisible(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cf"} or "\ufe00" <= character <= "\ufe0f"
