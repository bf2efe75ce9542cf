"""The liver over time: the screen for Hy's law by both definitions, ALBI and Child-Pugh, rises of HBV DNA."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.records import PartialDate
from safety_monitor.reporting.tables.base import Study, Table
from safety_monitor.reporting.tables.labs import NO_LABS
from safety_monitor.rules import liver

SCREEN = {"USUBJID": pl.String, **{name: kind for name, kind in liver.HYS_LAW.items() if name != "usubjid"}}
FUNCTION = {
    "USUBJID": pl.String, "on": pl.Date, "albi": pl.Float64, "albi_grade": pl.Int64, "albi_reason": pl.String,
    "child_pugh_low": pl.Int64, "child_pugh_high": pl.Int64, "class_low": pl.String, "class_high": pl.String,
    "not_known": pl.String,
}  # fmt: skip
FLARES = {"USUBJID": pl.String, **{name: kind for name, kind in liver.HBV_FLARE.items() if name != "usubjid"}}
_NOTHING_GIVEN = {"usubjid": pl.String, "domain": pl.String, "component": pl.String, "start_on": pl.Date}


def tables(study: Study) -> Iterator[Table]:
    yield liver_screen(study)
    yield study.once(liver_function)
    yield hbv_flares(study)


def liver_screen(study: Study) -> Table:
    """One row per subject beyond an aminotransferase limit and definition."""
    name, title = "liver_screen", "Screen for Hy's law, by both definitions"
    rule = (
        "Treated subjects with an aminotransferase beyond the limit of the definition after first treatment: the earliest "
        "candidate, else the highest value. Usual: ALT or AST > 3 x ULN, bilirubin >= 2 x ULN from that day on in the window, "
        "ALP < 2 x ULN. Abnormal baseline: subjects who start above ULN, by multiples of baseline or absolute thresholds. Needs: "
        "what is not known and therefore excludes nobody. Limits and sources: rules/liver.toml."
    )
    values = _values(study)
    if values is None:
        return Table.absent(name, title, SCREEN, rule, NO_LABS)
    found = liver.hys_law(values, _people(study)).rename({"usubjid": "USUBJID"})
    return Table(name, title, found.select(list(SCREEN)), rule)


def liver_function(study: Study) -> Table:
    """ALBI and Child-Pugh on every day with bilirubin, albumin or INR."""
    name, title = "liver_function", "ALBI and Child-Pugh over time"
    rule = (
        "Treated subjects, every day with bilirubin, albumin or INR. ALBI needs bilirubin and albumin of the day. "
        "Child-Pugh: from the fewest to the most points that what is not known leaves open; ascites and encephalopathy are known "
        "while such an event is reported, and open otherwise."
    )
    values = _values(study)
    if values is None:
        return Table.absent(name, title, FUNCTION, rule, NO_LABS)
    albi = liver.albi(values).rename({"grade": "albi_grade", "reason": "albi_reason"})
    points = liver.child_pugh(values, liver.reported_findings(values, _reported(study))).rename(
        {"points_low": "child_pugh_low", "points_high": "child_pugh_high", "unknown": "not_known"}
    )
    frame = points.join(albi, on=["usubjid", "on"], how="full", coalesce=True).sort("usubjid", "on")
    return Table(name, title, frame.rename({"usubjid": "USUBJID"}).select(list(FUNCTION)), rule)


def hbv_flares(study: Study) -> Table:
    """Rises of HBV DNA after first treatment."""
    name, title = "hbv_flares", "Rises of HBV DNA"
    rule = (
        "Treated subjects: HBV DNA tenfold above its lowest earlier value, or newly detectable, at each further step; a "
        "hepatitis flare where ALT is at least 3 x baseline and above 100 U/L in the window."
    )
    values = _values(study)
    if values is None:
        return Table.absent(name, title, FLARES, rule, NO_LABS)
    found = liver.hbv_flare(values, _people(study)).rename({"usubjid": "USUBJID"})
    return Table(name, title, found.select(list(FLARES)), rule)


def _values(study: Study) -> pl.DataFrame | None:
    labs = study.frame("labs")
    if labs is None:
        return None
    own = labs.join(study.treated, on="usubjid", how="semi").unique(
        ["usubjid", "lbtestcd", "on", "lbseq"], keep="first", maintain_order=True
    )
    return own.select("usubjid", test="lbtestcd", on="on", x="lbstresn", unit="unit", lln="lbstnrlo", uln="lbstnrhi",
                      is_baseline="is_baseline")  # fmt: skip


def _reported(study: Study) -> pl.DataFrame:
    end = pl.col("aeendtc").map_elements(lambda text: PartialDate.parse(text).latest, return_dtype=pl.Date)
    return study.frames["events"].select("usubjid", term="aedecod", grade="grade", start="onset_on", end=end)


def _people(study: Study) -> pl.DataFrame:
    given = study.frames.get("exposures", pl.DataFrame(schema=_NOTHING_GIVEN))
    done = given.filter(pl.col("domain") == "PR", pl.col("component").is_not_null())
    ablations = done.drop_nulls("start_on").group_by("usubjid").agg(pl.col("start_on").sort().alias("ablations"))
    people = study.treated.select("usubjid", "first_treatment_on", "last_treatment_on", "death_on")
    return people.join(ablations, on="usubjid", how="left").with_columns(
        pl.col("ablations").fill_null(pl.lit([], dtype=pl.List(pl.Date)))
    )
