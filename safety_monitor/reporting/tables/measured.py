"""Measurements as the tables of results share them: one row a measurement, comparable units, days since an ablation.

A record stands once per CTCAE term in the frame of laboratory results; here it is one measurement.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from functools import cache, wraps
from importlib.resources import files
from typing import Any, TypeVar

import polars as pl

from ctcae_v403.units import UnknownUnit, analyte, factor
from safety_monitor.reporting.tables.base import Study

MEASURED: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("measured.toml").read_text("utf-8"))
CELLS = {"table": pl.String, "row": pl.String, "column": pl.String, "USUBJID": pl.String, "AESEQ": pl.Int64}
T = TypeVar("T")
NO_LABS = "laboratory data (LB) were not imported"


def once(of: Callable[[Study], T]) -> Callable[[Study], T]:
    """*of* computed once per study, kept as long as the study is."""

    @wraps(of)
    def get(study: Study) -> T:
        return study.once(of)

    return get


@once
def treated_labs(study: Study) -> pl.DataFrame | None:
    """Graded results of treated subjects; None where no results were imported."""
    labs = study.frame("labs")
    return None if labs is None else labs.join(study.treated.select("usubjid"), on="usubjid", how="semi")


@once
def measurements(study: Study) -> pl.DataFrame | None:
    """The same, each measurement once."""
    labs = treated_labs(study)
    return None if labs is None else labs.unique(["usubjid", "lbtestcd", "on", "lbseq"], keep="first", maintain_order=True)


def in_unit(values: pl.DataFrame, code: str, unit: str, same: Sequence[str] = ()) -> pl.DataFrame:
    """*values* of the test *code* with ``x``, ``lln`` and ``uln`` in *unit* (*same*: other spellings of it); null where their
    own unit cannot be read as it.
    """
    equal = {spelt.lower() for spelt in (unit, *same)}
    spellings = [spelt for spelt in values["unit"].unique().to_list() if spelt is not None]
    known = {spelt: 1.0 if spelt.strip().lower() in equal else _factor(code, spelt, unit) for spelt in spellings}
    times = pl.col("unit").replace_strict(known, default=None, return_dtype=pl.Float64)
    columns = {"x": "lbstresn", "lln": "lbstnrlo", "uln": "lbstnrhi"}
    return values.with_columns((pl.col(column) * times).alias(name) for name, column in columns.items())


@cache
def _factor(code: str, unit: str, target: str) -> float | None:
    try:
        return float(factor(analyte(code), unit, target))
    except (UnknownUnit, KeyError):
        return None


def ablation_sessions(study: Study) -> pl.DataFrame | None:
    """usubjid, session_on of every procedure that is a study component; None where exposures are not in the snapshot."""
    given = study.frame("exposures")
    procedures = [component.name for component in study.settings.components if component.kind == "procedure"]
    if given is None or not procedures:
        return None
    done = given.filter(pl.col("component").is_in(procedures), pl.col("start_on").is_not_null())
    return done.select("usubjid", session_on="start_on").unique().sort("usubjid", "session_on")


def days_since_ablation(rows: pl.DataFrame, study: Study, day: str) -> pl.DataFrame:
    """*rows* (usubjid and a date column *day*) with ``days_since_ablation``: since the last session on or before that day."""
    sessions = ablation_sessions(study)
    if sessions is None:
        return rows.with_columns(days_since_ablation=pl.lit(None, pl.Int64))
    dated = rows.select("usubjid", day).drop_nulls().unique()
    last = (
        dated.join(sessions, on="usubjid").filter(pl.col("session_on") <= pl.col(day))
        .group_by("usubjid", day).agg(days_since_ablation=(pl.col(day).first() - pl.col("session_on").max()).dt.total_days())
    )  # fmt: skip
    return rows.join(last, on=["usubjid", day], how="left", maintain_order="left")


def near_ablation() -> pl.Expr:
    """True within the days after a session in which ablated liver explains a rise; null where sessions are not known."""
    return pl.col("days_since_ablation").is_between(0, MEASURED["ablation"]["days_after"])


def cells(rows: pl.DataFrame, table: str, row: pl.Expr, column: str | pl.Expr) -> pl.DataFrame:
    """The subjects behind numbers of *table*, as ``drilldown`` lists them; *rows* has ``usubjid``."""
    named = pl.lit(column) if isinstance(column, str) else column
    return rows.select(
        table=pl.lit(table), row=row.cast(pl.String), column=named.cast(pl.String), USUBJID="usubjid",
        AESEQ=pl.lit(None, pl.Int64),
    )  # fmt: skip
