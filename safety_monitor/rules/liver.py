"""Which liver results need a doctor's judgement: Hy's law, ALBI, Child-Pugh, hepatitis B.

A screen, not a diagnosis: other causes (ablation, progression, portal thrombosis, hepatitis B) are for people to
exclude. Limits and windows, each with its source and whether it was read or recalled, are in ``liver.toml``.

*values* is one row per measurement: usubjid, test (LBTESTCD), on (date), x (LBSTRESN), unit, lln, uln,
is_baseline. *people* is one row per subject: usubjid, first_treatment_on, last_treatment_on, death_on,
ablations (list of dates). Rows without a value or a date cannot be placed and are left out.

>>> from datetime import date
>>> day = date(2026, 1, 5)
>>> labs = pl.DataFrame({"usubjid": "01", "test": ["BILI", "ALB"], "on": day, "x": [1.0, 4.0], "unit": ["mg/dL", "g/dL"]})
>>> albi(labs).select(pl.col("albi").round(2), "grade").row(0)
(-2.59, 2)
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from ctcae_v403.units import UnknownUnit, analyte, factor

_DATA: dict[str, Any] = tomllib.loads(files("safety_monitor.rules").joinpath("liver.toml").read_text("utf-8"))
_UNITS: dict[str, str] = _DATA["units"]
_AMINOTRANSFERASES = ("ALT", "AST")
HBV_TESTS: tuple[str, ...] = tuple(_DATA["hbv"]["tests"])
# One code per analyte, whichever of its usual codes a laboratory sends.
_CODES = {alias: code for code in _UNITS for alias in analyte(code).codes}
_VALUES = {"x": pl.Float64, "uln": pl.Float64, "unit": pl.String, "on": pl.Date}

BASELINES = {"usubjid": pl.String, "test": pl.String, "n": pl.Int64, "x_uln": pl.Float64, "x": pl.Float64,
             "unit": pl.String, "abnormal": pl.Boolean}  # fmt: skip
HYS_LAW = {
    "usubjid": pl.String, "definition": pl.String, "ta_test": pl.String, "ta_on": pl.Date, "ta_x_uln": pl.Float64,
    "ta_x_baseline": pl.Float64, "bili_on": pl.Date, "bili_x_uln": pl.Float64, "bili_x_baseline": pl.Float64,
    "days_between": pl.Int64, "alp_x_uln": pl.Float64, "alp_ok": pl.Boolean, "r_ratio": pl.Float64, "pattern": pl.String,
    "days_since_first_treatment": pl.Int64, "days_since_ablation": pl.Int64, "candidate": pl.Boolean, "needs": pl.String,
}  # fmt: skip
ALBI = {"usubjid": pl.String, "on": pl.Date, "albi": pl.Float64, "grade": pl.Int64, "reason": pl.String}
CHILD_PUGH = {"usubjid": pl.String, "on": pl.Date, "points_low": pl.Int64, "points_high": pl.Int64, "class_low": pl.String,
              "class_high": pl.String, "unknown": pl.String}  # fmt: skip
HBV_FLARE = {"usubjid": pl.String, "on": pl.Date, "kind": pl.String, "hbv_dna": pl.Float64, "reference": pl.Float64,
             "alt_on": pl.Date, "alt_x_uln": pl.Float64, "alt_x_baseline": pl.Float64, "why": pl.String}  # fmt: skip


def baselines(values: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Per subject and test what was measured until the day of first treatment; columns ``BASELINES``.

    ``x_uln`` and ``x`` (in ``unit``) are means of the ``n`` values, or the single one [V: Treem 2021, mean of two or
    more]. ``x`` is null where their units are unknown or cannot be converted to one; ``x_uln`` where no value has a
    limit, and then ``abnormal`` is null as well. Without a date of first treatment the flagged values count.
    """
    return _baselines(_placed(values, people))


def hys_law(values: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Subjects beyond an aminotransferase limit after first treatment, per definition; columns ``HYS_LAW``.

    "usual" [V: FDA 2009]: ALT or AST > 3 x ULN, total bilirubin >= 2 x ULN within the window after it (same day
    included, not before), ALP < 2 x ULN. "abnormal_baseline", in addition, for subjects who start above ULN: every
    test that starts so is judged by a multiple of its baseline or an absolute threshold, whichever is first
    [V: Treem 2021, the principle; K: the figures]; one that starts beyond the threshold by the multiple alone.

    ``candidate``: nothing known speaks against it; ``needs`` says what is not known and is empty where all is.
    The row is the earliest candidate, those whose aminotransferase and bilirubin are both known before others; for
    subjects who are none, the highest aminotransferase. ``r_ratio`` is taken at the highest ALT in the window.
    """
    placed = _placed(values, people)
    own = _baselines(placed).select(
        "usubjid", "test", base_uln="x_uln", base_amount="x", base_unit="unit", base_abnormal="abnormal"
    )
    after = placed.filter(~pl.col("before")).join(own, on=["usubjid", "test"], how="left")
    same_unit = pl.col("base_unit") == pl.col("amount_unit")
    ratio = pl.when(same_unit & (pl.col("base_amount") > 0)).then(pl.col("amount") / pl.col("base_amount"))
    after = after.with_columns(ratio.alias("of_baseline"))
    listed = pl.col("test").is_in(_DATA["baseline"]["makes_abnormal"]) & pl.col("base_abnormal")
    starts_abnormal = own.filter(listed).select("usubjid").unique()
    abnormal = after.join(starts_abnormal, on="usubjid", how="semi")
    found = pl.concat(
        [
            _screen(after.with_columns(pl.lit(False).alias("by_baseline")), "usual"),
            _screen(abnormal.with_columns(pl.col("base_abnormal").fill_null(False).alias("by_baseline")), "abnormal_baseline"),
        ]
    )
    found = found.join(_since_ablation(found, people), on=["usubjid", "ta_on"], how="left")
    return found.sort("usubjid", "definition", descending=[False, True]).select(_typed(HYS_LAW))


def albi(values: pl.DataFrame) -> pl.DataFrame:
    """ALBI [K: Johnson 2015] on every day with bilirubin and albumin; columns ``ALBI``.

    0.66 x log10(bilirubin in umol/L) - 0.085 x albumin in g/L, grades by the unrounded score. Of several results of a
    day the worst counts. ``reason`` says why there is no score (a unit that is unknown, a bilirubin of 0).
    """
    rule = _DATA["albi"]
    days = _measured(values, {test: _UNITS[test] for test in ("BILI", "ALB")})
    bilirubin, albumin = pl.col("test") == "BILI", pl.col("test") == "ALB"
    days = (
        days.group_by("usubjid", "on")
        .agg(
            pl.col("test").n_unique().alias("n_tests"),
            pl.col("amount").filter(bilirubin).max().alias("bilirubin"),
            pl.col("amount").filter(albumin).min().alias("albumin"),
            *(
                pl.when(pl.col("amount").filter(test).count() == 0).then(pl.col("unit_problem").filter(test).first()).alias(name)
                for name, test in (("no_bilirubin", bilirubin), ("no_albumin", albumin))
            ),
        )
        .filter(pl.col("n_tests") == 2)
    )
    at_most_zero = pl.when(pl.col("bilirubin") <= 0).then(pl.lit("Total bilirubin is not above 0; its logarithm does not exist."))
    reason = pl.concat_str(at_most_zero, "no_bilirubin", "no_albumin", separator=" ", ignore_nulls=True)
    score = rule["log10_bilirubin"] * pl.col("bilirubin").log10() + rule["albumin"] * pl.col("albumin")
    grade = pl.when(pl.col("albi") <= rule["grade_1_to"]).then(1).when(pl.col("albi") <= rule["grade_2_to"]).then(2).otherwise(3)
    return (
        days.with_columns(pl.when(reason == "").then(score).alias("albi"), pl.when(reason != "").then(reason).alias("reason"))
        .with_columns(pl.when(pl.col("albi").is_not_null()).then(grade).alias("grade"))
        .sort("usubjid", "on")
        .select(_typed(ALBI))
    )


def child_pugh(values: pl.DataFrame, findings: pl.DataFrame) -> pl.DataFrame:
    """Child-Pugh [K: Pugh 1973] on every day with bilirubin, albumin or INR; columns ``CHILD_PUGH``.

    *findings*: usubjid, on, finding (ascites, encephalopathy), level (none, mild, severe). Each component is the one
    nearest to the day within its window, of two equally near the earlier, of several on a day the worst; findings
    only from before. What is not known, ``unknown`` names and the range of points and classes leaves open.
    """
    rule = _DATA["child_pugh"]
    labs, windows = rule["labs"], rule["windows"]
    measured = _measured(values, {test: body["unit"] for test, body in labs.items()})
    # Twelve digits: 28 g/L is 2.8 g/dL, not a little more.
    amount = pl.col("amount").round_sig_figs(12)
    points = pl.lit(None, dtype=pl.Int64)
    for test, body in labs.items():
        low, high = body["limits"]
        ends = (3, 1) if body.get("falls") else (1, 3)
        in_bands = pl.when(amount < low).then(ends[0]).when(amount <= high).then(2).when(amount > high).then(ends[1])
        points = pl.when(pl.col("test") == test).then(in_bands).otherwise(points)
    names = {test: body["name"] for test, body in labs.items()}
    finding, level = (pl.col(name).str.strip_chars().str.to_lowercase() for name in ("finding", "level"))
    level = level.replace_strict(rule["levels"], default=None, return_dtype=pl.Int64)
    components = pl.concat(
        [
            measured.select(
                "usubjid", "on", pl.col("test").replace_strict(names).alias("component"), points.cast(pl.Int64).alias("points"),
                pl.lit(-windows["labs_within_days"]).alias("from"), pl.lit(windows["labs_within_days"]).alias("to"),
            ),
            findings.select(
                "usubjid", "on", finding.alias("component"), level.alias("points"),
                pl.lit(-windows["findings_within_days"]).alias("from"), pl.lit(0).alias("to"),
            ).filter(pl.col("component").is_in(rule["findings"])),
        ]
    ).filter(pl.col("points").is_not_null(), pl.col("on").is_not_null())  # fmt: skip
    days = measured.select("usubjid", "on").unique()
    nearest = (
        _pairs(days, components)
        .filter(pl.col("days").is_between(pl.col("from"), pl.col("to")))
        .sort(pl.col("days").abs(), "days", pl.col("points"), descending=[False, False, True])
        .group_by("usubjid", "on", "component", maintain_order=True)
        .first()
    )
    order = [*names.values(), *rule["findings"]]
    scored = nearest.group_by("usubjid", "on").agg(pl.col("points").sum(), pl.col("component"))
    best, worst = (pick(rule["levels"].values()) for pick in (min, max))
    n_unknown = pl.lit(len(order)) - pl.col("component").list.len().fill_null(0)
    missing = [pl.when(~pl.col("component").list.contains(name).fill_null(False)).then(pl.lit(name)) for name in order]
    total = pl.col("points").fill_null(0)
    low_high = {"points_low": total + best * n_unknown, "points_high": total + worst * n_unknown}
    return (
        days.join(scored, on=["usubjid", "on"], how="left")
        .with_columns(**low_high, unknown=pl.concat_str(missing, separator=", ", ignore_nulls=True))
        .with_columns(class_low=_class(pl.col("points_low")), class_high=_class(pl.col("points_high")))
        .sort("usubjid", "on")
        .select(_typed(CHILD_PUGH))
    )


def reported_findings(values: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """What reported events tell of ascites and encephalopathy on the days of *values*, as ``child_pugh`` takes it [house].

    *events*: usubjid, term (CTCAE), grade, start, end (dates; a null end goes on). An event without grade or start, or none
    at all, tells nothing: that nobody reported it does not mean that it was looked for.
    """
    rule = _DATA["child_pugh"]["reported"]
    told = pl.DataFrame(
        [(term, grade, row["finding"], level) for term, row in rule.items() for grade, level in enumerate(row["levels"], 1)],
        schema={"term": pl.String, "grade": pl.Int64, "finding": pl.String, "level": pl.String}, orient="row",
    )  # fmt: skip
    lasting = events.join(told, on=["term", "grade"]).drop_nulls("start")
    days = values.select("usubjid", "on").drop_nulls().unique()
    during = pl.col("on").is_between("start", pl.coalesce("end", pl.lit(date.max)))
    found = days.join(lasting, on="usubjid").filter(during)
    return found.select("usubjid", "on", "finding", "level").sort("usubjid", "on", "finding", "level")


def hbv_flare(values: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Rises of HBV DNA after first treatment, one row when each begins and per further step; columns ``HBV_FLARE``.

    A rise is tenfold above the lowest earlier value, or newly detectable [V: AGA 2015; AASLD and APASL ask for
    hundredfold]; with no earlier value, the absolute level of AASLD 2018. "hepatitis_flare": with ALT >= 3 x baseline
    and > 100 U/L in the window [K: AASLD 2018], its first such ALT; else "hbv_dna_rise" with the highest ALT there is.
    ``hbv_dna`` and ``reference`` are in IU/mL, or in the unit they were reported in. "Not detected" must come as
    x = 0: a missing x is unknown.
    """
    rule = _DATA["hbv"]
    unit = pl.col("unit").str.strip_chars().str.to_lowercase()
    is_log, is_plain = (unit.is_in([each.lower() for each in rule[key]]).fill_null(False) for key in ("log_units", "units"))
    dna = _before_treatment(_known(values), people).filter(pl.col("test").is_in(rule["tests"]))
    dna = dna.with_columns(
        pl.when(is_log & (pl.col("x") > 0)).then(10 ** pl.col("x")).otherwise("x").alias("x"),
        pl.when(is_log | is_plain).then(pl.lit("IU/mL")).otherwise("unit").alias("unit"),
    )
    key = ["usubjid", "unit"]
    days = dna.group_by(*key, "on", "before").agg(hbv_dna=pl.col("x").max(), low=pl.col("x").min()).sort(*key, "on")
    days = days.with_columns(pl.col("low").cum_min().shift(1).over(key).alias("reference"))
    in_iu = (pl.col("unit") == "IU/mL").fill_null(False)
    floor = pl.when(in_iu).then(float(rule["detectable_from"])).otherwise(0.0)
    seen, seen_before = [
        pl.when(in_iu).then(pl.col(name) >= floor).otherwise(pl.col(name) > floor) for name in ("hbv_dna", "reference")
    ]
    alone = in_iu & pl.col("reference").is_null() & (pl.col("hbv_dna") >= rule["without_reference_from"])
    # 1: the logarithm starts somewhere where nothing was detected in a unit without a limit of detection
    n_steps = (pl.col("hbv_dna") / pl.max_horizontal("reference", floor, 1.0)).log10() / rule["rise_log10"]
    n_steps = n_steps.round_sig_figs(12).floor()
    # nothing compares with a value in an unknown unit
    comparable = pl.col("unit").is_not_null() & pl.col("reference").is_not_null()
    risen = comparable & seen & (~seen_before | (n_steps >= 1))
    level = pl.when(pl.col("before")).then(0.0).when(alone).then(1.0).when(risen).then(n_steps + 1).otherwise(0.0)
    days = days.with_columns(level.alias("level"), (~seen_before).alias("new"))
    # a rise begins once, and again with every further step: 25 IU/mL is not the news that 1,000,000 is
    begins = days.filter(pl.col("level") > pl.col("level").shift(1, fill_value=0.0).over(key))

    windows, flare = rule["windows"], rule["flare"]
    placed = _placed(values, people)
    own = _baselines(placed).filter(pl.col("test") == "ALT").select("usubjid", base="x")
    alt = placed.filter(pl.col("test") == "ALT", ~pl.col("before")).join(own, on="usubjid", how="left")
    of_baseline = pl.when(pl.col("base") > 0).then(pl.col("amount") / pl.col("base"))
    alt = alt.select("usubjid", "on", "amount", alt_x_uln="of_uln", alt_x_baseline=of_baseline)
    meets = (pl.col("alt_x_baseline") >= flare["alt_at_least_baseline"]) & (pl.col("amount") > flare["alt_above"])
    nearby = (
        _pairs(begins.select("usubjid", "on").unique(), alt)
        .filter(pl.col("days").is_between(-windows["alt_days_before"], windows["alt_days_after"]))
        .with_columns(meets.fill_null(False).alias("meets"))
        .sort(~pl.col("meets"), pl.when("meets").then("days"), -pl.col("amount"), -pl.col("alt_x_uln"), "days", nulls_last=True)
        .group_by("usubjid", "on", maintain_order=True)
        .first()
        .rename({"other_on": "alt_on"})
    )
    found = begins.join(nearby, on=["usubjid", "on"], how="left").with_columns(
        pl.when(pl.col("meets").fill_null(False)).then(pl.lit("hepatitis_flare")).otherwise(pl.lit("hbv_dna_rise")).alias("kind")
    )
    why = pl.Series("why", [_why(row) for row in found.iter_rows(named=True)], dtype=pl.String)
    return found.with_columns(why).sort("usubjid", "on").select(_typed(HBV_FLARE))


def _known(values: pl.DataFrame) -> pl.DataFrame:
    """Values that can be placed, with one code per analyte."""
    # a column without a single value has no type of its own
    values = values.cast({name: kind for name, kind in _VALUES.items() if name in values.columns})
    code = pl.col("test").str.strip_chars().str.to_uppercase().replace(_CODES)
    return values.filter(pl.col("x").is_not_null(), pl.col("x").is_not_nan(), pl.col("on").is_not_null()).with_columns(code)


def _measured(values: pl.DataFrame, units: Mapping[str, str]) -> pl.DataFrame:
    """The values of the tests that *units* names, in these units."""
    return _in_units(_known(values).filter(pl.col("test").is_in(list(units))), units)


@cache
def _factor(test: str, unit: str | None, target: str | None) -> tuple[float | None, str | None, str | None]:
    """What turns *unit* into *target*, the unit that results, and why there is none."""
    if target is None:
        return (1.0, unit, None) if unit and unit.strip() else (None, None, f"{test}: no unit is stated.")
    try:
        return float(factor(analyte(test), unit or "", target)), target, None
    except UnknownUnit as problem:
        return None, None, str(problem)


def _in_units(values: pl.DataFrame, targets: Mapping[str, str]) -> pl.DataFrame:
    """With ``amount`` in ``amount_unit``, null where the unit cannot be read: then ``unit_problem`` says why."""
    spellings = values.select("test", "unit").unique()
    read = [_factor(test, unit, targets.get(test)) for test, unit in spellings.iter_rows()]
    schema = {"times": pl.Float64, "amount_unit": pl.String, "unit_problem": pl.String}
    spellings = pl.concat([spellings, pl.DataFrame(read, schema=schema, orient="row")], how="horizontal")
    joined = values.join(spellings, on=["test", "unit"], how="left", nulls_equal=True)
    return joined.with_columns((pl.col("x") * pl.col("times")).alias("amount")).drop("times")


def _before_treatment(values: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """With ``before``: measured until the day of first treatment, or of the flagged baseline where that is not known."""
    flagged = values.filter(pl.col("is_baseline").fill_null(False)).group_by("usubjid").agg(flagged_on=pl.col("on").max())
    dates = people.select("usubjid", pl.col("first_treatment_on", "death_on").cast(pl.Date))
    joined = values.join(dates, on="usubjid", how="left").join(flagged, on="usubjid", how="left")
    before = pl.col("on") <= pl.coalesce("first_treatment_on", "flagged_on")
    return joined.with_columns(before.fill_null(False).alias("before"))


def _placed(values: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """Values with ``before``, ``amount`` in ``amount_unit``, and ``of_uln``, null without a limit."""
    of_uln = pl.when(pl.col("uln") > 0).then(pl.col("x") / pl.col("uln"))
    return _in_units(_before_treatment(_known(values), people), _UNITS).with_columns(of_uln.alias("of_uln"))


def _baselines(placed: pl.DataFrame) -> pl.DataFrame:
    one_unit = (pl.col("amount_unit").n_unique() == 1) & (pl.col("amount_unit").null_count() == 0)
    return (
        placed.filter("before")
        .group_by("usubjid", "test")
        .agg(
            pl.len().alias("n"),
            pl.col("of_uln").mean().alias("x_uln"),
            pl.when(one_unit).then(pl.col("amount").mean()).alias("x"),
            pl.when(one_unit).then(pl.col("amount_unit").first()).alias("unit"),
        )
        .with_columns((pl.col("x_uln") > _DATA["baseline"]["abnormal_above_uln"]).alias("abnormal"))
        .sort("usubjid", "test")
        .select(_typed(BASELINES))
    )


def _pairs(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Every row with every other of the subject: ``other_on`` and the ``days`` from ``on`` to it."""
    paired = rows.join(others.rename({"on": "other_on"}), on="usubjid")
    return paired.with_columns((pl.col("other_on") - pl.col("on")).dt.total_days().alias("days"))


def _screen(after: pl.DataFrame, definition: str) -> pl.DataFrame:
    """The row of each subject by one definition; ``by_baseline`` says which tests are judged by their baseline."""
    rule, own, windows = (_DATA["hys_law"][name] for name in ("usual", "abnormal_baseline", "windows"))
    of_uln, of_baseline, by_baseline = pl.col("of_uln"), pl.col("of_baseline"), pl.col("by_baseline")
    at = own["aminotransferase_at_least"]
    reaches = (pl.col("amount") >= at) & (pl.col("base_amount") < at)
    ta_beyond = (
        pl.when(by_baseline)
        .then((of_baseline >= own["aminotransferase_at_least_baseline"]) | reaches)
        .otherwise(of_uln > rule["aminotransferase_above_uln"])
    )
    at = own["bilirubin_at_least_uln"]
    reaches = (of_uln >= at) & (pl.col("base_uln") < at)
    bili_beyond = (
        pl.when(by_baseline)
        .then((of_baseline >= own["bilirubin_at_least_baseline"]) | reaches)
        .otherwise(of_uln >= rule["bilirubin_at_least_uln"])
    )
    low = pl.when(by_baseline).then(of_baseline < own["alp_below_baseline"]).otherwise(of_uln < rule["alp_below_uln"])
    ta = (
        after.filter(pl.col("test").is_in(_AMINOTRANSFERASES))
        .with_columns(ta_beyond.alias("ta_beyond"))
        .filter(pl.col("ta_beyond").fill_null(True))
        .select("usubjid", "on", "test", "of_uln", "of_baseline", "ta_beyond", "first_treatment_on", "death_on")
        .with_row_index("row")
    )
    bili = (
        after.filter(pl.col("test") == "BILI")
        .select("usubjid", "on", bili_x_uln="of_uln", bili_x_baseline="of_baseline", bili_beyond=bili_beyond)
    )  # fmt: skip
    alp = after.filter(pl.col("test") == "ALP").select("usubjid", "on", alp_x_uln="of_uln", alp_ok=low)
    days = ta.select("row", "usubjid", "on")
    # the first bilirubin beyond its limit, else one whose limit is unknown, else the highest
    first_bili = (
        _pairs(days, bili)
        .filter(pl.col("days").is_between(0, windows["bilirubin_within_days"]))
        .sort(
            pl.col("bili_beyond").cast(pl.Int8).replace_strict({1: 0, 0: 2}, default=1),
            pl.when("bili_beyond").then("days"), -pl.col("bili_x_uln"), "days", nulls_last=True,
        )
        .unique("row", keep="first", maintain_order=True)
        .select("row", "bili_x_uln", "bili_x_baseline", "bili_beyond", bili_on="other_on", days_between="days")
    )  # fmt: skip
    near_alp = _nearest(days, alp.filter(pl.col("alp_ok").is_not_null()), pl.col("alp_x_uln"))
    judged = ta.join(first_bili, on="row", how="left").join(near_alp.select("row", "alp_x_uln", "alp_ok"), on="row", how="left")
    known_beyond = pl.col("ta_beyond") & pl.col("bili_beyond")
    candidate = (known_beyond & pl.col("alp_ok")).fill_null(True)
    last_on = pl.max_horizontal("on", "bili_on")
    missing = {
        "aminotransferase limit": pl.col("ta_beyond").is_null(),
        "bilirubin": pl.col("bili_on").is_null(),
        "bilirubin limit": pl.col("bili_on").is_not_null() & pl.col("bili_beyond").is_null(),
        "alp": pl.col("alp_ok").is_null(),
        "first treatment": pl.col("first_treatment_on").is_null(),
        "dates (measured after death)": (last_on > pl.col("death_on")).fill_null(False),
    }
    needs = [pl.when(absent).then(pl.lit(what)) for what, absent in missing.items()]
    chosen = (
        judged.with_columns(candidate.alias("candidate"), pl.concat_str(needs, separator=", ", ignore_nulls=True).alias("needs"))
        .filter(pl.col("ta_beyond").fill_null(False) | pl.col("candidate"))
        .sort(
            ~pl.col("candidate"), (pl.col("candidate") & known_beyond.is_null()),
            pl.when("candidate").then("on"), -pl.col("of_uln"), "on", "test", nulls_last=True,
        )
        .unique("usubjid", keep="first", maintain_order=True)
    )  # fmt: skip
    return chosen.join(_r_ratios(chosen, after), on="usubjid", how="left").with_columns(
        pl.lit(definition).alias("definition"),
        (pl.col("on") - pl.col("first_treatment_on")).dt.total_days().alias("days_since_first_treatment"),
    ).rename({"on": "ta_on", "test": "ta_test", "of_uln": "ta_x_uln", "of_baseline": "ta_x_baseline"})  # fmt: skip


def _nearest(days: pl.DataFrame, alp: pl.DataFrame, lowest: pl.Expr) -> pl.DataFrame:
    """Per ``row`` the ALP nearest in its window; of equally near ones the lowest, which excludes least."""
    within = _DATA["hys_law"]["windows"]["alp_within_days"]
    near = _pairs(days, alp).filter(pl.col("days").abs() <= within)
    return near.sort(pl.col("days").abs(), lowest, nulls_last=True).unique("row", keep="first", maintain_order=True)


def _r_ratios(chosen: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """(ALT/ULN) / (ALP/ULN) at the highest ALT in the window of each chosen aminotransferase, with its pattern."""
    within, rule = _DATA["hys_law"]["windows"]["bilirubin_within_days"], _DATA["r_ratio"]
    known = after.filter(pl.col("of_uln") > 0)
    alt = known.filter(pl.col("test") == "ALT").select("usubjid", "on", alt="of_uln")
    peak = (
        _pairs(chosen.select("usubjid", "on"), alt)
        .filter(pl.col("days").is_between(0, within))
        .sort("alt", "days", descending=[True, False])
        .unique("usubjid", keep="first", maintain_order=True)
        .select("usubjid", "alt", on="other_on")
        .with_row_index("row")
    )
    alp = known.filter(pl.col("test") == "ALP").select("usubjid", "on", alp="of_uln")
    r = pl.col("r_ratio")
    pattern = (
        pl.when(r >= rule["hepatocellular_from"]).then(pl.lit("hepatocellular"))
        .when(r <= rule["cholestatic_to"]).then(pl.lit("cholestatic"))
        .when(r.is_not_null()).then(pl.lit("mixed"))
    )  # fmt: skip
    near = _nearest(peak, alp, pl.col("alp")).select("usubjid", r_ratio=pl.col("alt") / pl.col("alp"))
    return near.with_columns(pattern.alias("pattern"))


def _since_ablation(found: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """usubjid, ta_on, days_since_ablation: from the last ablation on or before that day."""
    ablations = people.select("usubjid", on=pl.col("ablations").cast(pl.List(pl.Date))).explode("on").drop_nulls()
    days = found.select("usubjid", on="ta_on").unique()
    earlier = _pairs(days, ablations).filter(pl.col("days") <= 0)
    return earlier.group_by("usubjid", ta_on="on").agg(days_since_ablation=-pl.col("days").max())


def _class(points: pl.Expr) -> pl.Expr:
    name = pl.lit(None, dtype=pl.String)
    for letter, least in _DATA["child_pugh"]["classes"].items():
        name = pl.when(points >= least).then(pl.lit(letter)).otherwise(name)
    return name


def _why(row: Mapping[str, Any]) -> str:
    unit, reference = row["unit"] or "(unit not stated)", row["reference"]
    dna = f"HBV DNA {row['hbv_dna']:.4g} {unit} on {row['on']}"
    if reference is None:
        what = f"{dna}, no earlier value to compare with"
    elif row["new"]:
        what = f"{dna}, not detectable before"
    else:
        what = f"{dna}, {math.log10(row['hbv_dna'] / reference):.1f} log10 above the lowest earlier value, {reference:.4g}"
    if row["alt_on"] is None:
        return f"{what}; no ALT in the window."
    if row["alt_x_baseline"] is None:
        return f"{what}; highest ALT in the window on {row['alt_on']}, its multiple of baseline is not known."
    kind = "ALT" if row["kind"] == "hepatitis_flare" else "highest ALT in the window"
    return f"{what}; {kind} {row['amount']:.4g} U/L on {row['alt_on']}, {row['alt_x_baseline']:.1f} x baseline."


def _typed(schema: Mapping[str, Any]) -> list[pl.Expr]:
    return [pl.col(name).cast(kind) for name, kind in schema.items()]
