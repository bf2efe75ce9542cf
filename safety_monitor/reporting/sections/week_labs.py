"""Laboratory results that worsened: subjects whose worst grade of a term rose since the last report, or in the period where
there is none; from the configured grade on."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from safety_monitor.reporting.pages import PAGES
from safety_monitor.reporting.sections import Material, Section

_LINES: int = PAGES["weekly"]["labs"]
_FROM: int = PAGES["weekly"]["lab_grade_from"]


def section(material: Material) -> Section:
    frames = material.snapshot.frames
    labs = frames.get("labs")
    since = date.fromisoformat(frames["standing"]["since"][0][:10])
    rows = [] if labs is None else worsened(labs, frames.get("previous_labs"), since)
    return Section(
        "week_labs",
        "Laboratory results that worsened",
        {
            "collected": labs is not None,
            "has_last": "previous_labs" in frames,
            "since": since,
            "grade_from": _FROM,
            "rows": rows[:_LINES],
            "n_rows": len(rows),
            "n_subjects": len({row["usubjid"] for row in rows}),
        },
        flows=True,
    )


def worsened(labs: pl.DataFrame, previous: pl.DataFrame | None, since: date) -> list[dict[str, Any]]:
    """One row a subject and term: the first result at the worst grade, with the grade before it; the worst first.

    Before is the worst grade of the last report where there was one, else of the results before *since*; where there is neither,
    the grade at baseline.
    """
    graded = labs.filter(pl.col("grade").is_not_null(), pl.col("term").is_not_null())
    after = graded.filter("post_baseline")
    keys = ["usubjid", "term"]
    if previous is None:
        before = after.filter(pl.col("on") < since).group_by(keys).agg(before=pl.col("grade").max())
        after = after.filter(pl.col("on") >= since)
    else:
        before = previous.rename({"grade": "before"})
    baseline = graded.group_by(keys).agg(baseline=pl.col("baseline_grade").max())
    worst = after.sort("grade", "on", "lbseq", descending=[True, False, False]).unique(keys, keep="first", maintain_order=True)
    found = (
        worst.join(before, on=keys, how="left").join(baseline, on=keys, how="left")
        .with_columns(before=pl.max_horizontal("before", "baseline"))
        .filter(pl.col("grade") >= _FROM, pl.col("grade") > pl.col("before").fill_null(0))
        .sort("grade", "on", "usubjid", "term", descending=[True, True, False, False])
    )  # fmt: skip
    return found.to_dicts()
