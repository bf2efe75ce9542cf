"""Laboratory results: worst CTCAE grade after first treatment, high grades that nobody reported, results without a grade."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables.base import HIGH_GRADE
from safety_monitor.reporting.tables.measured import MEASURED
from safety_monitor.reporting.wording import t
from safety_monitor.vocabulary import CaseState, Match

#: How an episode of results ended, and what became of it, in words.
ENDED = {"resolved": "resolved", "ongoing": "ongoing", "ongoing_at_death": "ongoing at death", "gap": "not measured further"}
CASES = {
    CaseState.NONE.value: "none", CaseState.DRAFT.value: "open", CaseState.CONFIRMED.value: "confirmed, report awaited",
    CaseState.DISMISSED.value: "dismissed by a reviewer", CaseState.WITHDRAWN.value: "withdrawn: the results were corrected",
}  # fmt: skip


def section(material: Material) -> Section:
    tables = material.tables
    episodes = tables["lab_episodes"]
    unreported = episodes.frame.filter(
        pl.col("worst_grade") >= HIGH_GRADE, pl.col("emergent_on").is_not_null(), pl.col("link") == Match.UNREPORTED.value
    ).sort("USUBJID", "onset_on", "term")
    return Section("laboratory", "Laboratory results: worst grade", {
        "table": tables["lab_worst_grade"], "ungraded": tables["lab_ungraded"], "episodes": episodes, "high": HIGH_GRADE,
        "reasons": [_reason(row) for row in tables["lab_ungraded"].frame.iter_rows(named=True)],
        "unreported": [_episode(row) for row in unreported.iter_rows(named=True)],
    })  # fmt: skip


def _reason(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"why": t(MEASURED["ungraded"][row["reason"]]) if row["reason"] in MEASURED["ungraded"] else row["reason"]}


def _episode(row: dict[str, Any]) -> dict[str, Any]:
    ended, case = ENDED.get(row["ended"]), CASES.get(row["case_state"])
    return row | {"ended": t(ended) if ended else row["ended"], "case": t(case) if case else row["case_state"]}
