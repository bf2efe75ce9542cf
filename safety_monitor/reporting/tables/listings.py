"""Listings: serious adverse events and deaths, one row each, and the deaths counted.

Serious events are listed whenever they began, of subjects not treated as well; the columns ``te`` and
``treated`` say which of them other tables count.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import polars as pl

from safety_monitor.records import PartialDate
from safety_monitor.reporting.tables.base import COUNTING, RECORD, Study, Table, cells, percent, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.rules.duties import YES
from safety_monitor.rules.expectedness import expectedness
from safety_monitor.study import Component
from safety_monitor.vocabulary import Matter, Seriousness

DEATHS = {
    "kind": pl.String, "row": pl.String, "within": pl.Int64, "after": pl.Int64, "unknown": pl.Int64, "n": pl.Int64,
    "pct": pl.Float64, "new_n": pl.Int64,
}  # fmt: skip
_DECISIONS = {
    "usubjid": pl.String, "aeseq": pl.Int64, "matter": pl.String, "component": pl.String, "value": pl.String,
    "given_by": pl.String, "reason": pl.String,
}  # fmt: skip
_CRITERIA = [criterion.value for criterion in Seriousness]
_WINDOW: int = COUNTING["death_window"]["days_after_last"]
_DEATH = "DEATH"  # DSDECOD, NCI codelist C66727; DSTERM gives the cause after it
#: Rows of the summary: kind and row of the table, the deaths that are in it.
_NO_CAUSE = "not reported"


def tables(study: Study) -> Iterator[Table]:
    yield sae_listing(study)
    yield deaths(study)
    yield deaths_summary(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind the numbers of deaths."""
    for kind, row, subjects in _death_rows(study):
        for column, chosen in _death_columns(study, subjects).items():
            if chosen is not None:
                yield cells(chosen.rename({"USUBJID": "usubjid"}), "deaths_summary", f"{kind} | {row}", column)


def sae_listing(study: Study) -> Table:
    """Every serious event, whoever called it serious: AESER or one of the criteria."""
    yes_no = [pl.col(name).replace_strict({True: "Y", False: "N"}, default=None, return_dtype=pl.String)
              .alias(name.upper()) for name in _CRITERIA]  # fmt: skip
    decided = pl.DataFrame(_rows(study, "decisions"), schema=_DECISIONS)
    added = decided.filter(matter=Matter.SERIOUSNESS.value, value=YES).select(*RECORD, pl.lit(True).alias("ser_decided"))
    events = (
        study.all_events.join(added, on=RECORD, how="left", maintain_order="left")
        .filter(pl.col("serious") | pl.col("serious_as_flagged") | pl.col("ser_decided"))
        .sort("usubjid", "onset_on", "aeseq")
    )
    frame = events.select(
        pl.col("usubjid").alias("USUBJID"),
        pl.col("aeseq").alias("AESEQ"),
        pl.col("aedecod").alias("AEDECOD"),
        pl.col("aebodsys").alias("AEBODSYS"),
        pl.col("grade").alias("g"),
        pl.col("aestdtc").alias("AESTDTC"),
        pl.col("aeendtc").alias("AEENDTC"),
        pl.col("onset_on").alias("ast"),
        pl.col("aerel").alias("AEREL"),
        pl.col("aeacn").alias("AEACN"),
        pl.col("aeout").alias("AEOUT"),
        *yes_no,
        pl.col("treatment_emergent").alias("te"),
        pl.col("serious_as_flagged").alias("ser"),
        pl.col("serious").alias("ser_any"),
        pl.col("ser_decided").fill_null(False),
        "treated",
        pl.col("siteid").alias("SITEID"),
        pl.col("aeterm").alias("AETERM"),
        "news",
        pl.col("fatal"),
    )
    more = _around(study, events, decided)
    rule = words(
        "Every event with AESER=Y or any seriousness criterion, or that a person of the sponsor called serious (ser_decided; it "
        "counts in no other table), whenever it began, with its onset (partial dates completed) and "
        "whether it is treatment-emergent. Study day: first treatment is day 1. Days since a component: from the last day on "
        "which it was given, on or before onset. Expected: by the reference safety information of the component in force at "
        "onset, or as a person decided."
    )
    return Table("sae_listing", "Serious adverse events", pl.concat([frame, more], how="horizontal"), rule)


def _around(study: Study, events: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """What stands around each of *events*: study days, and by component days since, opinions, action, expectedness."""
    components = study.settings.components
    schema: dict[str, Any] = {"ASTDY": pl.Int64, "AENDY": pl.Int64, "criterion": pl.String}
    for component in components:
        schema |= {
            f"{name}_{component.name}": dtype for name, dtype in
            {"days_since": pl.Int64, "investigator": pl.String, "system": pl.String, "share": pl.Float64, "action": pl.String,
             "expected": pl.Boolean, "expected_why": pl.String}.items()
        }  # fmt: skip
    meanings = {(row["term"], row["grade"]): row["text"] for row in _rows(study, "criteria")}
    first = dict(study.subjects.select("usubjid", "first_treatment_on").iter_rows())
    given: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in _rows(study, "exposures"):
        if row["component"] and (row["dose"] is None or row["dose"] > 0) and row["start_on"]:
            given.setdefault((row["usubjid"], row["component"]), []).append(row)
    expected = {
        (row["usubjid"], row["aeseq"], row["component"]): row
        for row in decided.filter(matter=Matter.EXPECTEDNESS.value).iter_rows(named=True)
    }
    found = []
    for event in events.iter_rows(named=True):
        who, onset = event["usubjid"], event["onset_on"]
        end = PartialDate.parse(event["aeendtc"]).day if event["aeendtc"] else None
        row = {
            "ASTDY": study_day(onset, first.get(who)), "AENDY": study_day(end, first.get(who)),
            "criterion": meanings.get((event["aedecod"], event["grade"])),
        }  # fmt: skip
        for component in components:
            around = _of(component, event, given.get((who, component.name), []), study)
            if said := expected.get((who, event["aeseq"], component.name)):
                around |= {"expected": said["value"] == YES, "expected_why": f"{said['given_by']}: {said['reason']}"}
            row |= {f"{name}_{component.name}": value for name, value in around.items()}
        found.append(row)
    return pl.DataFrame(found, schema=schema)


def _of(component: Component, event: dict[str, Any], given: list[dict[str, Any]], study: Study) -> dict[str, Any]:
    onset = event["onset_on"]
    before = [row for row in given if onset is not None and row["start_on"] <= onset]
    start = PartialDate.parse(event["aestdtc"]) if event["aestdtc"] else None
    last = max(before, key=lambda row: (row["start_on"], row["seq"]), default=None)
    known = expectedness(
        component, event["pt"], event["grade"], event["fatal"], start, study.settings, last["treatment"] if last else None
    )
    return {
        "days_since": min((_days_since(row, onset) for row in before), default=None),
        "investigator": event.get(f"investigator_{component.name}"),
        "system": event.get(f"level_{component.name}"),
        "share": event.get(f"share_{component.name}"),
        "action": event.get(f"action_{component.name}"),
        "expected": known.expected,
        "expected_why": known.why,
    }


def _days_since(given: dict[str, Any], onset: date) -> int:
    """Days from the last day of *given* to *onset*; 0 while it is being given, an unknown end being a going on."""
    until = given["end_on"] or onset
    return max(0, (onset - until).days)


def study_day(on: date | None, first: date | None) -> int | None:
    """SDTM study day: first treatment is day 1, there is no day 0.

    >>> study_day(date(2025, 3, 1), date(2025, 3, 1)), study_day(date(2025, 2, 28), date(2025, 3, 1))
    (1, -1)
    """
    if on is None or first is None:
        return None
    days = (on - first).days
    return days + 1 if days >= 0 else days


def deaths(study: Study) -> Table:
    """Every death of a treated subject, of any cause."""
    return study.once(_deaths)


def _deaths(study: Study) -> Table:
    fatal = study.events.filter("fatal")
    terms = fatal.sort("aeseq").group_by("usubjid").agg(
        pl.col("pt").unique(maintain_order=True).str.join("; ").alias("fatal_terms"),
        pl.col("related").any().alias("fatal_related"),
    )  # fmt: skip
    after_last = (pl.col("death_on") - pl.col("last_treatment_on")).dt.total_days()
    new = pl.lit(None, pl.Boolean) if study.last_report is None else study.after_last_cutoff("death_on")
    frame = (
        study.treated.filter(pl.col("dthfl").fill_null(False))
        .join(terms, on="usubjid", how="left")
        .join(_causes(study), on="usubjid", how="left")
        .sort("usubjid")
        .select(
            pl.col("usubjid").alias("USUBJID"),
            pl.col("first_treatment_on").alias("st"),
            pl.col("last_treatment_on").alias("en"),
            pl.col("death_on").alias("dth"),
            ((pl.col("death_on") - pl.col("first_treatment_on")).dt.total_days() + 1).alias("study_day"),
            after_last.alias("days_after_last_dose"),
            (after_last <= _WINDOW).alias("within30d_last_dose"),
            pl.col("fatal_terms").is_not_null().alias("fatal_AE"),
            pl.col("siteid").alias("SITEID"),
            "cause",
            "fatal_terms",
            "fatal_related",
            new.alias("new"),
        )
    )
    rule = words(
        "Treated subjects who died, of any cause (N = {n}). Days count from the last treatment; a missing date leaves them "
        "empty. Fatal event: of grade 5, with AESDTH=Y or with AEOUT=FATAL. Cause: as reported with the disposition (DS).",
        n=study.n,
    )  # fmt: skip
    return Table("deaths", "Deaths", frame, rule)


def _causes(study: Study) -> pl.DataFrame:
    """usubjid, cause: what DS says after the word DEATH; null where it says nothing."""
    dispositions = study.frame("dispositions")
    if dispositions is None:
        return pl.DataFrame(schema={"usubjid": pl.String, "cause": pl.String})
    said = pl.col("dsterm").str.strip_chars().str.replace(r"(?i)^death\s*[-:]?\s*", "").str.strip_chars()
    named = dispositions.filter(pl.col("dsdecod").str.to_uppercase() == _DEATH).select("usubjid", said.alias("cause"))
    named = named.filter(pl.col("cause") != "")
    capital = pl.col("cause").str.slice(0, 1).str.to_uppercase() + pl.col("cause").str.slice(1).str.to_lowercase()
    return named.with_columns(capital.alias("cause")).sort("usubjid", "cause").unique("usubjid", keep="first")


def deaths_summary(study: Study) -> Table:
    """Deaths within and after the window: all, by cause, and by whether a fatal event was reported and related."""
    rows = []
    for kind, row, subjects in _death_rows(study):
        counted = {name: None if chosen is None else chosen.height for name, chosen in _death_columns(study, subjects).items()}
        n = subjects.height
        when = (counted["within"], counted["after"], counted["unknown"])
        rows.append((kind, row, *when, n, percent(n, study.n), counted["new_n"]))
    rule = words(
        "Treated subjects who died, of any cause, in per cent of N = {n} treated; within: up to {days} days after the last "
        "treatment.", n=study.n, days=_WINDOW,
    )  # fmt: skip
    return Table("deaths_summary", words("Deaths: summary"), rows_to_frame(rows, DEATHS), rule)


def _death_rows(study: Study) -> Iterator[tuple[str, str, pl.DataFrame]]:
    dead = deaths(study).frame
    yield "all", "all", dead
    cause = pl.col("cause").fill_null(_NO_CAUSE)
    counts = dead.group_by(cause.alias("cause")).len().sort("len", "cause", descending=[True, False])
    for name in counts["cause"]:
        yield "cause", name, dead.filter(cause == name)
    related = pl.col("fatal_related").fill_null(False)
    yield "fatal event", "related", dead.filter(related)
    yield "fatal event", "not related", dead.filter("fatal_AE", ~related)
    yield "fatal event", "none", dead.filter(~pl.col("fatal_AE"))


def _death_columns(study: Study, subjects: pl.DataFrame) -> dict[str, pl.DataFrame | None]:
    within = pl.col("within30d_last_dose")
    return {
        "within": subjects.filter(within.fill_null(False)),
        "after": subjects.filter(~within.fill_null(True)),
        "unknown": subjects.filter(within.is_null()),
        "n": subjects,
        "new_n": None if study.last_report is None else subjects.filter("new"),
    }


def _rows(study: Study, name: str) -> list[dict[str, Any]]:
    frame = study.frame(name)
    return [] if frame is None else frame.to_dicts()
