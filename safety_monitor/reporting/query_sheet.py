"""The questions to one site as a sheet of paper: what is asked, of which record, since when; room for the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from safety_monitor.reporting.fonts import font_face_css
from safety_monitor.reporting.render import environment, pdf
from safety_monitor.reporting.wording import speaking

#: What the sheet and the CSV beside it have of each question.
COLUMNS = (
    "id", "study_id", "siteid", "usubjid", "about", "check_id", "owner", "state", "age_days", "opened_on", "text", "answer",
)  # fmt: skip


def query_sheet(
    rows: Sequence[Mapping[str, Any]], *, study_id: str, siteid: str | None, made_on: date, organisation: str = "",
    page_size: str = "A4", language: str = "en",
) -> bytes:  # fmt: skip
    """The questions *rows* (``COLUMNS``) of one site as PDF/UA bytes; the same questions on the same day give the same bytes."""
    subjects: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        subjects.setdefault(row["usubjid"] or "", []).append(row)
    with speaking(language):
        html = environment().get_template("queries.html").render(
            subjects=sorted(subjects.items()), n=len(rows), study_id=study_id, siteid=siteid, made_on=made_on,
            organisation=organisation, page_size=page_size, fonts=font_face_css(), language=language,
        )  # fmt: skip
    return pdf(html, hashlib.sha256(html.encode()).hexdigest())
