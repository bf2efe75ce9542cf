"""Laboratory tables: worst grade, shift from baseline, and the liver peaks behind eDISH and Hy's law.

Baseline is the last record flagged as baseline that has a grade; worst is the highest grade after first
treatment until the end of the treatment-emergent window. What was measured but cannot be graded is missing.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, HIGH_GRADE, Study, Table

WORST = {
    "term": pl.String, "N_post": pl.Int64, "N_both": pl.Int64, "worst_g0": pl.Int64, "worst_g1": pl.Int64,
    "worst_g2": pl.Int64, "worst_g3": pl.Int64, "worst_g4": pl.Int64, "ge3": pl.Int64,
    "emergent_any": pl.Int64,
    "emergent_ge3": pl.Int64,
}  # fmt: skip
SHIFT = {"term": pl.String, "baseline": pl.String, "worst": pl.String, "n": pl.Int64}
LIVER = ("ALT", "AST", "BILI", "ALP")
PEAKS = {"USUBJID": pl.String, "ALT": pl.Float64, "AST": pl.Float64, "TA": pl.Float64, "BILI": pl.Float64,
         "ALP": pl.Float64}  # fmt: skip
HYS_LAW = {
    **PEAKS, "quadrant": pl.String, "peak_candidate": pl.Boolean, "peak_candidate_strict_gt": pl.Boolean,
    "same_day": pl.Boolean, "bili_0_30d_after_TA": pl.Boolean, "peak_and_ALP_lt2": pl.Boolean,
    "r_ratio": pl.Float64,
    "first_TA_on": pl.Date, "first_BILI_on": pl.Date,
}  # fmt: skip
MISSING = "missing"
NO_LABS = "laboratory data (LB) were not imported"
_LIMITS = COUNTING["hys_law"]
_TERMS: list[str] = COUNTING["lab_order"]["terms"]


def tables(study: Study) -> Iterator[Table]:
    yield worst_grade(study)
    yield shift(study)
    yield edish_peaks(study)
    yield edish_baseline_multiples(study)
    yield hys_law(study)


def grades(study: Study) -> pl.DataFrame | None:
    """Term, usubjid, baseline, worst (grades, null: missing): every treated subject for every measured
    term.
    """
    labs = _treated_labs(study)
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
    name, title = "lab_worst_grade", "Worst laboratory grade after baseline"
    rule = (
        "Treated subjects by worst grade after first treatment; both: with a grade at baseline as well. "
        "Worse than baseline: worse than the known baseline grade. A result given only as below or above a limit "
        "counts where its grade is 1 or more."
    )
    found = grades(study)
    if found is None:
        return Table.absent(name, title, WORST, rule, NO_LABS)
    worst, baseline = pl.col("worst"), pl.col("baseline")
    columns = {
        "N_post": worst.is_not_null(),
        "N_both": worst.is_not_null() & baseline.is_not_null(),
        **{f"worst_g{grade}": worst == grade for grade in range(5)},
        "ge3": worst >= HIGH_GRADE,
        "emergent_any": worst > baseline,
        "emergent_ge3": (worst > baseline) & (worst >= HIGH_GRADE),
    }
    counts = [wanted.sum().cast(pl.Int64).alias(column) for column, wanted in columns.items()]
    frame = found.group_by("term", maintain_order=True).agg(counts).filter(pl.col("N_post") > 0)
    return Table(name, title, frame.select(list(WORST)), rule)


def shift(study: Study) -> Table:
    """Subjects by baseline grade and worst grade after it; combinations that nobody has are left out."""
    name, title = "lab_shift", "Shift of laboratory grade from baseline to worst"
    rule = f"All N = {study.n} treated subjects by grade at baseline and worst after it, missing included."
    found = grades(study)
    if found is None:
        return Table.absent(name, title, SHIFT, rule, NO_LABS)
    measured = found.filter(pl.col("worst").is_not_null().any().over("term"))
    frame = (
        measured.with_columns(pl.col("baseline", "worst").cast(pl.String).fill_null(MISSING))
        .group_by("term", "baseline", "worst", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("n"))
    )
    terms = measured.select("term").unique(maintain_order=True).with_row_index("place")
    frame = frame.join(terms, on="term").sort("place", "baseline", "worst").select(list(SHIFT))
    return Table(name, title, frame, rule)


def edish_peaks(study: Study) -> Table:
    """Highest values after first treatment, in multiples of the upper limit of normal."""
    name, title = "edish_peaks", "Liver peaks in multiples of the upper limit of normal"
    rule = "Highest value after first treatment, each over its own ULN."
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, PEAKS, rule, NO_LABS)
    return Table(name, title, _peaks(values, "of_uln"), rule)


def edish_baseline_multiples(study: Study) -> Table:
    """The same in multiples of the subject's own baseline, for subjects who start abnormal."""
    name, title = "edish_baseline_multiples", "Liver peaks in multiples of baseline"
    rule = "Highest value after first treatment over the subject's last baseline value, in the same unit."
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, PEAKS, rule, NO_LABS)
    return Table(name, title, _peaks(values, "of_baseline"), rule)


def hys_law(study: Study) -> Table:
    """Subjects beyond the aminotransferase or the bilirubin limit, candidates first."""
    name, title = "hys_law", "Screening for Hy's law"
    ta_at, bili_at, alp_below = _LIMITS["aminotransferase"], _LIMITS["bilirubin"], _LIMITS["alp_below"]
    days = _LIMITS["bilirubin_within_days"]
    rule = (
        f"Candidate: peak ALT or AST >= {ta_at} x ULN and peak bilirubin >= {bili_at} x ULN at any time "
        f"after first treatment; also: both strictly above, on the same day, bilirubin within 0-{days} days after, and "
        f"with peak ALP < {alp_below} x ULN. R ratio: peak ALT over peak ALP."
    )
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, HYS_LAW, rule, NO_LABS)
    peaks = _peaks(values, "of_uln")
    high_ta = values.filter(pl.col("lbtestcd").is_in(["ALT", "AST"]), pl.col("of_uln") >= ta_at)
    high_bili = values.filter(pl.col("lbtestcd") == "BILI", pl.col("of_uln") >= bili_at)
    pairs = high_ta.select("usubjid", "on").join(
        high_bili.select("usubjid", pl.col("on").alias("bili_on")), on="usubjid"
    )
    gap = (pl.col("bili_on") - pl.col("on")).dt.total_days()
    timing = pairs.group_by("usubjid").agg(
        (gap == 0).any().alias("same_day"), gap.is_between(0, days).any().alias("bili_0_30d_after_TA")
    )
    first_ta = high_ta.group_by("usubjid").agg(pl.col("on").min().alias("first_TA_on"))
    first_bili = high_bili.group_by("usubjid").agg(pl.col("on").min().alias("first_BILI_on"))
    ta, bili, alp = pl.col("TA"), pl.col("BILI"), pl.col("ALP")
    candidate = ((ta >= ta_at) & (bili >= bili_at)).fill_null(False)
    frame = peaks.filter((ta >= ta_at).fill_null(False) | (bili >= bili_at).fill_null(False))
    for more in (timing, first_ta, first_bili):
        frame = frame.join(more, left_on="USUBJID", right_on="usubjid", how="left")
    frame = frame.with_columns(
        quadrant(),
        candidate.alias("peak_candidate"),
        ((ta > ta_at) & (bili > bili_at)).fill_null(False).alias("peak_candidate_strict_gt"),
        pl.col("same_day", "bili_0_30d_after_TA").fill_null(False),
        (candidate & (alp < alp_below)).alias("peak_and_ALP_lt2"),
        (pl.col("ALT") / alp).alias("r_ratio"),
    )
    frame = frame.sort("peak_candidate", "USUBJID", descending=[True, False])
    return Table(name, title, frame.select(list(HYS_LAW)), rule)


def quadrant() -> pl.Expr:
    """Quadrant of the eDISH plot from TA and BILI; null where one of them was not measured."""
    ta, bili = pl.col("TA") >= _LIMITS["aminotransferase"], pl.col("BILI") >= _LIMITS["bilirubin"]
    return (
        pl.when(ta & bili).then(pl.lit("hys_law"))
        .when(ta & ~bili).then(pl.lit("temple"))
        .when(~ta & bili).then(pl.lit("cholestasis"))
        .when(~ta & ~bili).then(pl.lit("normal"))
        .alias("quadrant")
    )  # fmt: skip


def _treated_labs(study: Study) -> pl.DataFrame | None:
    labs = study.frame("labs")
    return None if labs is None else labs.join(study.treated, on="usubjid", how="semi")


def _liver(study: Study) -> pl.DataFrame | None:
    """usubjid, lbtestcd, on, of_uln, of_baseline: one row per liver value after first treatment."""
    labs = _treated_labs(study)
    if labs is None:
        return None
    # A record stands once per term in labs; here it is one measurement.
    values = labs.filter(pl.col("lbtestcd").is_in(LIVER), pl.col("lbstresn").is_not_null()).unique(
        ["usubjid", "lbtestcd", "on", "lbseq"], maintain_order=True
    )
    baseline = (
        values.filter("is_baseline").sort("on", "lbseq").group_by("usubjid", "lbtestcd", maintain_order=True)
        .agg(pl.col("lbstresn").last().alias("start"), pl.col("unit").last().alias("start_unit"))
    )  # fmt: skip
    comparable = pl.col("unit").eq_missing(pl.col("start_unit")) & (pl.col("start") > 0)
    return (
        values.filter("post_baseline")
        .join(baseline, on=["usubjid", "lbtestcd"], how="left")
        .select(
            "usubjid", "lbtestcd", "on",
            pl.when(pl.col("lbstnrhi") > 0).then(pl.col("lbstresn") / pl.col("lbstnrhi")).alias("of_uln"),
            pl.when(comparable).then(pl.col("lbstresn") / pl.col("start")).alias("of_baseline"),
        )
    )  # fmt: skip


def _peaks(values: pl.DataFrame, column: str) -> pl.DataFrame:
    peak = [pl.col(column).filter(pl.col("lbtestcd") == test).max().alias(test) for test in LIVER]
    return (
        values.drop_nulls(column).group_by(pl.col("usubjid").alias("USUBJID")).agg(peak)
        .with_columns(pl.max_horizontal("ALT", "AST").alias("TA"))
        .sort("USUBJID").select(list(PEAKS))
    )  # fmt: skip
