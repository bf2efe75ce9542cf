"""Worst category after first treatment: blood pressure, QTc, thyroid, urine protein.

The categories are in ``measured.toml``, from worst to best. A value whose category cannot be known (no limit, another unit)
counts as missing, never as the best category.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from safety_monitor.reporting.tables.base import Study, Table, percent
from safety_monitor.reporting.tables.measured import MEASURED, cells, treated_labs
from safety_monitor.reporting.wording import words

WORST = {
    "measurement": pl.String, "unit": pl.String, "category": pl.String, "baseline_n": pl.Int64, "n": pl.Int64, "pct": pl.Float64,
    "worse_n": pl.Int64,
}  # fmt: skip
MISSING, NOT_COLLECTED = "missing", "not collected"
_KIND = {"usubjid": pl.String, "baseline": pl.Int64, "worst": pl.Int64}


def tables(study: Study) -> Iterator[Table]:
    yield measurement_worst(study)


def measurement_worst(study: Study) -> Table:
    """Treated subjects by category at baseline and by the worst one after first treatment."""
    name, title = "measurement_worst", words("Blood pressure, ECG, thyroid and urine protein: worst category")
    rule = words(
        "All N = {n} treated subjects by their worst category after first treatment, until the end of the "
        "treatment-emergent window; missing: no value whose category is known. Worse than baseline: of subjects whose "
        "baseline category is known. Baseline: the last value flagged as baseline.",
        n=study.n,
    )
    rows: list[tuple[Any, ...]] = []
    for measure in MEASURED["worst"]:
        found = _categories(study, measure)
        if found is None:
            rows.append((measure["name"], measure["unit"], NOT_COLLECTED, None, None, None, None))
            continue
        for place, label in [*enumerate(band["label"] for band in measure["bands"]), (None, MISSING)]:
            there = found["worst"].eq_missing(pl.Series([place], dtype=pl.Int64))
            n, worse = int(there.sum()), int((there & (found["worst"] < found["baseline"])).sum())
            start = int(found["baseline"].eq_missing(pl.Series([place], dtype=pl.Int64)).sum())
            of_value = measure.get("basis") != "change"  # at baseline nothing has changed yet
            compared = worse if of_value and place is not None else None
            rows.append((measure["name"], measure["unit"], label, start if of_value else None, n, percent(n, study.n), compared))
    frame = pl.DataFrame(rows, schema=WORST, orient="row")
    if (frame["category"] == NOT_COLLECTED).all():
        none = all(study.frame(name) is None for name in ("vs", "eg", "labs"))
        why = words("vital signs (VS), ECG (EG) and laboratory data (LB) were not imported")
        no_such = words("blood pressure, QTc, TSH and urine protein: no such results were imported")
        return Table.absent(name, title, WORST, rule, why if none else no_such)
    return Table(name, title, frame, rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each number; row: measurement and category."""
    for measure in MEASURED["worst"]:
        found = _categories(study, measure)
        if found is None:
            continue
        labels = {place: f"{measure['name']} | {band['label']}" for place, band in enumerate(measure["bands"])}
        worse = found.filter(pl.col("worst") < pl.col("baseline"))
        start = found.filter(measure.get("basis") != "change")
        for column, rows, place in (("n", found, "worst"), ("worse_n", worse, "worst"), ("baseline_n", start, "baseline")):
            label = pl.col(place).replace_strict(labels, default=f"{measure['name']} | {MISSING}", return_dtype=pl.String)
            yield cells(rows, "measurement_worst", label, column)


def _categories(study: Study, measure: Mapping[str, Any]) -> pl.DataFrame | None:
    """usubjid, baseline, worst: the place of the band (0 is the worst), null: not known; None where it was not measured."""
    values = _of_results(study, measure) if measure["domain"] == "LB" else _of_findings(study, measure)
    if values is None or values.is_empty():
        return None
    values = values.sort("usubjid", "on", "seq")
    start = values.filter("is_baseline").group_by("usubjid", maintain_order=True).agg(
        start=pl.col("x").last(), start_unit=pl.col("unit").last()
    )
    values = values.join(start, on="usubjid", how="left").with_columns(_band(measure).alias("band"))
    own = values.group_by("usubjid").agg(
        baseline=pl.col("band").filter("is_baseline").last(), worst=pl.col("band").filter("post_baseline").min()
    )
    if measure.get("basis") == "change":  # at baseline nothing has changed yet
        own = own.with_columns(baseline=pl.lit(None, pl.Int64))
    return study.treated.select("usubjid").join(own, on="usubjid", how="left").select(
        pl.col(column).cast(kind) for column, kind in _KIND.items()
    )


def _band(measure: Mapping[str, Any]) -> pl.Expr:
    """The place of the first band that a value meets."""
    known = pl.col("unit").str.to_lowercase().is_in([unit.lower() for unit in measure.get("units", [measure["unit"]])])
    value = pl.when(known).then("x")
    bases = {
        "value": value, "grade": pl.col("grade"), "uln": pl.col("x") / pl.col("uln"), "lln": pl.col("x") / pl.col("lln"),
        "change": value - pl.when(pl.col("start_unit") == pl.col("unit")).then("start"),
    }  # fmt: skip
    found = pl.lit(None, pl.Int64)
    for place, band in reversed(list(enumerate(measure["bands"]))):
        of = bases[band.get("basis", measure.get("basis", "value"))]
        meets = {">=": of >= band["at"], ">": of > band["at"], "<": of < band["at"], "<=": of <= band["at"]}[band["op"]]
        found = pl.when(meets.fill_null(False)).then(place).otherwise(found)
    return found


def _of_results(study: Study, measure: Mapping[str, Any]) -> pl.DataFrame | None:
    labs = treated_labs(study)
    if labs is None:
        return None
    wanted = pl.col("term") == measure["term"] if "term" in measure else pl.col("lbtestcd").is_in(measure["codes"])
    own = labs.filter(wanted.fill_null(False))
    return own.select(
        "usubjid", "on", "unit", "grade", "is_baseline", "post_baseline",
        seq="lbseq", x="lbstresn", lln="lbstnrlo", uln="lbstnrhi",
    )  # fmt: skip


def _of_findings(study: Study, measure: Mapping[str, Any]) -> pl.DataFrame | None:
    """VS or EG as imported (text columns), of the first of the codes that was measured, as the frame of results is."""
    domain = measure["domain"]
    frame = study.frame(domain.lower())
    needed = {f"{domain}{name}" for name in ("TESTCD", "STRESN", "DTC")} | {"USUBJID"}
    if frame is None or not needed <= set(frame.columns):
        return None
    measured = set(frame[f"{domain}TESTCD"].to_list())
    code = next((code for code in measure["codes"] if code in measured), None)
    if code is None:
        return None
    text = [f"{domain}{name}" for name in ("STRESU", "BLFL", "LOBXFL", "SEQ")]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in text if name not in frame.columns)
    people = study.treated.select("usubjid", "first_treatment_on", "last_treatment_on")
    end = pl.col("last_treatment_on") + pl.duration(days=study.settings.treatment_emergent.days_after_last)
    in_window = (pl.col("on") > pl.col("first_treatment_on")) & (end.is_null() | (pl.col("on") <= end))
    flagged = pl.any_horizontal(pl.col(f"{domain}BLFL") == "Y", pl.col(f"{domain}LOBXFL") == "Y")
    return (
        frame.filter(pl.col(f"{domain}TESTCD") == code)
        .select(
            usubjid="USUBJID", on=pl.col(f"{domain}DTC").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
            unit=pl.col(f"{domain}STRESU"), x=pl.col(f"{domain}STRESN").cast(pl.Float64, strict=False),
            seq=pl.col(f"{domain}SEQ").cast(pl.Float64, strict=False), is_baseline=flagged.fill_null(False),
        )
        .join(people, on="usubjid")
        .with_columns(
            post_baseline=in_window.fill_null(False), grade=pl.lit(None, pl.Int64),
            lln=pl.lit(None, pl.Float64), uln=pl.lit(None, pl.Float64),
        )
    )  # fmt: skip
