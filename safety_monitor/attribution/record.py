"""What is on record of one subject, and what of it answers a finding that the profiles weigh.

Steroids and antivirals from CM, progression from RS and DS, infections and earlier events from the coded events, rises of
HBV DNA from the liver screen, conditions from MH. Every answer says what it was read from, so that the rationale can
mark it as inferred. Silence answers nothing: "no" is given only where somebody looked (a response assessment without
progression). Words and days: ``record.toml``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from safety_monitor.records import AdverseEvent, PartialDate
from safety_monitor.rules.assembly import Exposure
from safety_monitor.rules.grades import LabGrade
from safety_monitor.rules.normalise import Row

#: Domains whose rows are read here, where they were imported.
LOOKED_AT = ("CM", "RS", "DS", "MH")


@dataclass(frozen=True, slots=True)
class Taken:
    """One concomitant medication that the profiles ask about: ``kind`` is "steroid" or a condition it answers."""

    kind: str
    name: str
    start_on: date
    end_on: date | None


@dataclass(frozen=True, slots=True)
class SubjectRecord:
    """Everything of one subject that the attribution of an event looks at.

    ``results``: graded results by CTCAE term; ``responses``: (day, progression or not, in words); ``conditions``: name of
    a condition and the words it was read from; ``known_until``: the last day that anything is on record for.
    """

    given: Sequence[Exposure] = ()
    events: Sequence[AdverseEvent] = ()
    results: Mapping[str, Sequence[LabGrade]] = field(default_factory=dict)
    taken: Sequence[Taken] = ()
    responses: Sequence[tuple[date, bool, str]] = ()
    hbv_rises: Sequence[date] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    known_until: date | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A finding and what it was read from."""

    found: bool
    read_from: str


def subject_records(
    given: Iterable[Exposure],
    events: Iterable[AdverseEvent],
    results: Mapping[tuple[str, str], Sequence[LabGrade]],
    domains: Mapping[str, Sequence[Row]],
    hbv_rises: Iterable[tuple[str, date]] = (),
) -> dict[str, SubjectRecord]:
    """The record of every subject, by USUBJID. *domains*: the rows of CM, RS, DS and MH, where imported."""
    parts: dict[str, dict[str, Any]] = {}

    def of(usubjid: str) -> dict[str, Any]:
        lists: dict[str, Any] = {name: [] for name in ("given", "events", "taken", "responses", "hbv_rises")}
        return parts.setdefault(usubjid, lists | {"results": {}, "conditions": {}})

    for exposure in given:
        of(exposure.usubjid)["given"].append(exposure)
    for event in events:
        of(event.usubjid)["events"].append(event)
    for (usubjid, term), graded in results.items():
        of(usubjid)["results"][term] = graded
    for usubjid, on in hbv_rises:
        of(usubjid)["hbv_rises"].append(on)
    for row in domains.get("CM", ()):
        of(row["USUBJID"] or "")["taken"] += _taken(row)
    for row in domains.get("RS", ()):
        of(row["USUBJID"] or "")["responses"] += _response(row)
    for row in domains.get("DS", ()):
        of(row["USUBJID"] or "")["responses"] += _disposition(row)
    for row in domains.get("MH", ()):
        text = row.get("MHDECOD") or row.get("MHTERM") or ""
        for name, words in _rules()["medical_history"].items():
            if _any_word(words, text) and (row.get("MHOCCUR") or "Y").upper() != "N":
                of(row["USUBJID"] or "")["conditions"].setdefault(name, text)
    return {usubjid: SubjectRecord(**part, known_until=_known_until(part)) for usubjid, part in parts.items()}


def answers(event: AdverseEvent, onset: date | None, record: SubjectRecord) -> dict[str, Answer]:
    """What the record says of the findings of one event; steroid response is read by ``course``."""
    found = {name: Answer(True, f"medical history: {text}") for name, text in record.conditions.items()}
    if onset is None:
        return found
    read = {
        "progression_confirmed": _progression(onset, record),
        "infection_confirmed": _infection(event, onset, record),
        "hbv_dna_rise": _rise(onset, record),
        **{name: _earlier(event, onset, terms, record) for name, terms in _rules()["earlier_events"].items()},
        **{name: _medication(name, onset, record) for name in _rules()["medication"]},
    }
    return found | {name: answer for name, answer in read.items() if answer is not None}


def steroids(onset: date, record: SubjectRecord) -> list[Taken]:
    """Systemic steroids that were begun for what began on *onset*, as far as dates can tell."""
    latest = onset + timedelta(days=_rules()["steroid"]["started_within_days"])
    return sorted(
        (each for each in record.taken if each.kind == "steroid" and onset <= each.start_on <= latest),
        key=lambda each: (each.start_on, each.name),
    )


def steroid_rule() -> Mapping[str, Any]:
    rule: Mapping[str, Any] = _rules()["steroid"]
    return rule


def _progression(onset: date, record: SubjectRecord) -> Answer | None:
    near = [each for each in sorted(record.responses) if _near(each[0], onset, _rules()["progression"])]
    progressive = [each for each in near if each[1]]
    chosen = progressive or near
    if not chosen:
        return None
    on, is_progression, words = chosen[0]
    return Answer(is_progression, f"{words} on {on.isoformat()}")


def _infection(event: AdverseEvent, onset: date, record: SubjectRecord) -> Answer | None:
    rule = _rules()["infection"]
    explains = {
        infection for pair in rule["explains"] if event.aedecod in pair["terms"] for infection in pair["infections"]
    }
    for other in record.events:
        if other.aeseq == event.aeseq or other.aedecod not in explains or not other.aestdtc:
            continue
        began = PartialDate.parse(other.aestdtc).day
        ended = PartialDate.parse(other.aeendtc).latest if other.aeendtc else None
        if began is None or (began - onset).days > rule["days_after"]:
            continue
        if (onset - (ended or began)).days <= rule["days_before"]:
            return Answer(True, f"AE {other.aeseq}, {other.aedecod}, from {began.isoformat()}")
    return None


def _rise(onset: date, record: SubjectRecord) -> Answer | None:
    near = [on for on in sorted(record.hbv_rises) if _near(on, onset, _rules()["hbv_dna_rise"])]
    return Answer(True, f"HBV DNA risen on {near[0].isoformat()}") if near else None


def _earlier(event: AdverseEvent, onset: date, terms: Collection[str], record: SubjectRecord) -> Answer | None:
    for other in record.events:
        began = PartialDate.parse(other.aestdtc).latest if other.aestdtc else None
        if other.aedecod in terms and other.aeseq != event.aeseq and began is not None and began < onset:
            return Answer(True, f"AE {other.aeseq}, {other.aedecod}, {other.aestdtc}")
    return None


def _medication(name: str, onset: date, record: SubjectRecord) -> Answer | None:
    for each in record.taken:
        if each.kind == name and each.start_on <= onset and (each.end_on is None or each.end_on >= onset):
            return Answer(True, f"{each.name} since {each.start_on.isoformat()}")
    return None


def _near(on: date, onset: date, rule: Mapping[str, int]) -> bool:
    return -rule["days_before"] <= (on - onset).days <= rule["days_after"]


def _taken(row: Row) -> list[Taken]:
    name = row.get("CMDECOD") or row.get("CMTRT") or ""
    text = f"{name} {row.get('CMTRT') or ''}"
    start = PartialDate.parse(row["CMSTDTC"] or "").day if row.get("CMSTDTC") else None
    if start is None or (row.get("CMOCCUR") or "Y").upper() == "N":
        return []
    end = PartialDate.parse(row["CMENDTC"] or "").latest if row.get("CMENDTC") else None
    rule = _rules()["steroid"]
    kinds = [kind for kind, words in _rules()["medication"].items() if _any_word(words, text)]
    if _any_word(rule["words"], text) and not _any_word(rule["not_routes"], row.get("CMROUTE") or ""):
        kinds.append("steroid")
    return [Taken(kind, name.lower(), start, end) for kind in kinds]


def _response(row: Row) -> list[tuple[date, bool, str]]:
    rule = _rules()["progression"]
    on = PartialDate.parse(row["RSDTC"] or "").day if row.get("RSDTC") else None
    result = (row.get("RSSTRESC") or row.get("RSORRES") or "").strip().upper()
    known = result in rule["progressive"] or result in rule["not_progressive"]
    if on is None or not known or row.get("RSTESTCD") not in rule["tests"]:
        return []
    return [(on, result in rule["progressive"], f"overall response {result}")]


def _disposition(row: Row) -> list[tuple[date, bool, str]]:
    on = PartialDate.parse(row["DSSTDTC"] or "").day if row.get("DSSTDTC") else None
    said = (row.get("DSDECOD") or row.get("DSTERM") or "").strip().upper()
    return [(on, True, f"disposition {said}")] if on and said in _rules()["progression"]["dispositions"] else []


def _known_until(part: Mapping[str, Any]) -> date | None:
    days = [each.end_on or each.start_on for each in part["given"]]
    days += [PartialDate.parse(text).earliest for e in part["events"] for text in (e.aestdtc, e.aeendtc) if text]
    days += [each.on for graded in part["results"].values() for each in graded]
    days += [on for on, *_ in part["responses"]]
    return max((on for on in days if on is not None), default=None)


def _any_word(words: Collection[str], text: str) -> bool:
    upper = text.upper()
    return any(word in upper for word in words)


@cache
def _rules() -> Mapping[str, Any]:
    return tomllib.loads(files("safety_monitor.attribution").joinpath("record.toml").read_text("utf-8"))
