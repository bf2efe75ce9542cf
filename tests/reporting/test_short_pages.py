"""The executive page is one page and the weekly report two to six, in both languages, with every part that they can have."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import cast

import pikepdf
import polars as pl
import pytest

from safety_monitor.records import Snapshot
from safety_monitor.reporting.query_sheet import query_sheet
from safety_monitor.reporting.render import environment, report_pdf
from safety_monitor.reporting.sections import (
    REPORTS,
    Material,
    Report,
    actions,
    summary,
    watch,
    week_labs,
    week_queries,
    week_serious,
)
from safety_monitor.reporting.tables import all_tables
from safety_monitor.reporting.wording import speaking, t
from safety_monitor.study import StudySettings
from safety_monitor.workflow.interval import worst_labs

LONG = "Send to all members the narratives of the fatal events with the imaging read centrally, and say per site what was paused"
LAST = {"issued_on": date(2026, 1, 9), "cutoff": date(2025, 12, 31), "snapshot": "ab", "n_treated": 29, "n_deaths": 4,
        "number": 1}  # fmt: skip


@pytest.fixture(scope="module")
def full(frozen: Callable[[str], Snapshot]) -> Snapshot:
    """The shared trial with an earlier report in which a third of the serious events were other, and all that people can add."""
    hcc = frozen("hcc_synth_demo")
    events = hcc.frames["events"].with_row_index("at").filter(pl.col("at") % 5 > 0)
    previous = events.with_columns(
        grade=pl.when(pl.col("at") % 3 == 1).then(pl.col("grade") - 1).otherwise("grade"),
        aeout=pl.when(pl.col("at") % 4 == 1).then(pl.lit("NOT RECOVERED/NOT RESOLVED")).otherwise("aeout"),
    ).select("usubjid", "aeseq", "grade", "serious", "fatal", "aeout", "related", "aedecod")
    items = [
        {"number": n, "text": LONG, "owner": "Medical monitor", "due": date(2026, 7, n), "overdue": n < 4,
         "raised_on": date(2026, 1, 20), "report": 1, "closed_on": date(2026, 3, 1) if n > 6 else None,
         "resolution": "Done at all sites." if n > 6 else None}
        for n in range(1, 9)
    ]  # fmt: skip
    clocks = [
        {"usubjid": "HCC-ALP-01-01-001", "aeseq": n, "term": "Pneumonitis", "rule_id": "NMPA-SUSAR-7D", "pack": "NMPA",
         "component": "pd1", "cause": cause, "day_zero": date(2026, 6, 1), "aware_basis": "import", "due": "2026-06-09",
         "due_at": "2026-06-09T00:00:00", "state": state, "late": n % 2 == 0, "met": "2026-06-08 10:00",
         "close_reason": "sent", "in_period": True}
        for n, (state, cause) in enumerate([("running", "initial"), ("running", "follow_up"), ("running", "awareness"),
                                            ("running", "reopened"), ("met", "initial"), ("cancelled", "initial"),
                                            ("superseded", "initial")])
    ]  # fmt: skip
    alerts = [
        {"kind": "sae_new", "rule_id": rule, "siteid": "01", "usubjid": "HCC-ALP-01-01-001", "aeseq": n, "term": "Fever",
         "grade": 3, "fatal": False, "at": "2026-06-28 08:00", "recipients": 2, "sent": 2, "acknowledged": 0}
        for n, rule in enumerate(("new_serious_event", "susar_suspected", "grade_changed", "hys_law_candidate"))
    ]  # fmt: skip
    questions = hcc.frames["queries"].select(
        "siteid", "usubjid", "about", "owner", "text", number=pl.int_range(pl.len()), state=pl.lit("open"),
        asked_on=pl.lit(date(2026, 6, 1)), age_days=pl.int_range(pl.len()), in_period=pl.lit(True),
    )  # fmt: skip
    standing = {"since": "2026-06-23 08:00", "until": "2026-06-30 08:00", "n_unsent": 2, "n_failing": 1, "oldest_minutes": 5}
    draft = {"number": "D1", "usubjid": "HCC-ALP-01-01-001", "term": "Fever", "grade": 3, "aware": "2026-06-28", "by": "Wu"}
    labs = worst_labs(hcc.frames["labs"]).with_row_index("at").filter(pl.col("at") % 6 > 0).drop("at")
    more = {
        "previous": previous, "last_report": pl.DataFrame([LAST]), "actions": pl.DataFrame(items), "clocks": pl.DataFrame(clocks),
        "alerts": pl.DataFrame(alerts), "questions": questions, "standing": pl.DataFrame([standing]),
        "drafts": pl.DataFrame([draft]), "previous_labs": labs,
    }  # fmt: skip
    study = {**hcc.study, "jurisdictions": ["NMPA"], "stopping": [
        {"event": "related_death", "method": "pocock", "p0": 0.05, "n_max": 40, "numerator": "subjects", "phi": 0.05},
        {"event": "related_grade_ge4", "method": "pocock", "p0": 0.1, "n_max": 40, "numerator": "subjects", "phi": 0.05},
    ]}  # fmt: skip
    return replace(hcc, frames={**hcc.frames, **more}, study=study)


def first(snapshot: Snapshot, *without: str) -> Snapshot:
    return replace(snapshot, frames={name: frame for name, frame in snapshot.frames.items() if name not in without})


HISTORY = ("previous", "last_report", "previous_labs")


@pytest.mark.parametrize("without", [(), HISTORY, (*HISTORY, "actions", "questions", "labs", "dispositions")])
def test_everything_has_its_words_in_chinese(full: Snapshot, without: tuple[str, ...]) -> None:
    snapshot = first(full, *without)
    material = Material(snapshot, StudySettings.model_validate(snapshot.study), all_tables(snapshot))
    with speaking("zh") as missing:
        for module in (summary, actions, watch, week_serious, week_labs, week_queries):
            section = module.section(material)
            t(section.title)
            environment().get_template(f"{section.name}.html").render(values=section.values)
        assert missing == set()


@pytest.mark.parametrize(
    ("language", "page_size", "head", "foot"),
    [
        ("en", "A4", "What needs a decision", "Data quality"),
        ("en", "Letter", "What needs a decision", "Data quality"),
        ("zh", "A4", "需要决策的事项", "数据质量"),
        ("zh", "Letter", "需要决策的事项", "数据质量"),
    ],
)
def test_the_executive_page_is_one_page(
    full: Snapshot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, language: str, page_size: str, head: str, foot: str
) -> None:
    alone = Report("Executive page", "Executive page", "For the board.", ("summary",))
    monkeypatch.setitem(cast(dict[str, Report], REPORTS), "alone", alone)
    (tmp_path / "page.pdf").write_bytes(report_pdf("alone", full, page_size=page_size, language=language))
    text = subprocess.run(["pdftotext", tmp_path / "page.pdf", "-"], capture_output=True, text=True, check=True).stdout
    [page] = [page for page in text.split("\f") if head in page]
    assert foot in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_weekly_report_has_two_to_six_pages(full: Snapshot, language: str) -> None:
    with pikepdf.open(BytesIO(report_pdf("safety", full, language=language))) as printed:
        assert 2 <= len(printed.pages) <= 6


def test_the_sheet_of_questions_in_chinese_has_all_its_words() -> None:
    row = {"id": 1, "usubjid": "S1-1", "about": "AE 1", "text": "The grade is missing.", "owner": "investigator", "age_days": 3,
           "answer": None}  # fmt: skip
    rows = [row, row | {"usubjid": None}]
    with speaking("zh") as missing:
        assert query_sheet(rows, study_id="S1", siteid=None, made_on=date(2026, 7, 1), language="zh").startswith(b"%PDF-")
        environment().get_template("queries.html").render(
            subjects=[("S1-1", rows), ("", rows)], n=2, study_id="S1", siteid="01", made_on=date(2026, 7, 1), organisation="X",
            page_size="A4", fonts="", language="zh",
        )  # fmt: skip
    assert missing == set()
