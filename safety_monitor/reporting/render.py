"""Sections to one tagged PDF. The same snapshot and software give the same bytes.

Nothing here counts; the numbers come from ``reporting.tables``. The document's dates are the data cut-off
and its identifier is the snapshot's hash, so that no clock and no random number reaches the file.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from weasyprint import HTML
from weasyprint.text.fonts import FontConfiguration

from safety_monitor.records import Snapshot
from safety_monitor.reporting import formats
from safety_monitor.reporting.fonts import font_face_css, missing_glyphs
from safety_monitor.reporting.sections import REPORTS, Material, Section
from safety_monitor.reporting.tables import Table, all_tables
from safety_monitor.reporting.wording import speaking, t
from safety_monitor.resources import resource_dir
from safety_monitor.study import StudySettings


def report_pdf(
    kind: str, snapshot: Snapshot, *, page_size: str = "A4", organisation: str = "", language: str = "en", mark: str = "final"
) -> bytes:
    """The report *kind* (of ``sections.REPORTS``) of *snapshot* as PDF/UA bytes."""
    html = report_html(kind, snapshot, page_size=page_size, organisation=organisation, language=language, mark=mark)
    return pdf(html, snapshot.sha256)


def report_html(
    kind: str, snapshot: Snapshot, *, page_size: str = "A4", organisation: str = "", language: str = "en", mark: str = "final"
) -> str:
    """The same as one HTML document (what the PDF is printed from)."""
    report = REPORTS[kind]
    material = Material(snapshot, StudySettings.model_validate(snapshot.study), all_tables(snapshot))
    modules = (importlib.import_module(f"safety_monitor.reporting.sections.{name}") for name in report.sections)
    with speaking(language):
        sections: Sequence[Section] = [module.section(material) for module in modules]
        return environment().get_template("report.html").render(
            report=report, settings=material.settings, snapshot=snapshot, sections=sections, page_size=page_size,
            organisation=organisation, fonts=font_face_css(), language=language, mark=mark,
        )


def environment() -> Environment:
    """Templates with every value escaped and every missing name an error."""
    found = Environment(
        loader=FileSystemLoader(resource_dir("templates") / "reports"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= formats.FILTERS
    found.filters["t"] = t
    found.globals |= {"rows_of": _rows_of, "t": t}
    return found


def _rows_of(table: Table) -> list[dict[str, Any]]:
    return table.frame.to_dicts()


def pdf(html: str, identifier: str) -> bytes:
    """*html* printed; garbage collection is off meanwhile (a third of the time goes there otherwise)."""
    base: Path = resource_dir("templates") / "reports"
    html = _printable(html)
    collecting = gc.isenabled()
    gc.disable()
    try:
        document = HTML(string=html, base_url=f"{base}/")
        printed: bytes = document.write_pdf(
            pdf_variant="pdf/ua-1", pdf_identifier=identifier.encode(), font_config=FontConfiguration()
        )
        return printed
    finally:
        if collecting:
            gc.enable()


def _printable(html: str) -> str:
    """*html* with every character that no font of ours has as its code, ``[U+1F600]``: seen, not an empty box."""
    return html.translate({ord(character): f"[U+{ord(character):04X}]" for character in missing_glyphs(html)})
