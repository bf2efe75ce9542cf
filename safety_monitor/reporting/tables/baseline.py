"""Demography and baseline disease: what is known of the treated subjects before treatment, with the missing always shown.

What is looked for, and in which words, is in ``baseline.toml``. A condition is a record of it; where there is none the level
is "no record", which is not "no".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, percent, rows_to_frame
from safety_monitor.reporting.tables.liver import liver_function
from safety_monitor.reporting.tables.measures import BASELINE, baseline_values
from safety_monitor.reporting.tables.spread import SEPARATOR, SPREAD, cells_behind, group_of, groups, spread
from safety_monitor.reporting.wording import words

COLUMNS = {
    "block": pl.String, "variable": pl.String, "level": pl.String, "n": pl.Int64, "pct": pl.Float64, "digits": pl.Int64, **SPREAD,
}  # fmt: skip
MISSING, NOT_COLLECTED, MEDIAN, YES, NO_RECORD, NO = "Missing", "Not collected", "Median", "On record", "No record", "No"
DEMOGRAPHY, LIVER, HISTORY, MEASURED = "Demography", "Tumour and liver function", "History", "Laboratory and body measures"
_Values = Mapping[str, str | None]


@dataclass(frozen=True)
class _Variable:
    """One characteristic: the ``levels`` in order and each treated subject's (``found``), or numbers; neither: not collected."""

    block: str
    name: str
    levels: Sequence[str] = ()
    found: _Values | None = None
    numbers: Mapping[str, float] | None = None
    digits: int = 0


def tables(study: Study) -> Iterator[Table]:
    yield baseline(study)


def baseline(study: Study) -> Table:
    """One row per level, or one with the median of a number, and the missing of each variable."""
    rows: list[tuple[Any, ...]] = []
    nothing = [None] * len(SPREAD)
    for variable in study.once(_all_variables):
        if variable.found is None and variable.numbers is None:
            rows.append((variable.block, variable.name, NOT_COLLECTED, None, None, 0, *nothing))
            continue
        if variable.numbers is not None:
            sums = spread(pl.Series(list(variable.numbers.values()), dtype=pl.Float64))
            rows.append((variable.block, variable.name, MEDIAN, sums[0], percent(sums[0], study.n), variable.digits, *sums))
        for level, who in _levels(study, variable):
            rows.append((variable.block, variable.name, level, len(who), percent(len(who), study.n), 0, *nothing))
    rule = words(
        "N = {n} treated. Median (first and third quartile; lowest and highest) over the n subjects whose value is known. "
        "Baseline: the last value flagged as such, else the last until the day of first treatment. History: words of medical "
        "history, "
        "earlier medication and procedures; no record is not the same as no. Missing: no record of the subject in the domains "
        "looked at. Derived Child-Pugh class: bilirubin, albumin and INR, with ascites and encephalopathy open where not "
        "reported.",
        n=study.n,
    )  # fmt: skip
    return Table("baseline", "Demography and baseline characteristics", rows_to_frame(rows, COLUMNS), rule)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each count of ``baseline``."""
    for variable in study.once(_all_variables):
        if variable.numbers is not None:
            yield cells_behind("baseline", f"{variable.name}{SEPARATOR}{MEDIAN}", "n", variable.numbers)
        if variable.found is not None or variable.numbers is not None:
            for level, who in _levels(study, variable):
                yield cells_behind("baseline", f"{variable.name}{SEPARATOR}{level}", "n", who)


def _levels(study: Study, variable: _Variable) -> Iterator[tuple[str, list[str]]]:
    """Each level with its subjects, the missing last; of a number the groups where it has any."""
    everybody = study.treated["usubjid"].to_list()
    found = variable.found or {}
    for level in variable.levels:
        yield level, [usubjid for usubjid in everybody if found.get(usubjid) == level]
    known = variable.numbers if variable.numbers is not None else found
    yield MISSING, [usubjid for usubjid in everybody if known.get(usubjid) is None]


def _all_variables(study: Study) -> list[_Variable]:
    return list(_variables(study))


def _variables(study: Study) -> Iterator[_Variable]:
    yield from _demography(study)
    for rule in BASELINE["class"]:
        yield _class(study, rule)
    yield from _liver(study)
    for rule in BASELINE["condition"]:
        yield _condition(study, rule)
    for rule in BASELINE["number"]:
        yield _number(study, rule)


def _demography(study: Study) -> Iterator[_Variable]:
    treated, edges = study.treated, CONDUCT["age_groups"]["edges"]
    ages = {usubjid: age for usubjid, age in treated.select("usubjid", "age").iter_rows() if age is not None}
    group = dict(treated.select("usubjid", group_of("age", edges).alias("group")).iter_rows())
    yield _Variable(DEMOGRAPHY, "Age (years)", groups(edges), group, ages)
    for name, column in (("Sex", "sex"), ("Race", "race"), ("Country", "country")):
        values = dict(treated.select("usubjid", column).iter_rows())
        levels = treated.drop_nulls(column).group_by(column).len().sort("len", column, descending=[True, False])[column].to_list()
        yield _Variable(DEMOGRAPHY, name, levels, values if levels else None)


def _liver(study: Study) -> Iterator[_Variable]:
    function = study.once(liver_function)
    first = study.treated.select(USUBJID="usubjid", first="first_treatment_on")
    days = function.frame.join(first, on="USUBJID").filter(pl.col("on") <= pl.col("first")).sort("USUBJID", "on")
    low, high = pl.col("class_low"), pl.col("class_high")
    span = pl.when(low == high).then(low).otherwise(low + pl.lit(" to ") + high)
    albi = dict(days.drop_nulls("albi_grade").group_by("USUBJID").agg(pl.col("albi_grade").last().cast(pl.String)).iter_rows())
    score = dict(days.drop_nulls("albi").group_by("USUBJID").agg(pl.col("albi").last()).iter_rows())
    complete = days.filter(~pl.col("not_known").fill_null("").str.contains("bilirubin|albumin|INR"))
    derived = dict(complete.group_by("USUBJID").agg(span.last()).iter_rows())
    collected = not function.not_collected
    levels = sorted({level for level in derived.values() if level})
    yield _Variable(LIVER, "Child-Pugh class, derived", levels, derived if collected and levels else None)
    yield _Variable(LIVER, "ALBI grade", ["1", "2", "3"], albi if collected and albi else None)
    yield _Variable(LIVER, "ALBI score", (), None, score if collected and score else None, 2)


def _class(study: Study, rule: Mapping[str, Any]) -> _Variable:
    """A class that was reported: by its code in SC, SUPPDM or RS, else in the words of medical history."""
    pattern, found = re.compile(rule["pattern"]), dict[str, str]()
    for usubjid, code, value in _coded(study):
        if code in rule["codes"] and value.strip().upper() in rule["levels"]:
            found.setdefault(usubjid, value.strip().upper())
    for usubjid, text in _texts(study, ("mh",)):
        if match := pattern.search(text):
            found.setdefault(usubjid, match[1])
    return _Variable(LIVER, rule["variable"], [level for level in rule["levels"] if level in found.values()], found or None)


def _condition(study: Study, rule: Mapping[str, Any]) -> _Variable:
    """A condition on record: in medical history (and where *rule* says, earlier medication and procedures), or by its code."""
    domains = ("mh", *rule.get("also", ()))
    found: dict[str, str] = {}
    for usubjid, code, value in _coded(study):
        if code in rule["codes"]:
            found[usubjid] = {"Y": YES, "POSITIVE": YES, "N": NO, "NEGATIVE": NO}.get(value.strip().upper(), YES)
    spoken_of: set[str] = set()
    for usubjid, text in _texts(study, domains):
        spoken_of.add(usubjid)
        if any(word in text for word in rule["words"]) and not any(word in text for word in rule.get("without", ())):
            found[usubjid] = YES
    collected = study.frame("mh") is not None or bool(found)
    values = {**dict.fromkeys(spoken_of, NO_RECORD), **found}
    levels = [YES, *([NO] if NO in found.values() else []), *([NO_RECORD] if spoken_of else [])]
    return _Variable(HISTORY, rule["variable"], levels, values if collected else None)


def _number(study: Study, rule: Mapping[str, Any]) -> _Variable:
    measured = baseline_values(study, rule)
    if measured is None:
        return _Variable(MEASURED, rule["variable"])
    numbers = {usubjid: value for usubjid, value in measured.iter_rows() if value is not None}
    levels: list[str] = []
    group: dict[str, str | None] = {}
    if "above" in rule or "at_least" in rule:
        limit = rule.get("above", rule.get("at_least"))
        name = f"> {limit:g}" if "above" in rule else f">= {limit:g}"
        levels = [name]
        over = {k for k, value in numbers.items() if (value > limit if "above" in rule else value >= limit)}
        group = {usubjid: name if usubjid in over else None for usubjid in numbers}
    return _Variable(MEASURED, rule["variable"], levels, group, numbers, rule["digits"])


def _coded(study: Study) -> Iterator[tuple[str, str, str]]:
    """usubjid, code, value of subject characteristics, supplemental demography and classifications."""
    for name, code, value in (("suppdm", "QNAM", "QVAL"), ("sc", "SCTESTCD", "SCSTRESC"), ("rs", "RSTESTCD", "RSSTRESC")):
        frame = study.frame(name)
        if frame is not None and {code, value} <= set(frame.columns):
            for usubjid, given, said in frame.select("USUBJID", code, value).drop_nulls().iter_rows():
                yield usubjid, given.upper(), said


def _texts(study: Study, domains: Sequence[str]) -> Iterator[tuple[str, str]]:
    """usubjid and text of what began before first treatment, in upper case."""
    first = dict(study.treated.select("usubjid", "first_treatment_on").iter_rows())
    for domain in domains:
        if domain == "procedures":
            given = study.frame("exposures")
            if given is not None:
                earlier = given.filter(pl.col("domain") == "PR", pl.col("component").is_null())
                for usubjid, text, on in earlier.select("usubjid", "treatment", "start_on").iter_rows():
                    if not (on and first.get(usubjid) and on > first[usubjid]):
                        yield usubjid, text.upper()
            continue
        frame = study.frame(domain)
        if frame is None:
            continue
        code = domain.upper()
        columns = [name for name in (f"{code}TERM", f"{code}TRT", f"{code}DECOD", f"{code}INDC") if name in frame.columns]
        dated = f"{code}STDTC"
        start = pl.col(dated) if dated in frame.columns else pl.lit(None, pl.String)
        for usubjid, text, on in frame.select(
            "USUBJID", pl.concat_str(columns, separator=" ", ignore_nulls=True).str.to_uppercase(), start.alias("_on")
        ).iter_rows():
            if not (on and first.get(usubjid) and on[:10] > first[usubjid].isoformat()):
                yield usubjid, text
