"""Printing in parts: one file with right numbers, links and tags, and the same bytes however many processes print it."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pikepdf
import pytest
from pdf_structure import Reader

from safety_monitor.records import Snapshot
from safety_monitor.reporting import figures
from safety_monitor.reporting.figures.album import album
from safety_monitor.reporting.fonts import font_face_css
from safety_monitor.reporting.printing.cutting import MARK, cut, weight
from safety_monitor.reporting.printing.document import print_document, print_written
from safety_monitor.reporting.printing.framing import DIGITS, NONE, SHEETS, Frame, digits_of, sheet
from safety_monitor.reporting.printing.press import Job, Press
from safety_monitor.reporting.printing.press import printed as printed_part
from safety_monitor.reporting.render import report_html

ROWS = 130
#: Prints with WeasyPrint as it is: what stands in standard input, the hash of each.
PLAINLY = """
import hashlib, sys
from weasyprint import HTML
from safety_monitor.reporting.printing import press, quicker
quicker.quicken = lambda: None
quicker.Parsed = lambda html, base_url: HTML(string=html, base_url=base_url)
for text in sys.stdin.read().split(chr(0)):
    print(hashlib.sha256(press.printed(press.Job(text))).hexdigest())
"""
SVG = "%3Csvg xmlns='http://www.w3.org/2000/svg' width='80' height='40'%3E%3Crect width='60' height='20'/%3E%3C/svg%3E"
TITLES = ("First", "Same page as the one before", "Long listing of 发热", "Wide")


def listing(rows: int, head: str = "<th scope='col'>No.</th><th scope='col'>Term</th><th scope='col'>Day</th>") -> str:
    body = "".join(
        f'<tr class="level1"><th scope="row" colspan="3">Group {n // 10}</th></tr>' if n % 10 == 0
        else f'<tr><th scope="row">{n}</th><td>row {n} of the listing</td><td>{n * 7}</td></tr>'
        for n in range(rows)
    )  # fmt: skip
    return f'<table class="listing"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def html(lang: str = "en", label: str = "Page {page} of {pages}", rows: int = ROWS) -> str:
    """A small report: the frame of ``report.html`` in few words."""
    contents = "".join(f'<li><a href="#s{n}">{n}. {title}</a></li>' for n, title in enumerate(TITLES, 1))
    bodies = (
        '<h3>Below</h3><p>Text with <b>bold</b> and <a href="#s3">a link to the listing</a>, ≥ 3 × ULN’s.</p>',
        '<div class="tiles"><div class="tile"><b>4</b><span>deaths</span></div></div><p>End. <a href="#s1">To the first.</a></p>',
        f"{listing(rows)}<p class='rule'>The rule of the listing.</p>",
        f"<figure><img alt='A box' src=\"data:image/svg+xml,{SVG}\"><figcaption>A figure</figcaption></figure>",
    )
    classes = ("part", "part flows", "part", "part wide")
    sections = "".join(
        f'{"" if "flows" in kind else MARK}<section id="s{n}" class="{kind}"><h2 data-number="{n}. ">{title}</h2>{body}</section>'
        for n, (kind, title, body) in enumerate(zip(classes, TITLES, bodies, strict=True), 1)
    )
    return (
        f'<!DOCTYPE html><html lang="{lang}"><head><title>A title</title><meta name="dcterms.created" content="2026-06-30">'
        f'<style>{font_face_css()}</style><link rel="stylesheet" href="style.css">'
        f'<style>@page wide {{ size: A4 landscape }}</style></head><body data-pages="{label}">'
        '<div class="running left">S-1</div><div class="running right">CONFIDENTIAL</div>'
        '<div class="running foot">hash 12ab</div>'
        '<section class="cover"><p class="kind">Report</p><h1>Study</h1></section>'
        f'<nav class="contents"><h2 class="plain">Contents</h2><ol>{contents}</ol></nav>{sections}</body></html>'
    )


def printed(text: str, workers: int = 2, heavy: int = 150) -> bytes:
    with Press(workers).warm() as press:
        return print_document(text, "a1b2", press, heavy)


@pytest.fixture(scope="module")
def content() -> bytes:
    return printed(html())


@pytest.fixture(scope="module")
def reader(content: bytes) -> Reader:
    return Reader(pikepdf.open(io.BytesIO(content)))


# Cutting ----------------------------------------------------------------------------------------------------


def test_a_listing_is_cut_between_rows_and_nothing_is_lost() -> None:
    document = cut(html(rows=1000), heavy=150)
    whole = "".join(document.parts)
    assert re.findall(r"row (\d+) of", whole) == [str(n) for n in range(1000) if n % 10]
    assert len(document.parts) == pytest.approx(weight(html(rows=1000)) / 400, abs=3)
    assert whole.count("<table") == whole.count("</table>") == whole.count("<thead") > 10
    assert whole.count("<section") == whole.count("</section>")
    assert whole.count('id="s3"') == 1
    assert whole.count("The rule of the listing.") == 1
    for table in re.findall(r"<tbody>.*?</tbody>", whole):
        assert not table.endswith('<tr class="level1"><th scope="row" colspan="3">Group 9</th></tr></tbody>')
        assert "level1" not in table.rsplit("<tr", 1)[1], "the heading of a group stands alone at the end of a piece"


@pytest.mark.parametrize(
    ("section", "why"),
    [
        (f'<section class="part"><h2>T</h2><div>{listing(200)}</div></section>', "it stands in another box"),
        (f'<section class="part">{listing(200).replace("<td>", "<td rowspan=2>", 1)}</section>', "a cell reaches over rows"),
        (f'<section class="part">{listing(30)}</section>', "it is short"),
    ],
)
def test_a_table_that_cannot_be_cut_stays_whole(section: str, why: str) -> None:
    assert cut(f"<html><head></head><body>front{MARK}{section}</body></html>", heavy=100).parts == (section,), why


def test_small_neighbours_are_laid_out_together() -> None:
    small, large = f"<section>{'<td>' * 150}</section>", f"<section>{'<td>' * 500}</section>"
    marked = "".join(MARK + part for part in (small, small, small, large, small))
    parts = cut(f"<html><head></head><body>front{marked}</body></html>").parts
    assert parts == (small + small, small, large, small)


# The joined file --------------------------------------------------------------------------------------------


def test_the_structure_is_whole(reader: Reader) -> None:
    assert reader.problems == []
    kinds = Counter(element.kind for element in reader.elements)
    assert (kinds["/H1"], kinds["/H2"], kinds["/H3"]) == (1, 5, 1)
    assert [element.text for element in reader.of("/H2")] == ["Contents", *(f"{n}. {title}" for n, title in enumerate(TITLES, 1))]
    assert [str(figure.thing.Alt) for figure in reader.of("/Figure")] == ["A box"]
    assert {str(cell.thing.A.Scope) for cell in reader.of("/TH") if cell.text == "Term"} == {"/Column"}
    assert {str(cell.thing.A.Scope) for cell in reader.of("/TH") if cell.text.startswith("Group")} == {"/Row"}


def test_each_row_is_there_once_and_in_order(reader: Reader) -> None:
    cells = [element.text for element in reader.of("/TD") if element.text.startswith("row")]
    assert cells == [f"row {n} of the listing" for n in range(ROWS) if n % 10]


def test_each_page_says_its_number_and_is_no_content(reader: Reader) -> None:
    count = len(reader.pages)
    assert count > 6
    for number, page in enumerate(reader.pages, 1):
        assert f"Page {number} of {count}" in page.artifact
        assert "CONFIDENTIAL" in page.artifact
        assert "hash 12ab" in page.artifact
        assert ("S-1" in page.artifact) == (number > 1)  # the cover has its title instead
        assert "CONFIDENTIAL" not in reader.page_text(number - 1)


def test_contents_links_and_bookmarks_lead_to_the_headings(reader: Reader) -> None:
    pages = {element.text: element.page for element in reader.of("/H2", "/H3")}
    outline = reader.outline()
    assert [(level, title) for level, title, _ in outline] == [(1, "First"), (2, "Below"), *((1, title) for title in TITLES[1:])]
    for number, title in enumerate(TITLES, 1):
        assert (1, title, pages[f"{number}. {title}"]) in outline
    entries = [element.text for element in reader.of("/Link")][: len(TITLES)]
    assert entries == [f"{n}. {title}{pages[f'{n}. {title}'] + 1}" for n, title in enumerate(TITLES, 1)]
    numbered = [f"{n}. {title}" for n, title in enumerate(TITLES, 1)]
    leads = [*numbered, numbered[2], numbered[0]]  # the contents, then the links in the text
    assert reader.links() == [(title, pages[title]) for title in leads]
    assert pages["1. First"] == pages["2. Same page as the one before"]


def test_the_file_says_what_it_is(content: bytes) -> None:
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert bool(pdf.Root.MarkInfo.Marked)
        assert bool(pdf.Root.ViewerPreferences.DisplayDocTitle)
        assert str(pdf.docinfo["/Title"]) == "A title"
        assert str(pdf.docinfo["/CreationDate"]) == "D:20260630"
        metadata = pdf.open_metadata()
        assert metadata["pdfuaid:part"] == "1"
        assert metadata["dc:title"] == "A title"
        assert bytes(pdf.trailer.ID[0]) == b"a1b2"
        assert {str(page.obj.Tabs) for page in pdf.pages} == {"/S"}
        fonts = {font.objgen: font for page in pdf.pages for font in page.Resources.Font.values()}
        assert len(fonts) == len({str(font.BaseFont) for font in fonts.values()}), "a face is there more than once"
        sizes = {tuple(round(float(side)) for side in page.mediabox) for page in pdf.pages}
    assert len(sizes) == 2


def test_the_bytes_do_not_depend_on_the_number_of_processes(content: bytes) -> None:
    assert printed(html(), workers=1) == content


def test_a_short_document_is_printed_in_this_process_to_the_same_bytes() -> None:
    text = html(rows=5)
    with Press() as press:
        here = print_document(text, "a1b2", press)
        assert press._process is None
    assert here == printed(text, workers=3)


def test_page_numbers_in_chinese() -> None:
    reader = Reader(pikepdf.open(io.BytesIO(printed(html("zh", "第 {page} 页，共 {pages} 页", rows=3)))))
    assert reader.problems == []
    assert f"第2页，共{len(reader.pages)}页" in reader.pages[1].artifact.replace(" ", "")


@pytest.mark.parametrize("label", ["Page {page} of {pages}", "第 {page} 页，共 {pages} 页", "{pages} in all, this is {page}"])
@pytest.mark.parametrize(("page", "pages"), [(1, 1), (7, 10), (98, 1088), (1088, 1088)])
def test_a_label_is_drawn_as_it_would_be_printed(label: str, page: int, pages: int) -> None:
    """In the same place and with the same glyphs, though only "0" was printed; the rest of the frame is the same."""
    kinds = ("auto", "wide", "cover")
    said = label.replace("{page}", str(page)).replace("{pages}", str(pages))
    digits, empty = sheets(label, DIGITS, kinds[:1]), sheets(label, NONE, kinds)
    whole = sheets(said, "", kinds)
    numerals = digits_of(digits.pages[0], label)
    for template, wanted in zip(empty.pages, whole.pages, strict=True):
        frame = Frame(template, label, numerals)
        made = pikepdf.Stream(whole, b"\n".join((frame.before, frame.label(page, pages), frame.after)))
        (words, numbers), (wanted_words, wanted_numbers) = drawn(made), drawn(wanted)
        assert words == wanted_words
        assert numbers == pytest.approx(wanted_numbers, abs=0.02)  # CSS pixels; widths of glyphs are whole thousandths


def test_a_frame_without_its_label_is_an_error() -> None:
    empty = sheets("Page {page} of {pages}", NONE, ["auto"])
    with pytest.raises(ValueError, match="no line at the foot of the page says 'Sheet 0 of 0'"):
        Frame(empty.pages[0], "Sheet {page} of {pages}", {})


def sheets(label: str, number: str, kinds: Sequence[str]) -> pikepdf.Pdf:
    document = cut(html(label=label))
    content = document.running + "".join(sheet(label, kind, number) for kind in kinds)
    return pikepdf.open(io.BytesIO(printed_part(Job(document.page(content, SHEETS), tagged=False))))


def drawn(page: pikepdf.Page | pikepdf.Stream) -> tuple[list[str], list[float]]:
    """What *page* draws: its operators with names, and with glyphs one by one; and all numbers but a kerning of 0."""
    words: list[str] = []
    numbers: list[float] = []
    for instruction in pikepdf.parse_content_stream(page):
        operands = list(instruction.operands)
        if str(instruction.operator) == "TJ":
            shown = [glyphs(item) if isinstance(item, pikepdf.String) else [item] for item in operands[0] if item]
            operands = [each for run in shown for each in run]
        words += [str(instruction.operator), *(str(each) for each in operands if not isinstance(each, int | Decimal))]
        numbers += [float(each) for each in operands if isinstance(each, int | Decimal)]
    return words, numbers


def glyphs(shown: pikepdf.String) -> list[str]:
    return re.findall("....", bytes(shown).hex())


def test_a_link_to_nowhere_is_an_error() -> None:
    text = html(rows=3).replace('<a href="#s1">To', '<a href="#nowhere">To')
    with Press() as press, pytest.raises(ValueError, match="#nowhere, which no part has"):
        print_document(text, "x", press)


def test_a_part_that_cannot_be_printed_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    with Press(1).warm() as press:
        with pytest.raises(RuntimeError, match="the report could not be printed: ValueError: not enough values"):
            press.prints([Job('<html lang="en"><title>T</title><body style="display: none">x</body></html>')])
        assert "Traceback" in capfd.readouterr().err
        [after] = press.prints([Job('<html lang="en"><title>T</title><body>x</body></html>')])
    assert after.startswith(b"%PDF-")


def test_a_printing_process_that_is_killed_costs_its_part_and_no_other() -> None:
    with Press(1).warm() as press:
        [_] = press.prints([Job("<html lang='en'><title>T</title><body>x</body></html>")])  # it has a process now
        job = press.start(Job(html(rows=3000)))
        [hand] = hands(press)
        time.sleep(0.5)
        os.kill(int(hand), signal.SIGKILL)
        with pytest.raises(RuntimeError, match="ended with status 9; was there too little memory"):
            press.collect([job])
        [after] = press.prints([Job("<html lang='en'><title>T</title><body>x</body></html>")])
    assert after.startswith(b"%PDF-")


def test_the_press_leaves_a_core_to_a_caller_that_works() -> None:
    with Press(2).warm() as press:
        press.prints([Job("<html lang='en'><title>T</title><body>x</body></html>")])  # it has loaded now
        jobs = [press.start(Job(html(rows=1000))) for _ in range(4)]
        assert most_at_once(press, seconds=0.5) == 1
        waiting = threading.Thread(target=press.collect, args=(jobs,))
        waiting.start()
        assert most_at_once(press, seconds=0.5) == 2
        waiting.join()


def most_at_once(press: Press, seconds: float) -> int:
    """How many processes printed at the same time in the next *seconds*."""
    most, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        most = max(most, len(hands(press)))
        time.sleep(0.02)
    return most


def hands(press: Press) -> list[str]:
    """The processes that print: the children of the one that forks them."""
    assert press._process
    tasks = Path(f"/proc/{press._process.pid}/task/{press._process.pid}/children")
    if not tasks.exists():
        pytest.fail("this system does not tell a process's children; the test needs Linux")
    return tasks.read_text().split()


def test_a_press_that_ended_is_told_to_who_collects() -> None:
    with Press(1).warm() as press:
        assert press._process
        press._process.kill()
        press._process.wait()
        job = press.start(Job("<html lang='en'><title>T</title><body>x</body></html>"))
        with pytest.raises(RuntimeError, match="the printing process ended"):
            press.collect([job])


def test_figures_take_the_places_that_are_held_for_them() -> None:
    """Each once, in its own place, as drawing with text, though pages are printed in parts that know nothing of each other."""
    with album() as pictures, Press(2) as press:
        names = [f"A term as number {n}" for n in range(3)]
        made = [figures.term_dots([(name, 25.0, 12.1, 42.2, 5.6, 0.7, 18.7)], 36) for name in names]
        shell = html().partition(MARK)[0]
        sections = [
            f'{MARK}<section id="s{n}" class="part"><h2 data-number="{n}. ">S{n}</h2>'
            f'<figure role="img" aria-label="x"><img alt="{figure.alt}" src="{figure.uri}"></figure></section>'
            for n, figure in enumerate([made[2], made[0], made[1]], 1)
        ]
        shell = shell.replace('<li><a href="#s4">4. Wide</a></li>', "") + "</body></html>"
        content = print_written(shell, ["", *sections], lambda: shell, pictures.pdf, "x", press)
    pdf = pikepdf.open(io.BytesIO(content))
    drawn = [page.obj.Resources.XObject for page in pdf.pages if "/XObject" in page.obj.Resources]
    assert {str(thing.Subtype) for things in drawn for thing in things.values()} == {"/Form"}
    reader = Reader(pdf)
    assert reader.problems == []
    shown = subprocess.run(["pdftotext", "-layout", "-", "-"], input=content, capture_output=True, check=True).stdout.decode()
    assert [name for name in re.findall(r"A term as number \d", shown)] == [names[2], names[0], names[1]]


def test_what_the_press_remembers_changes_no_byte(frozen: Callable[[str], Snapshot]) -> None:
    """Some parts of a report in Chinese, and a listing, as WeasyPrint prints them when nothing of it is replaced."""
    with album():
        document = cut(report_html("dsmb", frozen("hcc_synth_demo"), language="zh"))
    texts = [html(), *(document.page(part) for part in document.parts[::5])]
    plain = subprocess.run([sys.executable, "-c", PLAINLY], input="\0".join(texts), capture_output=True, check=True, text=True)
    for text, same in zip(texts, plain.stdout.split(), strict=True):
        assert sha256(printed_part(Job(text))).hexdigest() == same
