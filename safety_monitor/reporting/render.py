"""Sections to one tagged PDF. The same snapshot and software give the same bytes.

Nothing here counts; the numbers come from ``reporting.tables``. The document's dates are the data cut-off
and its identifier is the snapshot's hash, so that no clock and no random number reaches the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from safety_monitor.records import Snapshot
from safety_monitor.reporting import formats
from safety_monitor.reporting.fonts import font_face_css, missing_glyphs
from safety_monitor.reporting.printing.document import print_document
from safety_monitor.reporting.printing.press import Press
from safety_monitor.reporting.sections import REPORTS, Material, Section
from safety_monitor.reporting.tables import Table, all_tables
from safety_monitor.reporting.wording import speaking, t
from safety_monitor.resources import resource_dir
from safety_monitor.study import StudySettings


def report_pdf(
    kind: str, snapshot: Snapshot, *, page_size: str = "A4", organisation: str = "", language: str = "en", mark: str = "final"
) -> bytes:
    """The report *kind* (of ``sections.REPORTS``) of *snapshot* as PDF/UA bytes; *mark*: ``final`` or ``draft``."""
    with Press().warm() as press:  # it loads while tables and figures are made
        html = report_html(kind, snapshot, page_size=page_size, organisation=organisation, language=language, mark=mark)
        return print_document(_printable(html), snapshot.sha256, press)


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
    found.filters |= {"t": t, "counters": _counters}
    found.globals |= {"rows_of": _rows_of, "t": t}
    return found


def _rows_of(table: Table) -> list[dict[str, Any]]:
    return table.frame.to_dicts()


def _counters(label: str) -> str:
    """*label* ("Page {page} of {pages}") as the content of a margin box.

    >>> _counters("Page {page} of {pages}")
    '"Page " counter(page) " of " counter(pages) ""'
    """
    return '"' + label.replace("{page}", '" counter(page) "').replace("{pages}", '" counter(pages) "') + '"'


def pdf(html: str, identifier: str) -> bytes:
    """*html* printed as PDF/UA; *identifier* names what it was made from."""
    with Press() as press:
        return print_document(_printable(html), identifier, press)


def _printable(html: str) -> str:
    """*html* with every character that no font of ours has as its code, ``[U+1F600]``: seen, not an empty box."""
    return html.translate({ord(character): f"[U+{ord(character):04X}]" for character in missing_glyphs(html)})
