"""The report as printed: the tables' own numbers, nothing cut off, the same bytes everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pikepdf
import polars as pl
import pytest
import tinyhtml5
from pdf_structure import Reader
from weasyprint import HTML
from weasyprint.formatting_structure import boxes

from safety_monitor.records import Snapshot
from safety_monitor.reporting.printing import press
from safety_monitor.reporting.printing.cutting import cut
from safety_monitor.reporting.render import _printable, environment, report_html, report_pdf
from safety_monitor.reporting.sections import REPORTS
from safety_monitor.reporting.tables import all_tables
from safety_monitor.reporting.wording import speaking
from safety_monitor.resources import resource_dir
from safety_monitor.study import StudySettings
from safety_monitor.workflow.freezing import Collected, freeze

SECTIONS = (
    "Summary", "Accrual", "Disposition", "Demography and baseline characteristics", "Exposure to each component",
    "Adverse events: overview", "Most common adverse events", "Adverse events by organ class, term and worst grade",
    "Related events, overall and per component", "Serious adverse events by organ class and term",
    "Serious adverse events: listing", "Deaths", "Events leading to discontinuation or change of dose",
    "Immune-mediated events and events of special interest", "Complications of the procedure", "Exposure-adjusted rates",
    "Cumulative incidence of first events", "Toxicity over time and courses of treatment", "Laboratory results: worst grade",
    "Laboratory results: shift from baseline", "Laboratory values over time", "Liver safety",
    "Liver function: ALBI, Child-Pugh and hepatitis B", "Blood pressure, ECG, thyroid and urine protein", "Stopping rules",
    "Attribution to the components", "Sites and data quality", "Protocol deviations, consent and eligibility",
    "Action items of the board", "Definitions and policies", "Appendix: exposure by age and sex, dropouts and deaths",
    "Listing: laboratory results of grade 3 or worse",
)  # fmt: skip
PROGRAM = """
import sys
from pathlib import Path
from safety_monitor.records import Snapshot
from safety_monitor.reporting.render import report_pdf
snapshot = Snapshot.from_bytes(Path(sys.argv[1]).read_bytes())
Path(sys.argv[2]).write_bytes(report_pdf("dsmb", snapshot, organisation="Test sponsor"))
"""


@pytest.fixture(scope="module")
def hcc(frozen: Callable[[str], Snapshot]) -> Snapshot:
    return frozen("hcc_synth_demo")


@pytest.fixture(scope="module")
def printed(hcc: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The report of the kept snapshot, made by two processes that share neither hash seed, zone nor locale."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "snapshot").write_bytes(hcc.to_bytes())
    surroundings = (
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8"},
        {"PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"},
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, folder / "snapshot", folder / f"{number}.pdf"],
            env={**os.environ, **variables}, cwd=folder,
        )
        for number, variables in enumerate(surroundings)
    ]  # fmt: skip
    assert [process.wait(timeout=600) for process in running] == [0, 0]
    return folder / "0.pdf", folder / "1.pdf"


def test_same_snapshot_same_bytes(printed: tuple[Path, Path]) -> None:
    assert printed[0].read_bytes() == printed[1].read_bytes()


def test_document_facts(hcc: Snapshot, printed: tuple[Path, Path]) -> None:
    with pikepdf.open(printed[0]) as report:
        assert bool(report.Root.MarkInfo.Marked)
        assert str(report.Root.Lang) == "en"
        assert report.open_metadata().get("pdfuaid:part") == "1"
        structure = Reader(report)
        assert structure.problems == []
        assert [title for level, title, _ in structure.outline() if level == 1] == list(SECTIONS)
        headings = {element.text: element.page for element in structure.of("/H2")}
        entries = [f"{n}. {title}" for n, title in enumerate(SECTIONS, 1)]
        assert structure.links() == [(entry, headings[entry]) for entry in entries]
        assert [link.text for link in structure.of("/Link")] == [f"{entry}{headings[entry] + 1}" for entry in entries]
        count = len(structure.pages)
        for number, page in enumerate(structure.pages, 1):
            assert "CONFIDENTIAL" in page.artifact
            assert f"Data cut-off 30 Jun 2026 · snapshot {hcc.sha256[:12]} · Safety Monitor" in page.artifact
            assert f"Page {number} of {count}" in page.artifact
            assert ("HCC-ALP-01 · DSMB safety report" in page.artifact) == (number > 1)  # the cover has its title instead
        title = str(report.docinfo["/Title"])
        assert "HCC-ALP-01" in title
        assert "30 Jun 2026" in title
        assert "20260630" in str(report.docinfo.get("/CreationDate", "20260630"))
        fonts = [thing for thing in report.objects if isinstance(thing, pikepdf.Dictionary)
                 and thing.get("/Type") == "/FontDescriptor"]  # fmt: skip
        drawn = {thing.FontDescriptor.objgen for thing in report.objects if isinstance(thing, pikepdf.Dictionary)
                 and thing.get("/Subtype") == "/Type3" and len(thing.CharProcs)}  # fmt: skip
        assert drawn, "the letters of figures are drawings"
        assert len(fonts) > len(drawn)
        files = {"/FontFile", "/FontFile2", "/FontFile3"}
        assert all(files & set(font.keys()) or font.objgen in drawn for font in fonts)
        sizes = {tuple(round(float(side)) for side in page.mediabox) for page in report.pages}
    assert sizes == {(0, 0, 595, 842), (0, 0, 842, 595)}


# The numbers ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def html(hcc: Snapshot) -> Element:
    return tinyhtml5.parse(report_html("dsmb", hcc), namespace_html_elements=False)


def section_of(html: Element, name: str) -> Element:
    [found] = [part for part in html.iter("section") if part.get("id") == name]
    return found


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def body_rows(table: Element) -> list[list[str]]:
    return [[words(cell) for cell in row if cell.tag in ("th", "td")] for body in table.iter("tbody") for row in body]


def n(value: int | None) -> str:
    return "–" if value is None else f"{value:,}".replace(",", " ")


def share(count: int, percentage: float) -> str:
    return f"{n(count)} ({percentage:.1f})" if count else "0"


def test_overview_has_the_numbers_of_its_table(hcc: Snapshot, html: Element) -> None:
    [table] = section_of(html, "overview").iter("table")
    made = all_tables(hcc)
    expected = [
        [share(row["n"], row["pct"]), f"{row['cp_lo']:.1f}–{row['cp_hi']:.1f}", n(row["events"])]
        for row in made["overview_interval"].frame.to_dicts()
    ]
    assert [row[1:] for row in body_rows(table)] == expected
    assert len(expected) > made["overview"].frame.height


@pytest.mark.parametrize(
    ("section", "place", "name"),
    [
        ("terms", 0, "ae_soc_pt_worst_grade"),
        ("related", 0, "related_ae_soc_pt_worst_grade"),
        ("related", 1, "related_ablation_soc_pt_worst_grade"),
        ("related", 2, "related_lenvatinib_soc_pt_worst_grade"),
        ("related", 3, "related_pd1_soc_pt_worst_grade"),
    ],
)
def test_terms_have_the_numbers_of_their_table(hcc: Snapshot, html: Element, section: str, place: int, name: str) -> None:
    table = list(section_of(html, section).iter("table"))[place]
    expected = [
        [row["PT"] or row["SOC"] or "Any event", share(row["n"], row["pct"]), n(row["events"]),
         n(row["g1"] + row["g2"]), n(row["g3"] + row["g4"]), n(row["g5"]), n(row["gmiss"]), share(row["ge3"], row["ge3_pct"])]
        for row in all_tables(hcc)[name].frame.to_dicts()
    ]  # fmt: skip
    found = body_rows(table)
    assert found[0][0] == "Any event"
    assert [row[1:] for row in found] == [row[1:] for row in expected]
    assert [row[0] for row in found[1:]] == [row[0] for row in expected[1:]]


def test_deaths_have_the_rows_of_their_table(hcc: Snapshot, html: Element) -> None:
    counted, listed = section_of(html, "deaths").iter("table")
    made = all_tables(hcc)
    columns = ("st", "en", "dth", "study_day")
    rows = made["deaths"].frame.to_dicts()
    assert [row[1:5] for row in body_rows(listed)] == [[str(row[column]) for column in columns] for row in rows]
    assert [row[0].split("site")[0].strip() for row in body_rows(listed)] == [row["USUBJID"] for row in rows]
    days = [str(row["days_after_last_dose"]) + " (≤ 30)" * row["within30d_last_dose"] for row in rows]
    assert [row[5] for row in body_rows(listed)] == days
    assert [row[1:] for row in body_rows(counted)] == [
        [n(row["within"]), n(row["after"]), n(row["unknown"]), share(row["n"], row["pct"])]
        for row in made["deaths_summary"].frame.to_dicts()
    ]


def test_laboratory_has_the_numbers_of_its_table(hcc: Snapshot, html: Element) -> None:
    table = next(section_of(html, "laboratory").iter("table"))
    columns = ("N_post", "N_both", *(f"worst_g{grade}" for grade in range(5)), "ge3", "emergent_any", "emergent_ge3")
    expected = [[row["term"], *(n(row[column]) for column in columns)]
                for row in all_tables(hcc)["lab_worst_grade"].frame.to_dicts()]  # fmt: skip
    assert body_rows(table) == expected


def test_serious_listing_has_every_serious_event(hcc: Snapshot, html: Element) -> None:
    shown = words(section_of(html, "serious"))
    serious = hcc.frames["events"].filter(pl.col("serious"))
    assert serious.height > 0
    assert all(subject in shown for subject in serious["usubjid"])
    listing, advised = section_of(html, "serious").iter("table")
    assert len(body_rows(listing)) == serious.height
    meanings = [text.replace(">=", "≥").replace("<=", "≤") for text in hcc.frames["criteria"]["text"]]
    assert meanings
    assert all(" ".join(meaning.split()) in shown for meaning in meanings)
    lines = all_tables(hcc)["dose_advice"].frame.filter("serious")["line"].to_list()
    assert lines
    assert all(line.startswith("Advice, not an order - ") and " ".join(line.split()) in shown for line in lines)
    assert len(body_rows(advised)) <= serious.height


def test_every_table_says_its_counting_rule_and_scopes_its_headers(html: Element) -> None:
    for name in ("overview", "common", "terms", "related", "serious_terms", "deaths", "modified", "special", "complications",
                 "rates", "laboratory", "shifts"):  # fmt: skip
        section = section_of(html, name)
        assert any("rule" in (p.get("class") or "") and words(p) for p in section.iter("p")), name
    headers = [th for th in html.iter("th") if th.text or len(th)]
    assert headers
    assert all(th.get("scope") in ("col", "row", "rowgroup") for th in headers)


# Nothing is invented ----------------------------------------------------------------------------------------


def bare(**configured: Any) -> Snapshot:
    """A study of which nothing was imported but an empty DM."""
    from safety_monitor.study import StudySettings

    settings = StudySettings.of({"study": {"id": "S"}, **configured})
    return freeze(Collected(settings, [], [], []), None, {"software": "0", "dictionary": "4.03"})


def test_what_was_not_collected_or_configured_says_so() -> None:
    empty = tinyhtml5.parse(report_html("dsmb", bare()), namespace_html_elements=False)
    for name in ("laboratory", "shifts", "trends", "liver", "liver_function", "measurements", "lab_listing"):
        assert "not imported" in words(section_of(empty, name)), name
    assert "not configured" in words(section_of(empty, "monitoring"))
    assert "No death has been recorded" in words(section_of(empty, "deaths"))
    definitions = words(section_of(empty, "definitions"))
    for domain in ("LB", "VS", "EG", "CM", "RS", "MH", "DS"):
        assert f"({domain})" in definitions
    assert "all data" in words(empty)
    assert "not configured" in "".join(words(dd) for dd in empty.iter("dd"))


def test_a_study_without_anybody_prints() -> None:
    assert report_pdf("dsmb", bare(), page_size="Letter").startswith(b"%PDF-")


def test_text_of_the_sites_is_never_markup(hcc: Snapshot) -> None:
    events = hcc.frames["events"].with_columns(
        aeterm=pl.lit("<script>alert(1)</script> & <b>"), aedecod=pl.lit("{{ 7 * 7 }} <i>x</i>")
    )
    text = report_html("dsmb", replace(hcc, frames={**hcc.frames, "events": events}))
    assert "<script>" not in text
    assert "<i>x</i>" not in text
    assert "{{ 7 * 7 }} &lt;i&gt;x&lt;/i&gt;" in text


def test_a_character_without_a_glyph_is_shown_as_its_code() -> None:
    assert _printable("fever 𓀀 发热 ≥ 3 × ULN") == "fever [U+13000] 发热 ≥ 3 × ULN"


# The pages --------------------------------------------------------------------------------------------------

LONG = "Gastrointestinal anastomotic leak with unexpectedly long wording"
UNBROKEN = "Pneumonoultramicroscopicsilicovolcanoconiosispostprocedural1"
CHINESE = "受试者于消融术后第三天出现发热伴右上腹疼痛及转氨酶升高经保肝治疗后逐渐好转" * 3


@pytest.fixture(scope="module")
def pages(hcc: Snapshot) -> list[Any]:
    """The laid-out pages of a report with the longest texts that sites write."""
    wordings = [LONG, UNBROKEN, "Fever"]
    events = hcc.frames["events"].with_row_index("at").with_columns(
        aeterm=pl.when(pl.col("at") % 2 == 0).then(pl.lit(CHINESE)).otherwise(pl.lit(UNBROKEN * 2)),
        aedecod=pl.col("at").map_elements(lambda at: wordings[at % 3] + str(at % 7), return_dtype=pl.String),
        aebodsys=pl.when(pl.col("at") % 5 == 0).then(pl.lit(UNBROKEN)).otherwise(pl.col("aebodsys")),
    ).drop("at")  # fmt: skip
    dispositions = hcc.frames["dispositions"].with_columns(dsterm=pl.lit("DEATH - " + CHINESE))
    stressed = replace(hcc, frames={**hcc.frames, "events": events, "dispositions": dispositions})
    base = resource_dir("templates") / "reports"
    document = cut(report_html("dsmb", stressed))
    fonts, styles = press._shared()
    return [
        page._page_box
        for content in (document.front, *document.parts)
        for page in HTML(string=document.page(content), base_url=f"{base}/").render(stylesheets=styles, font_config=fonts).pages
    ]


def flow(page: Any) -> Any:
    """The page's content, without its margins."""
    [content] = [child for child in page.children if not isinstance(child, boxes.MarginBox)]
    return content


def texts(box: Any) -> Iterator[Any]:
    return (found for found in box.descendants() if isinstance(found, boxes.TextBox) and found.text.strip())


def test_no_text_leaves_its_page(pages: list[Any]) -> None:
    over = [
        (number, text.text)
        for number, page in enumerate(pages, 1)
        for text in texts(flow(page))
        if text.position_x + text.width > page.content_box_x() + page.width + 0.5 or text.position_x < page.content_box_x() - 0.5
    ]
    assert over == []


def test_no_text_leaves_its_cell(pages: list[Any]) -> None:
    over = [
        (number, text.text, round(text.position_x + text.width - cell.position_x - cell.border_width(), 1))
        for number, page in enumerate(pages, 1)
        for cell in flow(page).descendants()
        if isinstance(cell, boxes.TableCellBox)
        for text in texts(cell)
        if text.position_x + text.width > cell.position_x + cell.border_width() + 0.5
    ]
    assert over == []


def test_no_page_is_blank_and_headings_have_something_below(pages: list[Any]) -> None:
    for number, page in enumerate(pages, 1):
        assert list(texts(flow(page))), number
        headings = [box for box in flow(page).descendants() if box.element_tag in ("h2", "h3")]
        lowest = max(text.position_y for text in texts(flow(page)))
        for heading in headings:
            assert heading.position_y + heading.height < lowest + 1, (number, "a heading ends the page")


def test_cut_off_is_the_snapshots(hcc: Snapshot) -> None:
    assert hcc.cutoff == date(2026, 6, 30)
    assert "Data cut-off 1 Feb 2025" in report_html("dsmb", replace(bare(), cutoff=date(2025, 2, 1)))


def test_the_mark_is_on_the_cover_and_a_draft_on_every_page() -> None:
    final, draft = report_html("dsmb", bare()), report_html("dsmb", bare(), mark="draft")
    assert '<p class="mark final">Final</p>' in final
    assert "DRAFT" not in final
    assert '<p class="mark draft">Draft: not issued for decisions</p>' in draft
    assert '<div class="running right">DRAFT · CONFIDENTIAL</div>' in draft


def test_the_frame_speaks_chinese() -> None:
    frame = replace(REPORTS["dsmb"], sections=())
    with speaking("zh") as missing:
        text = environment().get_template("report.html").render(
            report=frame, settings=StudySettings.of({"study": {"id": "S"}}), snapshot=bare(), sections=[], pieces=[],
            page_size="A4", organisation="申办方", fonts="", language="zh", mark="draft",
        )  # fmt: skip
    assert missing == set()
    assert "机密" in text
    assert 'data-pages="第 {page} 页，共 {pages} 页"' in text
