"""Sections to one tagged PDF. The same snapshot and software give the same bytes.

Nothing here counts; the numbers come from ``reporting.tables``. The document's dates are the data cut-off
and its identifier is the snapshot's hash, so that no clock and no random number reaches the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from safety_monitor.records import Snapshot
from safety_monitor.reporting import formats
from safety_monitor.reporting.fonts import font_face_css, missing_glyphs
from safety_monitor.reporting.printing.document import print_document, print_written
from safety_monitor.reporting.printing.press import Press, collector_off
from safety_monitor.reporting.sections import REPORTS, Material, Section
from safety_monitor.reporting.tables import Table, Tables
from safety_monitor.reporting.wording import language, speaking, t
from safety_monitor.resources import resource_dir
from safety_monitor.study import StudySettings


def report_pdf(
    kind: str, snapshot: Snapshot, *, page_size: str = "A4", organisation: str = "", language: str = "en", mark: str = "final"
) -> bytes:
    """The report *kind* (of ``sections.REPORTS``) of *snapshot* as PDF/UA bytes; *mark*: ``final`` or ``draft``."""
    # the press loads while tables are made, and lays out while figures are drawn
    with collector_off(), Press().warm() as press, speaking(language):
        from safety_monitor.reporting.figures.album import album  # matplotlib loads beside the press, not before it

        with album() as pictures:
            writing = _Writing(kind, snapshot, page_size, organisation, mark)
            pieces = (_printable(piece) for piece in writing.pieces())
            return print_written(
                _printable(writing.whole([])), pieces, lambda: _printable(writing.whole([])), pictures.pdf, snapshot.sha256, press
            )


def report_html(
    kind: str, snapshot: Snapshot, *, page_size: str = "A4", organisation: str = "", language: str = "en", mark: str = "final"
) -> str:
    """The same as one HTML document."""
    with speaking(language):
        writing = _Writing(kind, snapshot, page_size, organisation, mark)
        return writing.whole(list(writing.pieces()))


class _Writing:
    """One report while it is being written: a piece of HTML for each section, then the whole around them."""

    def __init__(self, kind: str, snapshot: Snapshot, page_size: str, organisation: str, mark: str) -> None:
        report = REPORTS[kind]
        settings = StudySettings.model_validate(snapshot.study)
        self._material = Material(snapshot, settings, Tables(snapshot))
        self._sections: list[Section] = []
        self._templates = environment()
        self._known: dict[str, Any] = {
            "report": report, "settings": settings, "snapshot": snapshot, "page_size": page_size, "organisation": organisation,
            "fonts": font_face_css(), "language": language(), "mark": mark,
        }  # fmt: skip

    def pieces(self) -> Iterator[str]:
        template = self._templates.get_template("section.html")
        for number, name in enumerate(self._known["report"].sections, 1):
            section = importlib.import_module(f"safety_monitor.reporting.sections.{name}").section(self._material)
            self._sections.append(section)
            yield template.render(**self._known, section=section, number=number)

    def whole(self, pieces: Sequence[str]) -> str:
        """The document around *pieces*; its contents name the sections that have been written."""
        return self._templates.get_template("report.html").render(**self._known, sections=self._sections, pieces=pieces)


@cache
def environment() -> Environment:
    """Templates with every value escaped and every missing name an error; compiled once, for later processes as well."""
    found = Environment(
        loader=FileSystemLoader(resource_dir("templates") / "reports"), bytecode_cache=FileSystemBytecodeCache(),
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
