"""Sites: how much each reports, how completely and how fast, and whether its rate of events differs from all others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, rows_to_frame
from safety_monitor.reporting.tables.disposition import NO_SITE
from safety_monitor.reporting.tables.exposure import observed
from safety_monitor.reporting.wording import words
from safety_monitor.stats.incidence import DAYS_PER_YEAR, Interval, funnel_limits

SITES = {
    "SITEID": pl.String, "subjects": pl.Int64, "treated": pl.Int64, "ae_n": pl.Int64, "ae_events": pl.Int64,
    "events_per_subject": pl.Float64, "sae_n": pl.Int64, "sae_events": pl.Int64, "ge3_n": pl.Int64,
    "missing_grade": pl.Int64, "missing_relatedness": pl.Int64, "queries": pl.Int64, "person_years": pl.Float64,
    "receipts": pl.Int64, "hours_median": pl.Float64, "hours_max": pl.Float64, "late_receipts": pl.Int64,
    "days_to_sponsor_median": pl.Float64,
}  # fmt: skip
FUNNEL = {
    "measure": pl.String, "SITEID": pl.String, "events": pl.Int64, "person_years": pl.Float64, "rate": pl.Float64,
    "pooled": pl.Float64, "low95": pl.Float64, "high95": pl.Float64, "low998": pl.Float64, "high998": pl.Float64,
    "outside": pl.String,
}  # fmt: skip
QUERIES = {"owner": pl.String, "age": pl.String, "questions": pl.Int64, "subjects": pl.Int64, "SITES": pl.Int64}
CHECKS = {"check_id": pl.String, "owner": pl.String, "questions": pl.Int64, "subjects": pl.Int64}
_SUBJECTS = pl.col("usubjid").drop_nulls().n_unique().cast(pl.Int64).alias("subjects")
ALL_EVENTS, SERIOUS = "All events", "Serious events"
AFTER_CUTOFF, NOT_KNOWN, ANY_AGE = "After the cut-off", "Not known", "Any age"


def tables(study: Study) -> Iterator[Table]:
    yield sites(study)
    yield site_funnel(study)
    yield query_ages(study)
    yield query_checks(study)


def sites(study: Study) -> Table:
    """One row per site: how much it reports, how completely, and how soon the sponsor knows of serious events."""
    site = pl.col("siteid").fill_null(NO_SITE)
    subjects = study.subjects.group_by(site.alias("SITEID")).agg(
        pl.len().alias("subjects"), pl.col("treated").sum().alias("treated")
    )
    subject, emergent = pl.col("usubjid"), pl.col("treatment_emergent")
    counts = _events(study).group_by("SITEID").agg(
        subject.filter(emergent).n_unique().alias("ae_n"),
        emergent.sum().alias("ae_events"),
        subject.filter(emergent & pl.col("serious")).n_unique().alias("sae_n"),
        (emergent & pl.col("serious")).sum().alias("sae_events"),
        subject.filter(emergent & pl.col("high_grade")).n_unique().alias("ge3_n"),
        pl.col("grade").is_null().sum().alias("missing_grade"),
        pl.col("aerel").is_null().sum().alias("missing_relatedness"),
        pl.col("n_queries").sum().alias("queries"),
    )  # fmt: skip
    hours = CONDUCT["receipt"]["hours"]
    received = receipts(study)
    known = pl.col("hours").is_not_null()
    lags = (received if received is not None else pl.DataFrame(schema=_RECEIPTS)).group_by("SITEID").agg(
        known.sum().cast(pl.Int64).alias("receipts"), pl.col("hours").median().alias("hours_median"),
        pl.col("hours").max().alias("hours_max"),
        (pl.col("hours") > hours).fill_null(False).sum().cast(pl.Int64).alias("late_receipts"),
        pl.col("days").median().alias("days_to_sponsor_median"),
    )  # fmt: skip
    counted = pl.col(["ae_n", "ae_events", "sae_n", "sae_events", "ge3_n", "missing_grade", "missing_relatedness", "queries"])
    frame = (
        subjects.join(counts, on="SITEID", how="left")
        .with_columns(counted.fill_null(0))
        .join(_person_years(study), on="SITEID", how="left")
        .with_columns(pl.col("person_years").fill_null(0.0))
        .join(lags, on="SITEID", how="left")
        .with_columns(pl.when(pl.col("treated") > 0).then(pl.col("ae_events") / pl.col("treated")).alias("events_per_subject"))
    )
    if received is not None:
        frame = frame.with_columns(pl.col("receipts", "late_receipts").fill_null(0))
    frame = frame.sort("SITEID").select(pl.col(column).cast(dtype) for column, dtype in SITES.items())
    rule = words(
        "Subjects by site; treatment-emergent events of treated subjects (serious: AESER=Y or any criterion); missing grade, "
        "missing relationship (AEREL) and queries over all events of treated subjects, whenever they began."
    )
    if received is None:
        rule += words(" When site and sponsor became aware (sae_receipt) was not imported: lags are not known.")
    else:
        rule += words(
            " Lag: from the site to the sponsor, in hours, of serious events with both times; late: more than {hours} hours. "
            "Days: "
            "from onset until the sponsor knew.",
            hours=hours,
        )
    return Table("sites", "Sites", frame, rule)


_RECEIPTS = {"usubjid": pl.String, "aeseq": pl.Int64, "SITEID": pl.String, "hours": pl.Float64, "days": pl.Int64}


def receipts(study: Study) -> pl.DataFrame | None:
    """usubjid, aeseq, SITEID, hours (site to sponsor), days (onset to sponsor), of treated subjects; None: not imported."""
    given = study.frame("sae_receipt")
    if given is None:
        return None
    rows = []
    for usubjid, aeseq, *times in given.select("USUBJID", "AESEQ", "SITE_AWARE_AT", "SPONSOR_AWARE_AT").iter_rows():
        site, sponsor = (datetime.fromisoformat(text) if text else None for text in times)
        both = site is not None and sponsor is not None and (site.tzinfo is None) == (sponsor.tzinfo is None)
        hours = (sponsor - site).total_seconds() / 3600 if both and site and sponsor else None
        rows.append((usubjid, int(float(aeseq)), hours, sponsor.date() if sponsor else None))
    found = rows_to_frame(rows, {"usubjid": pl.String, "aeseq": pl.Int64, "hours": pl.Float64, "known_on": pl.Date})
    joined = found.join(_events(study), on=["usubjid", "aeseq"], how="inner")
    days = (pl.col("known_on") - pl.col("onset_on")).dt.total_days()
    return joined.select("usubjid", "aeseq", "SITEID", "hours", days.alias("days"))


def site_funnel(study: Study) -> Table:
    """Events per person-year by site, with the limits that chance leaves around the pooled rate."""
    time = dict(_person_years(study).iter_rows())
    total = sum(time.values())
    inside = _events(study).filter("treatment_emergent").join(observed(study).select("usubjid"), on="usubjid", how="semi")
    rows = []
    for measure, events in ((ALL_EVENTS, inside), (SERIOUS, inside.filter("serious"))):
        counts = dict(events.group_by("SITEID").len().iter_rows())
        pooled = events.height / total if total else None
        for site in sorted(time):
            limits = [funnel_limits(pooled or 0.0, time[site], level) for level in CONDUCT["funnel"]["levels"]]
            n = counts.get(site, 0)
            rate = n / time[site] if time[site] else None
            spans = [bound for limit in limits for bound in (limit or (None, None))]
            rows.append((measure, site, n, time[site], rate, pooled, *spans, _outside(rate, limits)))
    rule = words(
        "Treatment-emergent events of treated subjects per person-year of observation (first treatment to last treatment + "
        "{days} days, "
        "death or cut-off). Limits: exact Poisson 95 % and 99.8 % limits of a site whose true rate is the pooled one "
        "(Spiegelhalter "
        "2005). A site outside is a reason to look, not a finding: subjects within a site are more alike than Poisson counts.",
        days=study.settings.treatment_emergent.days_after_last,
    )
    return Table("site_funnel", "Rates of events by site", rows_to_frame(rows, FUNNEL), rule)


def _outside(rate: float | None, limits: list[Interval | None]) -> str | None:
    """The widest limits that *rate* is outside of, and on which side."""
    for limit, name in reversed(list(zip(limits, ("95", "99.8"), strict=True))):
        if rate is not None and limit is not None and not limit.lower <= rate <= limit.upper:
            return f"{'above' if rate > limit.upper else 'below'} {name}"
    return None


def query_ages(study: Study) -> Table:
    """Open questions by owner and age at the cut-off."""
    queries, edges = study.frames.get("queries", None), CONDUCT["query_age"]["edges"]
    rule = words(
        "Questions open at the cut-off, by whom they are put to. Age: days from the day the question was asked (again) to the "
        "cut-off; "
        "one that was asked later, by an import of older data, is after the cut-off."
    )
    if queries is None:
        return Table.absent("query_ages", "Open questions by owner and age", QUERIES, rule, "questions are not in this snapshot")
    if "opened_on" not in queries.columns:  # a snapshot of earlier versions
        queries = queries.with_columns(pl.lit(None, pl.Date).alias("opened_on"))
    days = (pl.lit(study.snapshot.cutoff, pl.Date) - pl.col("opened_on")).dt.total_days()
    names = [f"<= {edges[0]}", *(f"{low + 1} to {high}" for low, high in itertools.pairwise(edges)), f"> {edges[-1]}"]
    age: Any = pl.when(days < 0).then(pl.lit(AFTER_CUTOFF))
    for edge, name in zip(edges, names[:-1], strict=True):
        age = age.when(days <= edge).then(pl.lit(name))
    aged = queries.with_columns(age.when(days.is_not_null()).then(pl.lit(names[-1])).otherwise(pl.lit(NOT_KNOWN)).alias("age"))
    both = pl.concat([aged, aged.with_columns(pl.lit(ANY_AGE).alias("age"))])
    order = {name: number for number, name in enumerate([*names, AFTER_CUTOFF, NOT_KNOWN, ANY_AGE])}
    frame = (
        both.group_by("owner", "age")
        .agg(pl.len().cast(pl.Int64).alias("questions"), _SUBJECTS,
             pl.col("siteid").drop_nulls().n_unique().cast(pl.Int64).alias("SITES"))
        .sort("owner", pl.col("age").replace_strict(order, return_dtype=pl.Int64))
    )  # fmt: skip
    return Table("query_ages", "Open questions by owner and age", frame.select(list(QUERIES)), rule)


def query_checks(study: Study) -> Table:
    """Open questions by what is asked."""
    rule = words(
        "Questions open at the cut-off by the check that asks them; docs/grading.md and rules/checks.toml say what each means."
    )
    if "queries" not in study.frames:
        return Table.absent("query_checks", "Open questions by check", CHECKS, rule, "questions are not in this snapshot")
    frame = (
        study.frames["queries"].group_by("check_id", "owner")
        .agg(pl.len().cast(pl.Int64).alias("questions"), _SUBJECTS)
        .sort("questions", "check_id", "owner", descending=[True, False, False])
    )  # fmt: skip
    return Table("query_checks", "Open questions by check", frame, rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind the numbers of ``sites``."""
    emergent = pl.col("treatment_emergent")
    wanted = {
        "ae_n": emergent, "ae_events": emergent,
        "sae_n": emergent & pl.col("serious"), "sae_events": emergent & pl.col("serious"),
        "ge3_n": emergent & pl.col("high_grade"), "missing_grade": pl.col("grade").is_null(),
        "missing_relatedness": pl.col("aerel").is_null(),
    }  # fmt: skip
    events = _events(study)
    for column, chosen in wanted.items():
        yield events.filter(chosen).select(
            pl.lit("sites").alias("table"), pl.col("SITEID").alias("row"), pl.lit(column).alias("column"),
            pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"),
        )  # fmt: skip
    site = pl.col("siteid").fill_null(NO_SITE)
    for column, people in (("subjects", study.subjects), ("treated", study.treated)):
        yield people.select(
            pl.lit("sites").alias("table"), site.alias("row"), pl.lit(column).alias("column"),
            pl.col("usubjid").alias("USUBJID"), pl.lit(None, pl.Int64).alias("AESEQ"),
        )  # fmt: skip


def _events(study: Study) -> pl.DataFrame:
    """Events of treated subjects with the site of the subject: that of the record would not cross-foot."""
    people = study.treated.select("usubjid", pl.col("siteid").fill_null(NO_SITE).alias("SITEID"))
    return study.events.drop("siteid").join(people, on="usubjid", maintain_order="left")


def _person_years(study: Study) -> pl.DataFrame:
    """SITEID, person_years of observation of the treated subjects whose end is known."""
    people = study.treated.select("usubjid", pl.col("siteid").fill_null(NO_SITE).alias("SITEID"))
    return (
        observed(study).join(people, on="usubjid").group_by("SITEID")
        .agg((pl.col("days").sum() / DAYS_PER_YEAR).alias("person_years")).sort("SITEID")
    )  # fmt: skip
