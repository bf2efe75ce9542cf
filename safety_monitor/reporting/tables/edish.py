"""The liver's peaks after first treatment: eDISH in multiples of ULN and of baseline, and who meets the numbers of Hy's law.

The baseline is never part of a peak. Ablated liver raises aminotransferases, so that each peak says how many days after the
last session it was, and the quadrants are counted with and without the results of those days.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.tables.base import COUNTING, Study, Table, percent
from safety_monitor.reporting.tables.liver import baselines
from safety_monitor.reporting.tables.measured import (
    MEASURED,
    NO_LABS,
    cells,
    days_since_ablation,
    in_unit,
    measurements,
    near_ablation,
    once,
)
from safety_monitor.reporting.wording import words

LIVER = ("ALT", "AST", "BILI", "ALP")
PEAKS = {
    "USUBJID": pl.String, "ALT": pl.Float64, "AST": pl.Float64, "TA": pl.Float64, "BILI": pl.Float64, "ALP": pl.Float64,
    "TA_on": pl.Date, "BILI_on": pl.Date, "days_since_ablation": pl.Int64, "near_ablation": pl.Boolean,
}  # fmt: skip
MULTIPLES = {**PEAKS, "starts_abnormal": pl.Boolean}
QUADRANTS = {
    "multiple_of": pl.String, "results": pl.String, "quadrant": pl.String, "n": pl.Int64, "N": pl.Int64, "pct": pl.Float64,
}  # fmt: skip
HYS_LAW = {
    "USUBJID": pl.String, "ALT": pl.Float64, "AST": pl.Float64, "TA": pl.Float64, "BILI": pl.Float64, "ALP": pl.Float64,
    "quadrant": pl.String, "peak_candidate": pl.Boolean, "peak_candidate_strict_gt": pl.Boolean, "same_day": pl.Boolean,
    "bili_0_30d_after_TA": pl.Boolean, "peak_and_ALP_lt2": pl.Boolean, "r_ratio": pl.Float64, "first_TA_on": pl.Date,
    "first_BILI_on": pl.Date, "study_day": pl.Int64, "days_since_ablation": pl.Int64, "near_ablation": pl.Boolean,
    "starts_abnormal": pl.Boolean, "TA_x_baseline": pl.Float64, "BILI_x_baseline": pl.Float64,
}  # fmt: skip
HYS, TEMPLE, CHOLESTASIS, NORMAL = "hys_law", "temple", "cholestasis", "normal"
NOT_MEASURED, STARTS_NORMAL = "not_measured", "starts_normal"
ALL, AWAY = "all", "away_from_ablation"
_LIMITS = COUNTING["hys_law"]
_OF_BASELINE = MEASURED["multiples_of_baseline"]
ULN_LIMITS = (_LIMITS["aminotransferase"], _LIMITS["bilirubin"])
BASELINE_LIMITS = (_OF_BASELINE["aminotransferase"], _OF_BASELINE["bilirubin"])


def tables(study: Study) -> Iterator[Table]:
    yield edish_peaks(study)
    yield edish_baseline_multiples(study)
    yield edish_quadrants(study)
    yield hys_law(study)


def edish_peaks(study: Study) -> Table:
    """Highest values after first treatment, in multiples of the upper limit of normal."""
    name, title = "edish_peaks", words("Liver peaks in multiples of the upper limit of normal")
    rule = words("Treated subjects; highest value after first treatment, each over its own ULN.")
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, PEAKS, rule, NO_LABS)
    return Table(name, title, _peaks(values, "of_uln").select(list(PEAKS)), rule)


def edish_baseline_multiples(study: Study) -> Table:
    """The same in multiples of the subject's own baseline, with who starts abnormal."""
    name, title = "edish_baseline_multiples", words("Liver peaks in multiples of baseline")
    rule = words(
        "Treated subjects; highest value after first treatment over the mean of the subject's values until first treatment, "
        "in the same unit. The baseline is not part of the peak. Starts abnormal: ALT, AST, bilirubin or ALP above ULN at "
        "baseline."
    )
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, MULTIPLES, rule, NO_LABS)
    frame = _peaks(values, "of_baseline").join(_starts_abnormal(study), left_on="USUBJID", right_on="usubjid", how="left")
    return Table(name, title, frame.sort("USUBJID").select(list(MULTIPLES)), rule)


def edish_quadrants(study: Study) -> Table:
    """Subjects by quadrant: of both plots, of all results and of those away from ablation."""
    name, title = "edish_quadrants", words("Quadrants of the liver plots")
    days = MEASURED["ablation"]["days_after"]
    rule = words(
        "All N = {n} treated subjects by peak aminotransferase and peak bilirubin after first treatment. Of ULN: limits "
        "{ta} and {bili}. Of baseline: limits {base_ta} and {base_bili}, subjects who start abnormal. Away from ablation: "
        "without the results of day 0 to {days} after a session.",
        n=study.n, ta=ULN_LIMITS[0], bili=ULN_LIMITS[1], base_ta=BASELINE_LIMITS[0], base_bili=BASELINE_LIMITS[1], days=days,
    )  # fmt: skip
    found = _by_quadrant(study)
    if found is None:
        return Table.absent(name, title, QUADRANTS, rule, NO_LABS)
    counted = {row[:3]: row[3] for row in found.group_by("multiple_of", "results", "quadrant").len().iter_rows()}
    rows = [
        (multiple, results, place, n := counted.get((multiple, results, place), 0), study.n, percent(n, study.n))
        for multiple in ("ULN", "baseline")
        for results in (ALL, AWAY)
        for place in (HYS, TEMPLE, CHOLESTASIS, NORMAL, NOT_MEASURED, *((STARTS_NORMAL,) if multiple == "baseline" else ()))
    ]
    return Table(name, title, pl.DataFrame(rows, schema=QUADRANTS, orient="row"), rule)


def hys_law(study: Study) -> Table:
    """Subjects beyond the aminotransferase or the bilirubin limit, candidates first."""
    name, title = "hys_law", words("Screening for Hy's law")
    (ta_at, bili_at), alp_below, days = ULN_LIMITS, _LIMITS["alp_below"], _LIMITS["bilirubin_within_days"]
    rule = words(
        "Candidate: peak ALT or AST ≥ {ta} × ULN and peak bilirubin ≥ {bili} × ULN at any time after first treatment; also: "
        "both strictly above, on the same day, bilirubin within 0 to {days} days after, and with peak ALP < {alp} × ULN. R "
        "ratio: peak ALT over peak ALP, both × ULN. Days since first treatment and since the last ablation: of the first "
        "ALT or AST at the limit.",
        ta=ta_at, bili=bili_at, days=days, alp=alp_below,
    )  # fmt: skip
    values = _liver(study)
    if values is None:
        return Table.absent(name, title, HYS_LAW, rule, NO_LABS)
    high_ta = values.filter(pl.col("lbtestcd").is_in(["ALT", "AST"]), pl.col("of_uln") >= ta_at)
    high_bili = values.filter(pl.col("lbtestcd") == "BILI", pl.col("of_uln") >= bili_at)
    pairs = high_ta.select("usubjid", "on").join(high_bili.select("usubjid", pl.col("on").alias("bili_on")), on="usubjid")
    gap = (pl.col("bili_on") - pl.col("on")).dt.total_days()
    timing = pairs.group_by("usubjid").agg(
        (gap == 0).any().alias("same_day"), gap.is_between(0, days).any().alias("bili_0_30d_after_TA")
    )
    first_ta = high_ta.group_by("usubjid").agg(pl.col("on").min().alias("first_TA_on"))
    first_ta = days_since_ablation(first_ta, study, "first_TA_on")
    first_bili = high_bili.group_by("usubjid").agg(pl.col("on").min().alias("first_BILI_on"))
    of_baseline = _peaks(values, "of_baseline").select(usubjid="USUBJID", TA_x_baseline="TA", BILI_x_baseline="BILI")
    people = study.treated.select("usubjid", "first_treatment_on")
    ta, bili, alp = pl.col("TA"), pl.col("BILI"), pl.col("ALP")
    candidate = ((ta >= ta_at) & (bili >= bili_at)).fill_null(False)
    frame = _peaks(values, "of_uln").filter((ta >= ta_at).fill_null(False) | (bili >= bili_at).fill_null(False))
    frame = frame.drop("days_since_ablation", "near_ablation")
    for more in (timing, first_ta, first_bili, of_baseline, _starts_abnormal(study), people):
        frame = frame.join(more, left_on="USUBJID", right_on="usubjid", how="left")
    frame = frame.with_columns(
        quadrant(),
        candidate.alias("peak_candidate"),
        ((ta > ta_at) & (bili > bili_at)).fill_null(False).alias("peak_candidate_strict_gt"),
        pl.col("same_day", "bili_0_30d_after_TA").fill_null(False),
        (candidate & (alp < alp_below)).alias("peak_and_ALP_lt2"),
        (pl.col("ALT") / alp).alias("r_ratio"),
        ((pl.col("first_TA_on") - pl.col("first_treatment_on")).dt.total_days() + 1).alias("study_day"),
        near_ablation().alias("near_ablation"),
    )
    frame = frame.sort("peak_candidate", "USUBJID", descending=[True, False])
    return Table(name, title, frame.select(list(HYS_LAW)), rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each number of the quadrants; row: multiple and results, column: quadrant."""
    found = _by_quadrant(study)
    if found is not None:
        yield cells(found, "edish_quadrants", pl.concat_str("multiple_of", "results", separator=" | "), pl.col("quadrant"))


def quadrant(limits: tuple[float, float] = ULN_LIMITS) -> pl.Expr:
    """Quadrant of the plot from TA and BILI; null where one of them was not measured."""
    ta, bili = pl.col("TA") >= limits[0], pl.col("BILI") >= limits[1]
    return (
        pl.when(ta & bili).then(pl.lit(HYS))
        .when(ta & ~bili).then(pl.lit(TEMPLE))
        .when(~ta & bili).then(pl.lit(CHOLESTASIS))
        .when(~ta & ~bili).then(pl.lit(NORMAL))
        .alias("quadrant")
    )  # fmt: skip


@once
def _by_quadrant(study: Study) -> pl.DataFrame | None:
    """usubjid, multiple_of, results, quadrant: every treated subject once per plot and kind of results."""
    values = _liver(study)
    if values is None:
        return None
    everyone = study.treated.select("usubjid").join(_starts_abnormal(study), on="usubjid", how="left")
    parts = []
    for results, taken in ((ALL, values), (AWAY, values.filter(~near_ablation().fill_null(False)))):
        for multiple, column, limits in (("ULN", "of_uln", ULN_LIMITS), ("baseline", "of_baseline", BASELINE_LIMITS)):
            placed = _peaks(taken, column).select("USUBJID", quadrant(limits))
            rows = everyone.join(placed, left_on="usubjid", right_on="USUBJID", how="left").with_columns(
                pl.col("quadrant").fill_null(NOT_MEASURED), multiple_of=pl.lit(multiple), results=pl.lit(results)
            )
            if multiple == "baseline":
                starts = pl.col("starts_abnormal")
                unknown = pl.when(starts.is_null()).then(pl.lit(NOT_MEASURED)).otherwise(pl.lit(STARTS_NORMAL))
                rows = rows.with_columns(pl.when(starts).then("quadrant").otherwise(unknown).alias("quadrant"))
            parts.append(rows.select("usubjid", "multiple_of", "results", "quadrant"))
    return pl.concat(parts)


@once
def _starts_abnormal(study: Study) -> pl.DataFrame:
    """usubjid, starts_abnormal: any liver test above ULN at baseline; null where none is known and not all are measured."""
    own = baselines(study).filter(pl.col("test").is_in(LIVER))
    found = own.group_by("usubjid").agg(starts_abnormal=pl.col("abnormal").any(ignore_nulls=False))
    return found.select("usubjid", "starts_abnormal")


@once
def _liver(study: Study) -> pl.DataFrame | None:
    """usubjid, lbtestcd, on, of_uln, of_baseline, days_since_ablation: one row per liver value after first treatment."""
    labs = measurements(study)
    if labs is None:
        return None
    after = labs.filter(pl.col("lbtestcd").is_in(LIVER), pl.col("lbstresn").is_not_null(), "post_baseline")
    values = pl.concat([_beside_baseline(after, baselines(study), test) for test in LIVER])
    return days_since_ablation(values, study, "on")


def _beside_baseline(after: pl.DataFrame, own: pl.DataFrame, test: str) -> pl.DataFrame:
    """The values of *test* in multiples of ULN and of the baselines *own*, which share one unit."""
    own = own.filter(pl.col("test") == test, pl.col("unit").is_not_null())
    measured = after.filter(pl.col("lbtestcd") == test)
    measured = in_unit(measured, test, own["unit"][0]) if own.height else measured.with_columns(x=pl.lit(None, pl.Float64))
    of_uln = pl.when(pl.col("lbstnrhi") > 0).then(pl.col("lbstresn") / pl.col("lbstnrhi"))
    of_baseline = pl.when(pl.col("start") > 0).then(pl.col("x") / pl.col("start"))
    beside = measured.join(own.select("usubjid", start="x"), on="usubjid", how="left")
    return beside.select("usubjid", "lbtestcd", "on", of_uln=of_uln, of_baseline=of_baseline)


def _peaks(values: pl.DataFrame, column: str) -> pl.DataFrame:
    """Per subject the highest multiple of each test, and the earliest day of the highest aminotransferase and bilirubin."""
    peak = [pl.col(column).filter(pl.col("lbtestcd") == test).max().alias(test) for test in LIVER]
    ta, bili = pl.col("lbtestcd").is_in(["ALT", "AST"]), pl.col("lbtestcd") == "BILI"
    ordered = values.drop_nulls(column).sort(pl.col(column), "on", descending=[True, False])
    return (
        ordered.group_by(pl.col("usubjid").alias("USUBJID"), maintain_order=True)
        .agg(
            *peak, pl.col("on").filter(ta).first().alias("TA_on"), pl.col("on").filter(bili).first().alias("BILI_on"),
            pl.col("days_since_ablation").filter(ta).first(),
        )
        .with_columns(pl.max_horizontal("ALT", "AST").alias("TA"), near_ablation().alias("near_ablation"))
        .sort("USUBJID")
    )  # fmt: skip
