"""Appendix: every laboratory result of a high grade, with why it has that grade and whether an event was reported."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables.base import HIGH_GRADE
from safety_monitor.reporting.wording import t, words
from safety_monitor.vocabulary import Match

REPORTS = {
    Match.MATCHED.value: "AE {number}", Match.COVERED.value: "covered by AE {number}",
    Match.AMBIGUOUS.value: "several reports fit", Match.UNREPORTED.value: "not reported",
}  # fmt: skip
#: How units and criteria of the data are printed.
_NEAT = {"10^9": "10⁹", "10^12": "10¹²", "umol": "µmol", ">=": "≥", "<=": "≤"}


def section(material: Material) -> Section:
    table = material.tables["lab_high_grade"]
    return Section(
        "lab_listing", words("Listing: laboratory results of grade {grade} or worse", grade=HIGH_GRADE),
        {"table": table, "rows": [_row(row) for row in table.frame.iter_rows(named=True)]}, landscape=True,
    )  # fmt: skip


def _row(row: dict[str, Any]) -> dict[str, Any]:
    low, high = (None if row[name] is None else f"{row[name]:g}" for name in ("LBSTNRLO", "LBSTNRHI"))
    limits = None if low is None and high is None else f"{low or '?'}–{high or '?'}"
    report = REPORTS.get(row["link"] or "")
    value = None if row["LBSTRESN"] is None else f"{row['LBSTRESN']:g}"
    return row | {
        "limits": limits, "value": value, "unit": neat(row["LBSTRESU"]), "criterion": neat(row["criterion"]),
        "report": t(report, number=row["AESEQ"]) if report else None,
    }  # fmt: skip


def neat(said: str | None) -> str:
    """A unit or criterion as people print it.

    >>> neat(">= 3.5 g/24 h"), neat("< 50.0 10^9/L"), neat(None)
    ('≥ 3.5 g/24 h', '< 50.0 10⁹/L', '')
    """
    for raw, printed in _NEAT.items():
        said = (said or "").replace(raw, printed)
    return said or ""
