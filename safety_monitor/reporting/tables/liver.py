"""The liver over time: the screen for Hy's law by both definitions, ALBI and Child-Pugh, rises of HBV DNA."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from safety_monitor.records import PartialDate
from safety_monitor.reporting.tables.base import Study, Table
from safety_monitor.reporting.tables.measured import NO_LABS, cells, measurements, once
from safety_monitor.reporting.wording import words
from safety_monitor.rules import liver

SCREEN = {"USUBJID": pl.String, **{name: kind for name, kind in liver.HYS_LAW.items() if name != "usubjid"}}
FUNCTION = {
    "USUBJID": pl.String, "on": pl.Date, "albi": pl.Float64, "albi_grade": pl.Int64, "albi_reason": pl.String,
    "child_pugh_low": pl.Int64, "child_pugh_high": pl.Int64, "class_low": pl.String, "class_high": pl.String,
    "not_known": pl.String,
}  # fmt: skip
FLARES = {"USUBJID": pl.String, **{name: kind for name, kind in liver.HBV_FLARE.items() if name != "usubjid"}}
CHANGE = {"measure": pl.String, "baseline": pl.String, "worst": pl.String, "n": pl.Int64}
_NOTHING_GIVEN = {"usubjid": pl.String, "domain": pl.String, "component": pl.String, "start_on": pl.Date}


def tables(study: Study) -> Iterator[Table]:
    yield liver_screen(study)
    yield study.once(liver_function)
    yield liver_function_change(study)
    yield hbv_flares(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each number of the changes; row: measure and baseline, column: worst."""
    found = _changes(study)
    if found is not None:
        yield cells(found, "liver_function_change", pl.concat_str("measure", "baseline", separator=" | "), pl.col("worst"))


@once
def baselines(study: Study) -> pl.DataFrame:
    """Liver tests until first treatment, as the screen for Hy's law takes them; no rows where no results were imported."""
    values = _values(study)
    return pl.DataFrame(schema=liver.BASELINES) if values is None else liver.baselines(values, _people(study))


def liver_screen(study: Study) -> Table:
    """One row per subject beyond an aminotransferase limit and definition."""
    name, title = "liver_screen", words("Screen for Hy's law, by both definitions")
    rule = words(
        "Treated subjects with an aminotransferase beyond the limit of the definition after first treatment: the earliest "
        "candidate, else the highest value. Usual: ALT or AST > 3 × ULN, bilirubin ≥ 2 × ULN from that day on in the "
        "window, ALP < 2 × ULN. Abnormal baseline: subjects who start above ULN, by multiples of baseline or absolute "
        "thresholds. Needs: what is not known and therefore excludes nobody. Limits and sources: the system’s liver rules."
    )
    values = _values(study)
    if values is None:
        return Table.absent(name, title, SCREEN, rule, NO_LABS)
    found = liver.hys_law(values, _people(study)).rename({"usubjid": "USUBJID"})
    return Table(name, title, found.select(list(SCREEN)), rule)


@once
def liver_function(study: Study) -> Table:
    """ALBI and Child-Pugh on every day with bilirubin, albumin or INR."""
    name, title = "liver_function", words("ALBI and Child-Pugh over time")
    rule = words(
        "Treated subjects, every day with bilirubin, albumin or INR. ALBI needs bilirubin and albumin of the day. "
        "Child-Pugh: from the fewest to the most points that what is not known leaves open; ascites and encephalopathy are "
        "known while such an event is reported, and open otherwise."
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


def liver_function_change(study: Study) -> Table:
    """Subjects by ALBI grade and Child-Pugh class at baseline and at their worst after it."""
    name, title = "liver_function_change", words("ALBI grade and Child-Pugh class: from baseline to worst")
    rule = words(
        "All N = {n} treated subjects by the last value until first treatment and the worst after it, missing included. "
        "Child-Pugh: at least this class, of days with bilirubin and albumin; ascites, encephalopathy and INR count as "
        "normal where they are not known.",
        n=study.n,
    )
    found = _changes(study)
    if found is None:
        return Table.absent(name, title, CHANGE, rule, NO_LABS)
    frame = found.group_by("measure", "baseline", "worst").agg(n=pl.len().cast(pl.Int64)).sort("measure", "baseline", "worst")
    return Table(name, title, frame.select(list(CHANGE)), rule)


def function_days(study: Study) -> pl.DataFrame | None:
    """usubjid, on, day (0: until first treatment), albi, albi_grade, class_low (where bilirubin and albumin are known)."""
    frame = liver_function(study)
    if frame.not_collected:
        return None
    people = study.treated.select("usubjid", "first_treatment_on", "last_treatment_on")
    end = pl.col("last_treatment_on") + pl.duration(days=study.settings.treatment_emergent.days_after_last)
    day = (pl.col("on") - pl.col("first_treatment_on")).dt.total_days()
    scored = ~pl.col("not_known").str.contains("bilirubin|albumin")
    return (
        frame.frame.rename({"USUBJID": "usubjid"}).join(people, on="usubjid")
        .filter(pl.col("on") <= pl.coalesce(end, pl.lit(date.max)))
        .select("usubjid", "on", "albi", "albi_grade", day=pl.max_horizontal(day, 0),
                class_low=pl.when(scored.fill_null(True)).then("class_low"))
        .drop_nulls("day").sort("usubjid", "on")
    )  # fmt: skip


@once
def _changes(study: Study) -> pl.DataFrame | None:
    """usubjid, measure, baseline, worst: every treated subject once per measure."""
    days = function_days(study)
    if days is None:
        return None
    parts = []
    for measure, column in (("ALBI grade", pl.col("albi_grade").cast(pl.String)), ("Child-Pugh class", pl.col("class_low"))):
        own = days.select("usubjid", "day", value=column).drop_nulls("value").group_by("usubjid", maintain_order=True).agg(
            baseline=pl.col("value").filter(pl.col("day") == 0).last(), worst=pl.col("value").filter(pl.col("day") > 0).max()
        )
        everyone = study.treated.select("usubjid").join(own, on="usubjid", how="left")
        parts.append(everyone.with_columns(pl.col("baseline", "worst").fill_null("missing"), measure=pl.lit(measure)))
    return pl.concat(parts)


def hbv_flares(study: Study) -> Table:
    """Rises of HBV DNA after first treatment."""
    name, title = "hbv_flares", words("Rises of HBV DNA")
    rule = words(
        "Treated subjects: HBV DNA tenfold above its lowest earlier value, or newly detectable, at each further step; a "
        "hepatitis flare where ALT is at least 3 × baseline and above 100 U/L in the window."
    )
    values = _values(study)
    if values is None:
        return Table.absent(name, title, FLARES, rule, NO_LABS)
    if values.filter(pl.col("test").is_in(liver.HBV_TESTS), pl.col("x").is_not_null()).is_empty():
        return Table.absent(name, title, FLARES, rule, words("HBV DNA was not measured in any treated subject."))
    found = liver.hbv_flare(values, _people(study)).rename({"usubjid": "USUBJID"})
    return Table(name, title, found.select(list(FLARES)), rule)


def _values(study: Study) -> pl.DataFrame | None:
    labs = measurements(study)
    return None if labs is None else labs.select(
        "usubjid", test="lbtestcd", on="on", x="lbstresn", unit="unit", lln="lbstnrlo", uln="lbstnrhi", is_baseline="is_baseline"
    )  # fmt: skip


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
