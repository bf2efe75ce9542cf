"""Laboratory tables: worst grade, shift from baseline, what could not be graded, and every result of a high grade.

Baseline is the last record flagged as baseline that has a grade; worst is the highest grade after first
treatment until the end of the treatment-emergent window. What was measured but cannot be graded is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, HIGH_GRADE, Study, Table
from safety_monitor.reporting.tables.measured import NO_LABS, cells, once, treated_labs
from safety_monitor.reporting.wording import words

WORST = {
    "term": pl.String, "N_post": pl.Int64, "N_both": pl.Int64, "worst_g0": pl.Int64, "worst_g1": pl.Int64,
    "worst_g2": pl.Int64, "worst_g3": pl.Int64, "worst_g4": pl.Int64, "ge3": pl.Int64, "emergent_any": pl.Int64,
    "emergent_ge3": pl.Int64,
}  # fmt: skip
SHIFT = {"term": pl.String, "baseline": pl.String, "worst": pl.String, "n": pl.Int64}
UNGRADED = {"LBTESTCD": pl.String, "term": pl.String, "reason": pl.String, "n": pl.Int64, "results": pl.Int64,
            "of_results": pl.Int64, "pct_results": pl.Float64}  # fmt: skip
HIGH = {
    "USUBJID": pl.String, "SITEID": pl.String, "term": pl.String, "LBTESTCD": pl.String, "VISIT": pl.String, "on": pl.Date,
    "study_day": pl.Int64, "LBSTRESN": pl.Float64, "LBSTRESU": pl.String, "LBSTNRLO": pl.Float64, "LBSTNRHI": pl.Float64,
    "grade": pl.Int64, "criterion": pl.String, "flags": pl.String, "baseline_grade": pl.Int64, "post_baseline": pl.Boolean,
    "link": pl.String, "AESEQ": pl.Int64,
}  # fmt: skip
MISSING = "missing"
SEPARATOR = " | "
_TERMS: list[str] = COUNTING["lab_order"]["terms"]


def tables(study: Study) -> Iterator[Table]:
    yield worst_grade(study)
    yield shift(study)
    yield ungraded(study)
    yield high_grade(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each number: of shifts the row is term and baseline, the column the worst grade."""
    found, labs = grades(study), treated_labs(study)
    if found is None or labs is None:
        return
    for column, wanted in _COLUMNS.items():
        yield cells(found.filter(wanted), "lab_worst_grade", pl.col("term"), column)
    rows = found.filter(_MEASURED).with_columns(pl.col("baseline", "worst").cast(pl.String).fill_null(MISSING))
    yield cells(rows, "lab_shift", pl.concat_str("term", "baseline", separator=SEPARATOR), pl.col("worst"))
    open_ = labs.filter(pl.col("grade").is_null()).unique(["lbtestcd", "term", "reason", "usubjid"]).with_columns(
        pl.col("lbtestcd", "term", "reason").fill_null("")
    )
    yield cells(open_, "lab_ungraded", pl.concat_str("lbtestcd", "term", "reason", separator=SEPARATOR), "n")


@once
def grades(study: Study) -> pl.DataFrame | None:
    """Term, usubjid, baseline, worst (grades, null: missing): every treated subject for every measured
    term.
    """
    labs = treated_labs(study)
    if labs is None:
        return None
    # "< 0.2" proves a normal value but is no measurement: it counts only where it is abnormal (> 1000)
    counts = pl.col("lbstresn").is_not_null() | (pl.col("grade") >= 1)
    graded = labs.filter(pl.col("grade").is_not_null(), pl.col("term").is_not_null(), counts)
    key = ["term", "usubjid"]
    baseline = (
        graded.filter("is_baseline")
        .sort("on", "lbseq", nulls_last=False)
        .group_by(key, maintain_order=True)
        .agg(pl.col("grade").last().alias("baseline"))
    )
    worst = graded.filter("post_baseline").group_by(key).agg(pl.col("grade").max().alias("worst"))
    order = {term: place for place, term in enumerate(_TERMS)}
    place = pl.col("term").replace_strict(order, default=len(order), return_dtype=pl.Int64)
    return (
        graded.select("term").unique().join(study.treated.select("usubjid"), how="cross")
        .join(baseline, on=key, how="left").join(worst, on=key, how="left")
        .sort(place, "term", "usubjid")
    )  # fmt: skip


def worst_grade(study: Study) -> Table:
    """Subjects by their worst grade after baseline."""
    name, title = "lab_worst_grade", words("Worst laboratory grade after baseline")
    rule = words(
        "Of N = {n} treated subjects, those with a grade by their worst grade after first treatment; both: with a grade at "
        "baseline as well. Worse than baseline: worse than the known baseline grade. A result given only as below or above "
        "a limit counts where its grade is 1 or more.",
        n=study.n,
    )
    found = grades(study)
    if found is None:
        return Table.absent(name, title, WORST, rule, NO_LABS)
    counts = [wanted.sum().cast(pl.Int64).alias(column) for column, wanted in _COLUMNS.items()]
    frame = found.group_by("term", maintain_order=True).agg(counts).filter(pl.col("N_post") > 0)
    return Table(name, title, frame.select(list(WORST)), rule)


def shift(study: Study) -> Table:
    """Subjects by baseline grade and worst grade after it; combinations that nobody has are left out."""
    name, title = "lab_shift", words("Shift of laboratory grade from baseline to worst")
    rule = words("All N = {n} treated subjects by grade at baseline and worst after it, missing included.", n=study.n)
    found = grades(study)
    if found is None:
        return Table.absent(name, title, SHIFT, rule, NO_LABS)
    measured = found.filter(_MEASURED)
    frame = (
        measured.with_columns(pl.col("baseline", "worst").cast(pl.String).fill_null(MISSING))
        .group_by("term", "baseline", "worst", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("n"))
    )
    terms = measured.select("term").unique(maintain_order=True).with_row_index("place")
    frame = frame.join(terms, on="term").sort("place", "baseline", "worst").select(list(SHIFT))
    return Table(name, title, frame, rule)


def ungraded(study: Study) -> Table:
    """Results that have no grade, by test, term and reason."""
    name, title = "lab_ungraded", words("Laboratory results without a grade")
    rule = words(
        "Results of treated subjects, at any time, that have no CTCAE grade, by reason; unknown is not grade 0. n: subjects "
        "with such a result. Per cent: of all results of the test and term. A result stands once for each term of its test."
    )
    labs = treated_labs(study)
    if labs is None:
        return Table.absent(name, title, UNGRADED, rule, NO_LABS)
    of = labs.group_by("lbtestcd", "term").agg(of_results=pl.len().cast(pl.Int64))
    found = (
        labs.filter(pl.col("grade").is_null())
        .group_by("lbtestcd", "term", "reason")
        .agg(n=pl.col("usubjid").n_unique().cast(pl.Int64), results=pl.len().cast(pl.Int64))
        .join(of, on=["lbtestcd", "term"], how="left", nulls_equal=True)
        .with_columns(pct_results=100 * pl.col("results") / pl.col("of_results"))
        .sort("lbtestcd", "term", "reason", nulls_last=True)
    )
    return Table(name, title, found.rename({"lbtestcd": "LBTESTCD"}).select(list(UNGRADED)), rule)


def high_grade(study: Study) -> Table:
    """Every result of a high grade, with its limits, why it has that grade, and whether an event was reported of it."""
    name, title = "lab_high_grade", words("Laboratory results of grade {grade} or worse", grade=HIGH_GRADE)
    rule = words(
        "Treated subjects; every result of grade {grade} or worse, at any time. Study day 1 is first treatment. Report: "
        "what the episode of results is to the reported events (AESEQ); empty where the grade is not worse than at "
        "baseline.",
        grade=HIGH_GRADE,
    )
    labs = treated_labs(study)
    if labs is None:
        return Table.absent(name, title, HIGH, rule, NO_LABS)
    found = labs.filter(pl.col("grade") >= HIGH_GRADE, pl.col("term").is_not_null())
    found = found.join(study.treated.select("usubjid", "siteid", "first_treatment_on"), on="usubjid")
    days = (pl.col("on") - pl.col("first_treatment_on")).dt.total_days()
    found = found.with_columns(study_day=pl.when(days >= 0).then(days + 1).otherwise(days))
    found = _beside_reports(found, study).sort("usubjid", "on", "lbtestcd", "term", "lbseq")
    renamed = {"usubjid": "USUBJID", "siteid": "SITEID", "lbtestcd": "LBTESTCD", "visit": "VISIT", "lbstresn": "LBSTRESN",
               "unit": "LBSTRESU", "lbstnrlo": "LBSTNRLO", "lbstnrhi": "LBSTNRHI", "aeseq": "AESEQ"}  # fmt: skip
    return Table(name, title, found.rename(renamed).select(list(HIGH)), rule)


def _beside_reports(results: pl.DataFrame, study: Study) -> pl.DataFrame:
    """*results* with ``link`` and ``aeseq`` of the episode that they belong to."""
    episodes = study.frame("episodes")
    if episodes is None:
        return results.with_columns(link=pl.lit(None, pl.String), aeseq=pl.lit(None, pl.Int64))
    spans = episodes.select("usubjid", "term", "onset_on", "last_on", "link", "aeseq")
    key = ["usubjid", "term", "on"]
    within = (
        results.select(key).unique().join(spans, on=["usubjid", "term"])
        .filter(pl.col("on").is_between("onset_on", "last_on"))
        .sort("onset_on", "aeseq", nulls_last=True)
        .unique(key, keep="first", maintain_order=True)
    )  # fmt: skip
    return results.join(within.select(*key, "link", "aeseq"), on=key, how="left")


_MEASURED = pl.col("worst").is_not_null().any().over("term")
_COLUMNS = {
    "N_post": pl.col("worst").is_not_null(),
    "N_both": pl.col("worst").is_not_null() & pl.col("baseline").is_not_null(),
    **{f"worst_g{grade}": pl.col("worst") == grade for grade in range(5)},
    "ge3": pl.col("worst") >= HIGH_GRADE,
    "emergent_any": pl.col("worst") > pl.col("baseline"),
    "emergent_ge3": (pl.col("worst") > pl.col("baseline")) & (pl.col("worst") >= HIGH_GRADE),
}
