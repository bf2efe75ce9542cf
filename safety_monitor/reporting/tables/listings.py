"""Listings: serious adverse events and deaths, one row each.

Serious events are listed whenever they began, of subjects not treated as well; the columns ``te`` and
``treated`` say which of them other tables count.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, Study, Table
from safety_monitor.vocabulary import Seriousness

_CRITERIA = [criterion.value for criterion in Seriousness]
_WINDOW: int = COUNTING["death_window"]["days_after_last"]


def tables(study: Study) -> Iterator[Table]:
    yield sae_listing(study)
    yield deaths(study)


def sae_listing(study: Study) -> Table:
    """Every serious event, whoever called it serious: AESER or one of the criteria."""
    yes_no = [pl.col(name).replace_strict({True: "Y", False: "N"}, default=None, return_dtype=pl.String)
              .alias(name.upper()) for name in _CRITERIA]  # fmt: skip
    frame = (
        study.all_events.filter(pl.col("serious") | pl.col("serious_as_flagged"))
        .sort("usubjid", "onset_on", "aeseq")
        .select(
            pl.col("usubjid").alias("USUBJID"),
            pl.col("aeseq").alias("AESEQ"),
            pl.col("aedecod").alias("AEDECOD"),
            pl.col("aebodsys").alias("AEBODSYS"),
            pl.col("grade").alias("g"),
            pl.col("aestdtc").alias("AESTDTC"),
            pl.col("aeendtc").alias("AEENDTC"),
            pl.col("onset_on").alias("ast"),
            pl.col("aerel").alias("AEREL"),
            pl.col("aeacn").alias("AEACN"),
            pl.col("aeout").alias("AEOUT"),
            *yes_no,
            pl.col("treatment_emergent").alias("te"),
            pl.col("serious_as_flagged").alias("ser"),
            pl.col("serious").alias("ser_any"),
            "treated",
        )
    )
    rule = (
        "Every event with AESER=Y or any seriousness criterion, whenever it began, with its onset "
        "(partial dates completed) and whether it is treatment-emergent."
    )
    return Table("sae_listing", "Serious adverse events", frame, rule)


def deaths(study: Study) -> Table:
    """Every death of a treated subject, of any cause."""
    fatal = study.events.filter("fatal")["usubjid"].unique()
    after_last = (pl.col("death_on") - pl.col("last_treatment_on")).dt.total_days()
    frame = (
        study.treated.filter(pl.col("dthfl").fill_null(False))
        .sort("usubjid")
        .select(
            pl.col("usubjid").alias("USUBJID"),
            pl.col("first_treatment_on").alias("st"),
            pl.col("last_treatment_on").alias("en"),
            pl.col("death_on").alias("dth"),
            ((pl.col("death_on") - pl.col("first_treatment_on")).dt.total_days() + 1).alias("study_day"),
            after_last.alias("days_after_last_dose"),
            (after_last <= _WINDOW).alias("within30d_last_dose"),
            pl.col("usubjid").is_in(fatal.implode()).alias("fatal_AE"),
        )
    )
    rule = (
        f"Treated subjects who died, of any cause (N = {study.n}). Days count from the last treatment; a "
        "missing date leaves them empty. Fatal event: of grade 5, with AESDTH=Y or with AEOUT=FATAL."
    )
    return Table("deaths", "Deaths", frame, rule)
