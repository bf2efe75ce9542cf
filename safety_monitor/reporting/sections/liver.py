"""Liver safety: eDISH and the subjects who meet the numbers of Hy's law."""

from __future__ import annotations

import polars as pl

from safety_monitor.reporting import figures
from safety_monitor.reporting.pictures import embedded
from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    peaks, listing = material.tables["edish_peaks"], material.tables["hys_law"]
    picture = figures.edish(peaks.frame) if peaks.frame.height else None
    candidates = listing.frame.filter(pl.col("peak_candidate"))
    return Section(
        "liver",
        "Liver safety",
        {
            "peaks": peaks,
            "listing": listing,
            "candidates": candidates.to_dicts(),
            "picture": picture and embedded(picture),
        },
    )
