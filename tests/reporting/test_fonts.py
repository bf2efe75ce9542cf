"""The bundled fonts: what they cover, that they are used, and that their bytes are the ones that were reviewed."""

from __future__ import annotations

import hashlib
import io

import pikepdf
import pytest
from weasyprint import HTML

from safety_monitor.reporting.fonts import FACES, FAMILIES, FOLDER, font_face_css, missing_glyphs

SHA256 = {
    "DejaVuSans-Bold.ttf": "b184b89e3c1075f22f6b71575b6fc20d4972b3cfd3b23322ca6fd596dcaef167",
    "DejaVuSans-Oblique.ttf": "ccdf74b350f11fd3dd5774de50e5e6346a1a5da1f5b7d5fb83590665e97a5213",
    "DejaVuSans.ttf": "3fdf69cabf06049ea70a00b5919340e2ce1e6d02b0cc3c4b44fb6801bd1e0d22",
    "DejaVuSansMono.ttf": "602ec86b8948cfcd956482fe64f94c36c867770149ef2f791d4613f443bcecb3",
    "SafetyHan.otf": "14647f59f7bff25bc3f038b257e4584ad198b0da6f48f0f01770b9e7b57297ea",
}


def test_the_files_are_the_reviewed_ones() -> None:
    fonts = {path.name: path for path in FOLDER.iterdir() if path.suffix in {".ttf", ".otf"}}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in fonts.items()} == SHA256
    assert {face.file for face in FACES} == set(fonts)


@pytest.mark.parametrize("name", ["DejaVu-LICENSE.txt", "SafetyHan-LICENSE.txt"])
def test_their_licences_are_beside_them(name: str) -> None:
    assert "Copyright" in (FOLDER / name).read_text("utf-8")


def test_gb_2312_can_be_printed() -> None:
    """The whole national set: 6 763 Han characters and 682 others."""
    rows = (bytes([row, cell]) for row in range(0xA1, 0xF8) for cell in range(0xA1, 0xFF))
    characters = "".join(pair.decode("gb2312", errors="ignore") for pair in rows)
    assert len(characters) == 7445
    assert missing_glyphs(characters) == set()


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", set()),
        ("Müller, Łukasz, Ørsted – “ALT ≥ 5.0 × ULN”, 10⁹/L, µmol/L, ±, ≤, →, α β γ", set()),
        ("肝细胞癌；仑伐替尼，免疫相关性肺炎（⑴⒈①⑳、℃、㎡）", set()),
        ("王喆 李玥 张祎 陈堃 繁體肝細胞癌", set()),  # names beyond GB 2312, traditional forms
        ("line\nbreak\ttab\u200b\ufeff no\u00a0break\u3000wide ⚠\ufe0f", set()),
        ("𠮷野 took 💊", {"𠮷", "💊"}),
        ("간암", {"간", "암"}),
    ],
)  # fmt: skip
def test_missing_glyphs(text: str, missing: set[str]) -> None:
    assert missing_glyphs(text) == missing


def page(text: str) -> bytes:
    style = f'{font_face_css()} html {{ font-family: "DejaVu Sans", "Safety Han" }} code {{ font-family: "DejaVu Sans Mono" }}'
    body = f"{text} <b>{text}</b> <i>it</i> <code>x</code>"
    printed: bytes = HTML(string=f"<html lang=en><title>t</title><style>{style}</style>{body}").write_pdf()
    return printed


def test_the_report_embeds_the_named_fonts_and_no_other() -> None:
    with pikepdf.open(io.BytesIO(page("Hepatitis 肝炎"))) as document:
        fonts = document.pages[0].Resources.Font
        names = {str(font.BaseFont).partition("+")[2].replace("-", " ") for font in fonts.values()}
    assert {name.removesuffix(" Bold").removesuffix(" Italic") for name in names} == set(FAMILIES)
    assert {"DejaVu Sans Bold", "DejaVu Sans Italic"} <= names


def test_the_same_text_has_the_same_bytes() -> None:
    assert page("Hepatitis 肝炎") == page("Hepatitis 肝炎")
