"""The sections of a report, in the order in which a board reads them.

A section is a module ``sections/<name>.py`` with ``section(material) -> Section``, a template
``templates/reports/<name>.html`` and its name in the list of a report (:data:`REPORTS`). Sections do not know each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import Table
from safety_monitor.study import StudySettings

DSMB = (
    "summary", "accrual", "disposition", "baseline", "treatment", "overview", "terms", "related", "serious", "deaths", "rates",
    "laboratory", "shifts", "liver",
    "monitoring", "attribution", "conduct", "deviations", "definitions", "dsur",
)  # fmt: skip


#: What the sponsor's safety staff reads every week: what is due, what was told, what is open.
SAFETY = ("watch", "serious", "deaths", "liver", "monitoring", "conduct", "definitions")


@dataclass(frozen=True)
class Report:
    """One kind of report: its names, whom it is for, and its sections."""

    title: str
    short: str
    readers: str
    sections: tuple[str, ...]


REPORTS: Mapping[str, Report] = {
    "dsmb": Report(
        "Safety report for the data safety monitoring board", "DSMB safety report",
        "For the members of the board and the sponsor’s safety staff.", DSMB,
    ),
    "safety": Report("Safety officer’s report", "Safety officer’s report", "For the sponsor’s safety staff.", SAFETY),
}  # fmt: skip


@dataclass(frozen=True)
class Material:
    """What a section is made from: the frozen study, its settings and its tables."""

    snapshot: Snapshot
    settings: StudySettings
    tables: Mapping[str, Table]


@dataclass(frozen=True)
class Section:
    """One section: its template's name, heading and the values shown; whether its pages lie landscape, and
    whether it follows the one before on the same page."""

    name: str
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    landscape: bool = False
    flows: bool = False
