"""Attribution: the investigators' opinions beside the system's, how far they agree, and what moved the system's."""

from __future__ import annotations

from typing import Any

import polars as pl

from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables.base import HIGH_GRADE

#: Serious events whose evidence is drawn, and pieces of evidence of each: a page.
_DRAWN, _PIECES = 8, 4


def section(material: Material) -> Section:
    apart = material.tables["attribution_disagreements"]
    grave = (pl.col("serious") == "Y") | (pl.col("grade") >= HIGH_GRADE).fill_null(False)
    values = {
        "table": material.tables["attribution_agreement"],
        "apart_rows": apart.frame.filter(grave).to_dicts(),
        "weighed": _weighed(material, apart.frame),
    }
    return Section("attribution", "Attribution to the components", values, flows=True)


def _weighed(material: Material, apart: pl.DataFrame) -> list[dict[str, Any]]:
    """The latest serious events with the evidence behind their leading cause; those that opinions differ on first."""
    frames = material.snapshot.frames
    if "weighing" not in frames:  # a snapshot of earlier versions
        return []
    disputed = set(apart.select("USUBJID", "AESEQ").iter_rows())
    serious = frames["events"].filter(pl.col("serious"), pl.col("leading").is_not_null())
    events = sorted(
        serious.iter_rows(named=True),
        key=lambda e: ((e["usubjid"], e["aeseq"]) in disputed, e["aestdtc"] or "", e["usubjid"], e["aeseq"]), reverse=True,
    )  # fmt: skip
    found = []
    for event in events[:_DRAWN]:
        own = frames["weighing"].filter(pl.col("usubjid") == event["usubjid"], pl.col("aeseq") == event["aeseq"])
        pieces = own.select("cause", "evidence", "effect").head(_PIECES).to_dicts()
        leading = event["leading"]
        found.append(event | {"pieces": pieces, "share": event[f"share_{leading}"], "level": event[f"level_{leading}"]})
    return found
