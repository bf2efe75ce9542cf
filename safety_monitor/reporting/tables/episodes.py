"""Episodes of laboratory results beside the reports: what was found, what is reported, what is asked."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import HIGH_GRADE, Study, Table
from safety_monitor.reporting.wording import words
from safety_monitor.vocabulary import CaseState, Match

LISTING = {
    "USUBJID": pl.String, "SITEID": pl.String, "term": pl.String, "baseline_grade": pl.Int64, "onset_on": pl.Date,
    "onset_grade": pl.Int64, "worst_grade": pl.Int64, "worst_on": pl.Date, "last_on": pl.Date, "ended": pl.String,
    "resolved_on": pl.Date, "emergent_on": pl.Date, "n_results": pl.Int64, "changes": pl.String, "evidence": pl.String,
    "link": pl.String, "AESEQ": pl.Int64, "case_state": pl.String,
}  # fmt: skip
_OPEN = (CaseState.DRAFT.value, CaseState.CONFIRMED.value)
RECONCILIATION = {
    "term": pl.String, "episodes": pl.Int64, "subjects": pl.Int64, "emergent": pl.Int64, "ge3": pl.Int64,
    **{kind.value: pl.Int64 for kind in Match}, "cases": pl.Int64, "dismissed": pl.Int64, "grade_queries": pl.Int64,
    "ongoing": pl.Int64,
}  # fmt: skip
NO_RESULTS = "no results (LB, VS, EG) were imported"
_GRADE_CHECKS = ("GRADE_BELOW_RESULTS", "GRADE_ABOVE_RESULTS", "GRADE_AGAINST_FINDINGS")


def tables(study: Study) -> Iterator[Table]:
    yield lab_episodes(study)
    yield reconciliation(study)


def lab_episodes(study: Study) -> Table:
    """One row per episode of a treated subject."""
    name, title = "lab_episodes", words("Episodes of results worse than baseline")
    rule = words(
        "Treated subjects; consecutive results worse than the baseline grade, no farther apart than the study's gap. Emergent: "
        "the first day after first treatment, within the window, on which the grade was above every grade before. Link: what it "
        "is to the reported events."
    )
    found = _treated(study)
    if found is None:
        return Table.absent(name, title, LISTING, rule, NO_RESULTS)
    frame = found.rename({"usubjid": "USUBJID", "siteid": "SITEID", "aeseq": "AESEQ"}).select(list(LISTING))
    return Table(name, title, frame, rule)


def reconciliation(study: Study) -> Table:
    """One row per term: episodes found, reported or not, and questions about the grade."""
    name, title = "reconciliation", words("Laboratory episodes and reports")
    rule = words(
        "Episodes of treated subjects by term. Matched: one reported event; covered: by a report matched with another episode; "
        "ambiguous: several reports fit equally well; cases: unreported, treatment-emergent, at or above the study's grade. "
        "Grade queries: reports of the term whose grade the results or findings contradict."
    )
    found = _treated(study)
    if found is None:
        return Table.absent(name, title, RECONCILIATION, rule, NO_RESULTS)
    link, state = pl.col("link"), pl.col("case_state")
    counted = found.group_by("term").agg(
        pl.len().alias("episodes"), pl.col("usubjid").n_unique().alias("subjects"),
        pl.col("emergent_on").is_not_null().sum().alias("emergent"), (pl.col("worst_grade") >= HIGH_GRADE).sum().alias("ge3"),
        *((link == kind.value).sum().alias(kind.value) for kind in Match),
        state.is_in(_OPEN).sum().alias("cases"), (state == CaseState.DISMISSED.value).sum().alias("dismissed"),
        pl.col("ended").str.starts_with("ongoing").sum().alias("ongoing"),
    )  # fmt: skip
    asked = (
        study.frames["queries"].filter(pl.col("check_id").is_in(_GRADE_CHECKS))
        .join(study.frames["events"].select("usubjid", "aeseq", term="aedecod"), on=["usubjid", "aeseq"])
        .join(study.treated, on="usubjid", how="semi")
        .group_by("term").agg(pl.len().alias("grade_queries"))
    )  # fmt: skip
    frame = counted.join(asked, on="term", how="left").with_columns(pl.col("grade_queries").fill_null(0)).sort("term")
    return Table(name, title, frame.select(pl.col(column).cast(kind) for column, kind in RECONCILIATION.items()), rule)


def _treated(study: Study) -> pl.DataFrame | None:
    found = study.frames.get("episodes")
    return None if found is None else found.filter("treated")
