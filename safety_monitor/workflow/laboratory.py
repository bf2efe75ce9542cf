"""The results of a study as graded series: the one reading of LB, VS and EG behind episodes, queries and events.

Every result with every CTCAE term it speaks to, by the study's policy; where the numbers of two grades are the same,
``higher`` says what the worse reading would be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import polars as pl

import ctcae_v403
from safety_monitor.records import AdverseEvent, Subject
from safety_monitor.rules.grades import LabGrade, shown
from safety_monitor.study import StudySettings

#: Findings domains whose results are graded; ``ctcae_v403.grade_frame`` knows their columns.
MEASURED = ("LB", "VS", "EG")
_USED = ("USUBJID", "{}SEQ", "{}TESTCD", "{}SPEC", "{}ORRES", "{}ORRESU", "{}ORNRLO", "{}ORNRHI", "{}STRESC", "{}STRESN",
         "{}STRESU", "{}STNRLO", "{}STNRHI", "{}BLFL", "{}LOBXFL", "{}FAST", "{}DTC")  # fmt: skip
GRADED = {
    "usubjid": pl.String, "domain": pl.String, "test": pl.String, "term": pl.String, "on": pl.Date, "grade": pl.Int64,
    "higher": pl.Int64, "is_baseline": pl.Boolean, "at_least": pl.Boolean, "reason": pl.String, "result": pl.String,
    "x": pl.Float64, "unit": pl.String, "lln": pl.Float64, "uln": pl.Float64, "row": pl.Int64,
}  # fmt: skip


def graded_results(domains: Mapping[str, pl.DataFrame], subjects: Iterable[Subject], settings: StudySettings) -> pl.DataFrame:
    """One row per result and term, columns as ``GRADED``: ``row`` numbers the results; ``term`` null where a result speaks to
    none, ``on`` null where the day is not known, ``grade`` null with a ``reason``.

    *domains*: frames of text by SDTM domain; those not measured are left alone.
    """
    people = list(subjects)
    person = pl.DataFrame(
        {"USUBJID": [p.usubjid for p in people], "AGE": [p.age for p in people], "SEX": [p.sex for p in people]},
        schema={"USUBJID": pl.String, "AGE": pl.Float64, "SEX": pl.String},
    )
    found = [_graded(domain, domains[domain], person, settings) for domain in MEASURED if domain in domains]
    return pl.concat([pl.DataFrame(schema=GRADED), *(frame for frame in found if frame is not None)])


def _graded(domain: str, frame: pl.DataFrame, person: pl.DataFrame, settings: StudySettings) -> pl.DataFrame | None:
    used = [name for name in (each.format(domain) for each in _USED) if name in frame.columns]
    if frame.is_empty() or f"{domain}TESTCD" not in used:
        return None
    if not {f"{domain}STRESN", f"{domain}STRESC", f"{domain}ORRES"} & set(used):
        return None
    shared = [pl.col(name).cast(pl.Categorical) for name in used if name.endswith(("TESTCD", "SPEC", "RESU", "BLFL", "XFL"))]
    order = [pl.col(name) for name in ("USUBJID", f"{domain}DTC") if name in used]  # not the order in which the rows came
    order += [pl.col(f"{domain}SEQ").cast(pl.Float64, strict=False)] if f"{domain}SEQ" in used else []
    rows = frame.select(used).sort(*order, f"{domain}TESTCD", nulls_last=True, maintain_order=True)
    rows = rows.with_columns(shared).join(person, on="USUBJID", how="left", maintain_order="left")
    policy = ctcae_v403.Policy.of(settings.lab_policy)
    graded = _answers(rows, policy)
    doubtful = graded.filter(pl.col("FLAGS").str.contains("same_band"))["ROW"].unique()
    if len(doubtful):  # the tests whose numbers two grades share, once more by the other reading
        tests = rows[f"{domain}TESTCD"].gather(doubtful - 1).unique()
        again = rows.with_row_index("_row").filter(pl.col(f"{domain}TESTCD").is_in(tests.implode()))
        other = _answers(again.drop("_row"), replace(policy, same_band="higher"))
        numbers = again["_row"].cast(pl.Int64).gather(other["ROW"] - 1) + 1
        other = other.select(numbers.alias("ROW"), "ATOXDSC", higher="ATOXGR").drop_nulls("ATOXDSC")
        graded = graded.join(other, on=["ROW", "ATOXDSC"], how="left", maintain_order="left", nulls_equal=True)
    else:
        graded = graded.with_columns(higher=pl.lit(None, pl.Int64))
    at = graded["ROW"] - 1

    def column(*names: str) -> pl.Series:
        present = [pl.col(name).cast(pl.String) for name in (each.format(domain) for each in names) if name in used]
        text = rows.select(pl.coalesce(present) if present else pl.lit(None, pl.String)).to_series()
        return (text if len(text) == len(rows) else pl.Series([None] * len(rows), dtype=pl.String)).gather(at)

    flags = [pl.col(f"{domain}{name}").cast(pl.String) == "Y" for name in ("BLFL", "LOBXFL") if f"{domain}{name}" in used]
    baseline = rows.select(pl.any_horizontal(flags).fill_null(False) if flags else pl.repeat(False, pl.len())).to_series()
    numeric = {name: column(*sources).cast(pl.Float64, strict=False) for name, sources in (
        ("x", ("{}STRESN", "{}ORRES")), ("lln", ("{}STNRLO", "{}ORNRLO")), ("uln", ("{}STNRHI", "{}ORNRHI")))}  # fmt: skip
    return graded.select(
        usubjid=column("USUBJID"), domain=pl.lit(domain), test=column("{}TESTCD"), term="ATOXDSC",
        on=column("{}DTC").str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
        grade=pl.col("ATOXGR").cast(pl.Int64), higher=pl.coalesce("higher", "ATOXGR").cast(pl.Int64),
        is_baseline=baseline.gather(at), at_least=pl.col("FLAGS").fill_null("").str.contains(r"\bfloor\b"),
        reason="REASON", result=column("{}STRESN", "{}STRESC", "{}ORRES"), x=numeric["x"], unit=column("{}STRESU", "{}ORRESU"),
        lln=numeric["lln"], uln=numeric["uln"], row="ROW",
    )  # fmt: skip


def _answers(rows: pl.DataFrame, policy: ctcae_v403.Policy) -> pl.DataFrame:
    graded: pl.DataFrame = ctcae_v403.grade_frame(rows, policy=policy)
    return graded.select("ROW", "ATOXDSC", "ATOXGR", "REASON", "FLAGS")


def results_of_events(graded: pl.DataFrame, events: Sequence[AdverseEvent]) -> Mapping[tuple[str, str], Sequence[LabGrade]]:
    """The graded results by subject and CTCAE term, for the subjects and terms that have an event.

    Where two grades print the same numbers the higher counts: the findings decide between them. A result that cannot be
    graded, or only from below, leaves more open.
    """
    wanted = pl.DataFrame(
        sorted({(event.usubjid, event.aedecod) for event in events if event.meddra_code is not None and event.aedecod}),
        schema={"usubjid": pl.String, "term": pl.String}, orient="row",
    )  # fmt: skip
    found: defaultdict[tuple[str, str], list[LabGrade]] = defaultdict(list)
    dated = graded.drop_nulls("on").join(wanted, on=["usubjid", "term"], how="semi", maintain_order="left")
    columns = ("usubjid", "term", "on", "higher", "at_least", "test", "result", "unit")
    for usubjid, term, on, grade, at_least, test, result, unit in dated.select(columns).iter_rows():
        found[usubjid, term].append(LabGrade(on, grade, at_least, shown(test, result, unit, on)))
    return found
