"""Make ``safety_monitor/fonts/SafetyHan.otf`` from Noto Sans CJK: run once, when the font is renewed.

Takes the Simplified Chinese face and keeps what GBK encodes (21 000 Han characters, the punctuation, the numbered
forms ⑴ ⒈ ①, units) so that names of people fit, which go beyond GB 2312. Layout rules for vertical text and hints
are left out. The Open Font License asks for another name where "Source" is reserved: hence "Safety Han".

    python setup/subset_han.py NotoSansCJK-Regular.ttc        (Debian package fonts-noto-cjk)
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

TARGET = Path(__file__).parents[1] / "safety_monitor" / "fonts" / "SafetyHan.otf"
FAMILY, POSTSCRIPT = "Safety Han", "SafetyHan-Regular"
ALSO = "⑳₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹㎡㎎㎏㏄㎜·‧・"


def gbk() -> set[str]:
    """Every character that the two-byte encoding GBK can write."""
    pairs = (bytes([high, low]) for high in range(0x81, 0xFF) for low in range(0x40, 0xFF))
    return set("".join(pair.decode("gbk", errors="ignore") for pair in pairs))


def main(source: str) -> None:
    """Write the subset of the collection file *source*."""
    face = next(font for font in TTCollection(source) if font["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = Options(layout_features=[], hinting=False, desubroutinize=False, notdef_outline=True)
    options.name_IDs, options.recalc_timestamp = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14], False
    options.name_languages = [0x409]
    options.drop_tables += ["vhea", "vmtx", "VORG", "BASE"]
    subsetter = Subsetter(options)
    ascii_and_more = {chr(code) for code in range(0x20, 0x7F)}
    subsetter.populate(text="".join(gbk() | ascii_and_more | set(ALSO)))
    subsetter.subset(face)
    version = face["name"].getDebugName(5)
    for name_id, text in {1: FAMILY, 3: f"{POSTSCRIPT};{version}", 4: FAMILY, 6: POSTSCRIPT}.items():
        face["name"].setName(text, name_id, 3, 1, 0x409)
    cff = face["CFF "].cff
    cff.fontNames = [POSTSCRIPT]
    cff.topDictIndex[0].FamilyName, cff.topDictIndex[0].FullName = FAMILY, FAMILY
    face.save(TARGET, reorderTables=True)
    print(f"{TARGET}: {len(face.getBestCmap())} characters, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
