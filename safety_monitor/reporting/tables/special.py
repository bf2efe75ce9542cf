"""Events of special interest: immune-mediated ones by organ, and the groups that the study names.

Immune-mediated are the events that the investigator reports so; where the study has no such flag, the candidates by term
(``rules/immune.toml``). Candidates that nobody reported are counted beside, as questions. Counted whenever they began after
first treatment: these events start months after the last dose.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from statistics import median
from typing import Any

import polars as pl

from safety_monitor.records import PartialDate
from safety_monitor.reporting.tables.advice import advised_events
from safety_monitor.reporting.tables.base import SEPARATOR, Study, Table, cells, exact_limits, percent, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.rules.immune import profiles
from safety_monitor.vocabulary import Outcome

SPECIAL = {
    "kind": pl.String, "group": pl.String, "n": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64, "cp_hi": pl.Float64,
    "events": pl.Int64, "g1": pl.Int64, "g2": pl.Int64, "g3": pl.Int64, "g4": pl.Int64, "g5": pl.Int64, "gmiss": pl.Int64,
    "new_n": pl.Int64, "candidate_n": pl.Int64, "onset_n": pl.Int64, "onset_median": pl.Float64, "onset_min": pl.Int64,
    "onset_max": pl.Int64, "resolved": pl.Int64, "ongoing": pl.Int64, "fatal": pl.Int64, "unknown": pl.Int64,
    "days_median": pl.Float64, "days_min": pl.Int64, "days_max": pl.Int64, "steroid_n": pl.Int64,
}  # fmt: skip
NAME = "special_interest"
IMMUNE, CONFIGURED = "immune", "aesi"
ANY_GROUP, OTHER_ORGAN = "any", "other"
_STEROIDS: dict[str, Any] = tomllib.loads(
    files("safety_monitor.reporting").joinpath("events.toml").read_text("utf-8")
)["corticosteroids"]
_RESOLVED = (Outcome.RECOVERED.value, Outcome.RECOVERED_WITH_SEQUELAE.value)
_ONGOING = (Outcome.NOT_RECOVERED.value, Outcome.RECOVERING.value)
_SCHEMA = {"kind": pl.String, "group": pl.String, "counted": pl.Boolean, "first_on": pl.Date, "end_on": pl.Date,
           "ended": pl.String, "steroid": pl.Boolean}  # fmt: skip


def tables(study: Study) -> Iterator[Table]:
    yield special_interest(study)


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each number."""
    records = study.once(grouped)
    counted, row = records.filter("counted"), pl.concat_str(["kind", "group"], separator=SEPARATOR)
    yield cells(counted, NAME, row, "n")
    yield cells(_fresh(study, counted), NAME, row, "new_n")
    yield cells(_only_candidates(records), NAME, row, "candidate_n")
    yield cells(counted.filter(pl.col("steroid").fill_null(False)), NAME, row, "steroid_n")
    marked = counted.with_columns(pl.col("grade").max().over("kind", "group", "usubjid").alias("worst"))
    marked = marked.filter(pl.col("grade").eq_missing(pl.col("worst")))
    for grade in (1, 2, 3, 4, 5):
        yield cells(marked.filter(pl.col("worst") == grade), NAME, row, f"g{grade}")
    yield cells(marked.filter(pl.col("worst").is_null()), NAME, row, "gmiss")


def special_interest(study: Study) -> Table:
    """One row per group; a subject counts once, at the worst grade of the group."""
    title = words("Events of special interest and immune-mediated events")
    rule = words(
        "Events of treated subjects, whenever they began after first treatment; each subject once per group at the worst grade, "
        "in per cent of N = {n} treated, with exact 95 % limits.", n=study.n,
    )  # fmt: skip
    if _immune_components(study):
        rule += (
            words(" Immune-mediated: reported so by the investigator; candidates by term after a PD-1 inhibitor that nobody "
                  "reported are counted beside and are questions, not findings.")
            if study.settings.immune_flag else
            words(" Immune-mediated: no such flag is collected, so these are candidates by term after a PD-1 inhibitor: "
                  "questions, not findings.")
        )  # fmt: skip
    rule += words(
        " Onset: days from the first dose of the PD-1 inhibitor (groups of the study: from first treatment) to the subject’s "
        "first event. Resolution: days from onset to the end of resolved events."
    )
    rule += (
        words(" Corticosteroids: systemic, started between onset and end of an event (CM).")
        if study.frame("cm") is not None else words(" Corticosteroids: not collected (CM was not imported).")
    )  # fmt: skip
    if not _immune_components(study) and not study.settings.aesi:
        why = words("no component of the study is known to cause immune-mediated events, and no group is configured (aesi)")
        return Table.absent(NAME, title, SPECIAL, rule, why)
    records = study.once(grouped)
    found = [
        _row(study, str(kind), str(group), part)
        for (kind, group), part in sorted(records.group_by("kind", "group"), key=lambda each: str(each[0]))
    ]
    place = {kind: index for index, kind in enumerate((IMMUNE, CONFIGURED))}
    rows = sorted(found, key=lambda row: (place[row["kind"]], row["group"] != ANY_GROUP, -row["n"], row["group"]))
    return Table(NAME, title, rows_to_frame([[row[name] for name in SPECIAL] for row in rows], SPECIAL), rule)


def grouped(study: Study) -> pl.DataFrame:
    """Events once for each group they are in: kind, group, whether they count or are candidates only, first dose, end, what
    became of them, and whether a corticosteroid was started for them."""
    events = study.events.filter((pl.col("onset_on") >= pl.col("first_treatment_on")).fill_null(True))
    schema: dict[str, Any] = {**events.schema, **_SCHEMA}
    steroids, first_dose = _steroids(study), _first_dose(study)
    flags = {key: flag for key, flag in study.once(advised_events)}
    rows: list[dict[str, Any]] = []
    for event in events.iter_rows(named=True):
        groups: list[tuple[str, str, bool]] = []
        flag = flags.get((event["usubjid"], event["aeseq"]))
        if flag is not None and flag.answer in ("reported", "candidate"):
            counted = flag.answer == "reported" if study.settings.immune_flag else True
            groups += [(IMMUNE, ANY_GROUP, counted), (IMMUNE, flag.organ or OTHER_ORGAN, counted)]
        named = event["pt"].casefold()
        groups += [(CONFIGURED, name, True) for name, terms in study.settings.aesi.items()
                   if named in {term.casefold() for term in terms}]  # fmt: skip
        if not groups:
            continue
        end = PartialDate.parse(event["aeendtc"]).latest if event["aeendtc"] else None
        more = {"end_on": end, "ended": _ended(event), "steroid": _given(steroids, event["usubjid"], event["onset_on"], end)}
        for kind, group, counted in groups:
            first = first_dose.get(event["usubjid"]) if kind == IMMUNE else event["first_treatment_on"]
            rows.append({**event, **more, "kind": kind, "group": group, "counted": counted, "first_on": first})
    return pl.DataFrame(rows, schema=schema)


def _row(study: Study, kind: str, group: str, records: pl.DataFrame) -> dict[str, Any]:
    counted = records.filter("counted")
    worst = counted.group_by("usubjid").agg(pl.col("grade").max())["grade"]
    n = worst.len()
    low, high = exact_limits(n, study.n)
    first = counted.group_by("usubjid").agg(pl.col("onset_on").min(), pl.col("first_on").first()).drop_nulls()
    onset = (first["onset_on"] - first["first_on"]).dt.total_days().to_list()
    resolved = counted.filter(pl.col("ended") == "resolved")
    days = (resolved["end_on"] - resolved["onset_on"]).dt.total_days().drop_nulls().to_list()
    ended = counted["ended"].to_list()
    steroids = None if study.frame("cm") is None else counted.filter("steroid")["usubjid"].n_unique()
    return {
        "kind": kind, "group": group, "n": n, "pct": percent(n, study.n), "cp_lo": low, "cp_hi": high,
        "events": counted.height, **{f"g{grade}": int((worst == grade).sum()) for grade in (1, 2, 3, 4, 5)},
        "gmiss": worst.null_count(),
        "new_n": None if study.last_report is None else _fresh(study, counted)["usubjid"].n_unique(),
        "candidate_n": _only_candidates(records)["usubjid"].n_unique() if kind == IMMUNE else None,
        "onset_n": len(onset), **_spread("onset", onset),
        **{name: ended.count(name) for name in ("resolved", "ongoing", "fatal", "unknown")}, **_spread("days", days),
        "steroid_n": steroids,
    }  # fmt: skip


def _spread(name: str, values: list[int]) -> dict[str, Any]:
    known = bool(values)
    return {
        f"{name}_median": float(median(values)) if known else None,
        f"{name}_min": min(values) if known else None,
        f"{name}_max": max(values) if known else None,
    }


def _only_candidates(records: pl.DataFrame) -> pl.DataFrame:
    """Records of the subjects of whom nothing counts in that group."""
    counted = records.filter("counted").select("kind", "group", "usubjid")
    return records.filter(~pl.col("counted")).join(counted, on=["kind", "group", "usubjid"], how="anti", maintain_order="left")


def _fresh(study: Study, counted: pl.DataFrame) -> pl.DataFrame:
    return study.since_last(counted)


def _ended(event: dict[str, Any]) -> str:
    if event["fatal"]:
        return "fatal"
    if event["aeout"] in _RESOLVED:
        return "resolved"
    return "ongoing" if event["aeout"] in _ONGOING else "unknown"


def _immune_components(study: Study) -> list[str]:
    return [component.name for component in study.settings.components if component.profile in profiles()]


def _first_dose(study: Study) -> dict[str, date]:
    """The first dose of a component that causes immune-mediated events, by subject."""
    given = study.frame("exposures")
    if given is None:
        return {}
    given = given.filter(pl.col("component").is_in(_immune_components(study)), pl.col("dose").is_null() | (pl.col("dose") > 0))
    return dict(given.group_by("usubjid").agg(pl.col("start_on").min()).drop_nulls().iter_rows())


def _steroids(study: Study) -> dict[str, list[date]] | None:
    """Days on which a systemic corticosteroid was started, by subject; None where CM was not imported."""
    given = study.frame("cm")
    if given is None:
        return None
    found: dict[str, list[date]] = {}
    for row in given.iter_rows(named=True):
        text = " ".join(str(row.get(name) or "") for name in ("CMTRT", "CMDECOD")).upper()
        named = any(word in text for word in _STEROIDS["words"]) and not any(word in text for word in _STEROIDS["not_words"])
        if named and (row.get("CMROUTE") or "").upper() not in _STEROIDS["not_routes"] and row.get("CMSTDTC"):
            found.setdefault(row["USUBJID"], []).append(PartialDate.parse(row["CMSTDTC"]).earliest)
    return found


def _given(steroids: dict[str, list[date]] | None, who: str, onset: date | None, end: date | None) -> bool | None:
    if steroids is None:
        return None
    return onset is not None and any(onset <= day and (end is None or day <= end) for day in steroids.get(who, ()))
