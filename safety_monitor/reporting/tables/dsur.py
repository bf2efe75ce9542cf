"""Tables of an annual report (ICH E2F): cumulative exposure by age and sex, and everybody who left treatment or died."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, percent_of
from safety_monitor.reporting.tables.disposition import status
from safety_monitor.reporting.tables.exposure import observed
from safety_monitor.reporting.tables.spread import SEPARATOR, cells_behind, group_of, groups
from safety_monitor.reporting.wording import words
from safety_monitor.stats.incidence import DAYS_PER_YEAR

EXPOSURE = {
    "age": pl.String, "sex": pl.String, "n": pl.Int64, "pct": pl.Float64, "person_years": pl.Float64,
}  # fmt: skip
DROPOUTS = {
    "USUBJID": pl.String, "SITEID": pl.String, "age": pl.Float64, "sex": pl.String, "first_on": pl.Date, "last_on": pl.Date,
    "reason": pl.String, "ended_on": pl.Date, "day": pl.Int64, "died": pl.Boolean, "death_on": pl.Date,
    "days_after_last": pl.Int64, "cause": pl.String,
}  # fmt: skip
ALL, NOT_KNOWN = "ALL", "Not known"


def tables(study: Study) -> Iterator[Table]:
    yield exposure_age_sex(study)
    yield dropouts(study)


def exposure_age_sex(study: Study) -> Table:
    """Subjects treated and their person-years, by age group and sex, with every margin."""
    people = _people(study)
    margins = [
        people.with_columns(pl.lit(ALL).alias(name) for name in gone)
        for gone in ([], ["age_group"], ["sex_group"], ["age_group", "sex_group"])
    ]
    order = {name: number for number, name in enumerate([*groups(CONDUCT["age_groups_dsur"]["edges"]), NOT_KNOWN, ALL])}
    frame = (
        pl.concat(margins)
        .group_by(pl.col("age_group").alias("age"), pl.col("sex_group").alias("sex"))
        .agg(pl.len().cast(pl.Int64).alias("n"), (pl.col("days").sum() / DAYS_PER_YEAR).alias("person_years"))
        .with_columns(percent_of("n", study.n).alias("pct"))
        .sort(pl.col("age").replace_strict(order, return_dtype=pl.Int64), pl.col("sex").is_in([NOT_KNOWN, ALL]),
              pl.col("sex") == ALL, "sex")
    )  # fmt: skip
    rule = words(
        "N = {n} treated; person-years of observation: first treatment to last treatment + {days} days, death or cut-off. "
        "Since the "
        "start of the trial.",
        n=study.n, days=study.settings.treatment_emergent.days_after_last,
    )  # fmt: skip
    return Table("exposure_age_sex", "Cumulative exposure by age and sex", frame.select(list(EXPOSURE)), rule)


def dropouts(study: Study) -> Table:
    """Everybody treated whose treatment ended or who died, with reason and cause."""
    people = study.once(status).filter("treated", (pl.col("state") == "ended") | pl.col("dthfl").fill_null(False))
    first = pl.col("first_treatment_on")
    frame = people.join(_causes(study), on="usubjid", how="left", maintain_order="left").select(
        USUBJID="usubjid", SITEID="siteid", age="age", sex="sex", first_on=first, last_on="last_treatment_on", reason="reason",
        ended_on="ended_on", day=(pl.col("ended_on") - first).dt.total_days() + 1, died=pl.col("dthfl").fill_null(False),
        death_on="death_on", days_after_last=(pl.col("death_on") - pl.col("last_treatment_on")).dt.total_days(), cause="cause",
    )  # fmt: skip
    rule = words(
        "Treated subjects whose treatment ended (last disposition event) or who died. Day: study day of the end, first "
        "treatment is day "
        "1. Cause: as the disposition record of the death says."
    )
    return Table("dropouts", "Subjects who left treatment or died", frame.sort("USUBJID"), rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind ``exposure_age_sex``."""
    for (age, sex), part in _people(study).group_by("age_group", "sex_group", maintain_order=True):
        yield cells_behind("exposure_age_sex", SEPARATOR.join((str(age), str(sex))), "n", part["usubjid"])


def _people(study: Study) -> pl.DataFrame:
    group = group_of("age", CONDUCT["age_groups_dsur"]["edges"]).fill_null(NOT_KNOWN)
    return study.treated.join(observed(study).select("usubjid", "days"), on="usubjid", how="left").with_columns(
        group.alias("age_group"), pl.col("sex").fill_null(NOT_KNOWN).alias("sex_group")
    )


def _causes(study: Study) -> pl.DataFrame:
    dispositions = study.frame("dispositions")
    if dispositions is None:
        return pl.DataFrame(schema={"usubjid": pl.String, "cause": pl.String})
    deaths = dispositions.filter(pl.col("dsdecod").str.to_uppercase() == "DEATH")
    said = pl.col("dsterm").str.strip_prefix("DEATH").str.strip_chars(" -:")
    return deaths.group_by("usubjid").agg(said.filter(said != "").last().alias("cause"))
