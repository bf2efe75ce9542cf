"""What was measured of each subject before treatment: the last flagged baseline value, else the last until first treatment.

Values of one test may come in several units; they are brought to one, and a value whose unit cannot be read is missing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import polars as pl

from ctcae_v403.units import UnknownUnit, analyte, factor
from safety_monitor.reporting.tables.base import Study

BASELINE: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("baseline.toml").read_text("utf-8"))


def baseline_weights(study: Study) -> dict[str, float]:
    """Body weight in kg by subject, where it is known."""
    rule = next(rule for rule in BASELINE["number"] if rule["codes"] == ["WEIGHT"])
    found = baseline_values(study, rule)
    return {} if found is None else dict(found.drop_nulls().iter_rows())


def baseline_values(study: Study, rule: Mapping[str, Any]) -> pl.DataFrame | None:
    """usubjid, value of the treated subjects by *rule* (``baseline.toml``, ``number``); None where nobody was measured."""
    measured = _measured(study, rule["domain"])
    if measured is None:
        return None
    own = measured.filter(pl.col("test").is_in(rule["codes"]), pl.col("x").is_not_null(), pl.col("on").is_not_null())
    if own.is_empty():
        return None
    last = own.join(study.treated.select("usubjid", "first_treatment_on"), on="usubjid").filter(
        pl.col("is_baseline") | (pl.col("on") <= pl.col("first_treatment_on"))
    )
    chosen = last.sort("usubjid", "is_baseline", "on", maintain_order=True).group_by("usubjid", maintain_order=True).last()
    if rule.get("of_uln"):
        value: pl.Expr = pl.when(pl.col("uln") > 0).then(pl.col("x") / pl.col("uln"))
    else:
        times = {unit: _times(rule, test, unit) for test, unit in chosen.select("test", "unit").unique().iter_rows()}
        by_unit = pl.DataFrame(
            {"unit": list(times), "times": list(times.values())}, schema={"unit": pl.String, "times": pl.Float64}
        )
        chosen = chosen.join(by_unit, on="unit", how="left", nulls_equal=True, maintain_order="left")
        value = pl.col("x") * pl.col("times")
    return chosen.select("usubjid", value.alias("value"))


def _times(rule: Mapping[str, Any], test: str, unit: str | None) -> float | None:
    """What turns *unit* into that of the rule; None where it cannot be read."""
    if "units" in rule:
        found = rule["units"].get((unit or "").strip())
        return None if found is None else float(found)
    try:
        return float(factor(analyte(test), unit or "", rule["unit"]))
    except UnknownUnit:
        return None


def _measured(study: Study, domain: str) -> pl.DataFrame | None:
    """usubjid, test, on, x, unit, uln, is_baseline of the values of *domain* (labs or vs)."""
    frame = study.frame(domain)
    if frame is None:
        return None
    if domain == "labs":
        return frame.unique(["usubjid", "lbtestcd", "on", "lbseq"], keep="first", maintain_order=True).select(
            "usubjid", pl.col("lbtestcd").str.to_uppercase().alias("test"), "on", pl.col("lbstresn").alias("x"), "unit",
            pl.col("lbstnrhi").alias("uln"), pl.col("is_baseline").fill_null(False),
        )  # fmt: skip
    code = domain.upper()

    def column(name: str) -> pl.Expr:
        return pl.col(f"{code}{name}") if f"{code}{name}" in frame.columns else pl.lit(None, pl.String)

    flagged = (column("BLFL") == "Y").fill_null(False) | (column("LOBXFL") == "Y").fill_null(False)
    return frame.select(
        pl.col("USUBJID").alias("usubjid"), column("TESTCD").str.to_uppercase().alias("test"),
        column("DTC").str.head(10).str.to_date(strict=False).alias("on"),
        column("STRESN").cast(pl.Float64, strict=False).alias("x"), column("STRESU").alias("unit"),
        pl.lit(None, pl.Float64).alias("uln"), flagged.alias("is_baseline"),
    )  # fmt: skip
