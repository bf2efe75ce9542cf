"""Toxicity over time, and the course of each subject: what was given, what happened, who is still under observation."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables.toxicity import OVERTIME, PERIOD_DAYS
from safety_monitor.reporting.wording import words
from safety_monitor.vocabulary import ComponentKind

_FIGURE: dict[str, Any] = OVERTIME["figure"]


def section(material: Material) -> Section:
    overtime, courses = material.tables["toxicity_over_time"], material.tables["courses"]
    drawn = overtime.frame.filter(pl.col("n_observed") >= _FIGURE["at_least_observed"]).head(_FIGURE["most_periods"])
    drugs = [component.name for component in material.settings.components if component.kind is ComponentKind.DRUG]
    values = {
        "overtime": overtime,
        "stacked": figures.toxicity_over_time(drawn, PERIOD_DAYS) if drawn.height else None,
        "periods": drawn.to_dicts(),
        "least": _FIGURE["at_least_observed"],
        "courses": courses,
        "pages": [figures.swimmer(page, drugs, _last_day(courses.frame)) for page in pages(courses.frame)],
    }
    return Section("courses", words("Toxicity over time and courses of treatment"), values)


def pages(courses: pl.DataFrame) -> list[pl.DataFrame]:
    """*courses* in parts of as many subjects as one page holds, in order and as equal as can be."""
    names = courses["USUBJID"].unique(maintain_order=True)
    if not len(names):
        return []
    n_pages = -(-len(names) // _FIGURE["subjects_a_page"])
    height = -(-len(names) // n_pages)
    return [
        courses.filter(pl.col("USUBJID").is_in(names[start : start + height].implode())) for start in range(0, len(names), height)
    ]


def _last_day(courses: pl.DataFrame) -> int:
    last = courses["to_day"].max()
    return last if isinstance(last, int) else 1
