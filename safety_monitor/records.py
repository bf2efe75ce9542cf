"""The values that cross layers: what was collected, what was decided about it, and the frozen study.

Collected values keep their CDISC names in lower case and their reported text where text is all there is
(a partial date stays partial). Decisions use ICH words. None means "not known", never "no".
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

import polars as pl
from pydantic import field_validator
from sqlmodel import Field, SQLModel

from safety_monitor.vocabulary import (
    CaseState,
    ClockCause,
    ClockState,
    DraftState,
    EpisodeEnd,
    Match,
    Matter,
    Role,
    Seriousness,
)

_ISO_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ]([\d:.,]+(?:Z|[+-]\d{2}:?\d{2})?))?)?)?")


@dataclass(frozen=True, slots=True)
class PartialDate:
    """An ISO 8601 date as SDTM reports it: to the year, the month, the day, or with a time.

    >>> PartialDate.parse("2026-02").earliest, PartialDate.parse("2026-02").latest
    (datetime.date(2026, 2, 1), datetime.date(2026, 2, 28))
    >>> PartialDate.parse("2026-02-11T08:57").day
    datetime.date(2026, 2, 11)
    >>> PartialDate.parse("2026-02-30")
    Traceback (most recent call last):
    ValueError: '2026-02-30' is not a date that exists
    """

    text: str
    precision: Literal["year", "month", "day"]
    earliest: date
    latest: date

    @classmethod
    def parse(cls, text: str) -> PartialDate:
        """*text* (YYYY, YYYY-MM, YYYY-MM-DD, with or without a time); ValueError says what is wrong."""
        match = _ISO_DATE.fullmatch(text.strip().rstrip("-"))
        if match is None:
            raise ValueError(f"{text!r} is not an ISO 8601 date (YYYY-MM-DD, YYYY-MM or YYYY)")
        year, month, day = (int(part) if part else None for part in match.group(1, 2, 3))
        assert year is not None
        try:
            if month is None:
                return cls(text, "year", date(year, 1, 1), date(year, 12, 31))
            if day is None:
                last = calendar.monthrange(year, month)[1]
                return cls(text, "month", date(year, month, 1), date(year, month, last))
            return cls(text, "day", date(year, month, day), date(year, month, day))
        except (ValueError, calendar.IllegalMonthError):
            raise ValueError(f"{text!r} is not a date that exists") from None

    @property
    def day(self) -> date | None:
        """The date where it is known to the day."""
        return self.earliest if self.precision == "day" else None


class Subject(SQLModel):
    """One subject: DM, with treatment dates settled (counting rules 1 and 2)."""

    study_id: str
    usubjid: str
    siteid: str | None = None
    country: str | None = None
    age: float | None = None
    sex: str | None = None
    race: str | None = None
    arm: str | None = None
    consented_on: date | None = None
    treated: bool = False
    first_treatment_on: date | None = None
    last_treatment_on: date | None = None
    dthfl: bool = False
    death_on: date | None = None


class AdverseEvent(SQLModel):
    """One reported adverse event: SDTM AE with its supplemental qualifiers, values as reported.

    ``grade`` is the investigator's (from the configured source); None where missing. ``relatedness`` is the
    investigator's opinion per component, ``actions`` what was done with each. Criteria and flags are None where not reported.
    """

    study_id: str
    usubjid: str = Field(min_length=1)
    aeseq: int
    aegrpid: str | None = None
    aeterm: str
    aedecod: str | None = None
    aebodsys: str | None = None
    meddra_code: int | None = None
    grade: int | None = Field(default=None, ge=0, le=5)
    aeser: bool | None = None
    aesdth: bool | None = None
    aeslife: bool | None = None
    aeshosp: bool | None = None
    aesdisab: bool | None = None
    aescong: bool | None = None
    aesmie: bool | None = None
    aesosp: str | None = None
    aerel: str | None = None
    aeacn: str | None = None
    aecontrt: bool | None = None
    aeout: str | None = None
    aestdtc: str | None = None
    aeendtc: str | None = None
    trtemfl: bool | None = None
    immune: bool | None = None
    relatedness: dict[str, str] = Field(default_factory=dict)
    actions: dict[str, str] = Field(default_factory=dict)

    @field_validator("aestdtc", "aeendtc")
    @classmethod
    def _iso(cls, value: str | None) -> str | None:
        if value is not None:
            PartialDate.parse(value)
        return value

    @property
    def key(self) -> tuple[str, int]:
        return self.usubjid, self.aeseq

    def criteria_met(self) -> tuple[Seriousness, ...]:
        """The ICH seriousness criteria reported as met."""
        return tuple(criterion for criterion in Seriousness if getattr(self, criterion.value) is True)


class Assessment(SQLModel):
    """What Safety Monitor decided about one event, beside what the investigator reported.

    ``serious`` is the union of AESER and the criteria; ``serious_as_flagged`` is AESER alone. ``queries`` are
    plain sentences for the site where the report contradicts itself. ``susar``: the components to which it is a SUSAR.
    """

    onset_on: date | None = None
    treatment_emergent: bool | None = None
    serious: bool = False
    serious_as_flagged: bool = False
    serious_basis: tuple[str, ...] = ()
    related: bool = True
    fatal: bool = False
    susar: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()


class Episode(SQLModel):
    """One episode of results (``rules.episodes``) and what it is to the reported events (``rules.matching``).

    ``opened_on``: the onset when it was first seen, by which it is known however the data move on. ``decided_aeseq``: the
    report that a person said it is.
    ``changes``: (ISO date, grade) of each change. ``evidence``: the result at the worst grade, in words. ``aeseq``: the first
    record of the report that it is, or is covered by; ``candidates``: those that fit equally well.
    """

    study_id: str
    usubjid: str
    term: str
    opened_on: date
    onset_on: date
    onset_grade: int
    worst_grade: int
    worst_on: date
    last_on: date
    n_results: int
    baseline_grade: int | None = None
    ended: EpisodeEnd
    resolved_on: date | None = None
    emergent_on: date | None = None
    changes: tuple[tuple[str, int], ...] = ()
    evidence: str = ""
    link: Match = Match.UNREPORTED
    aeseq: int | None = None
    candidates: tuple[int, ...] = ()
    case_state: CaseState = CaseState.NONE
    decided_aeseq: int | None = None

    @property
    def until(self) -> date:
        """The last day that is known to belong to it."""
        return self.resolved_on or self.last_on


class Query(SQLModel):
    """A question to whoever can correct the data. ``about`` names the record within the subject, or within the site where no
    subject is named (``AE 7``, ``LB ALT U/L``): the same question of the same record is asked once.
    """

    study_id: str
    check_id: str
    usubjid: str | None = None
    siteid: str | None = None
    about: str
    owner: str
    text: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.check_id, self.usubjid or f"site {self.siteid or ''}", self.about


class ComponentOpinion(SQLModel):
    """One opinion on one cause of one event; ``author`` is ``investigator`` (as reported), ``system``, or of a person
    (``given_by``) ``investigator_stated`` or ``sponsor_reviewer``. ``rationale``: the reason; ``pieces``, with the leading
    cause of the system: (cause, evidence, effect on its share if it were not known).
    """

    component: str
    author: str
    level: str | None = None
    share: float | None = None
    rationale: str = ""
    given_by: str | None = None
    pieces: tuple[tuple[str, str, float], ...] = ()


class Clock(SQLModel):
    """One reporting duty running against time. ``component`` is empty where the duty is the event's as a whole; ``number``
    counts the clocks of one duty. ``due_at``: the first instant at which it is overdue. ``inputs``: what the rule looked at when
    the clock was opened. Nothing of it ever changes but how it ends.
    """

    study_id: str
    event_version: int
    pack: str
    rule_id: str
    component: str = ""
    number: int = 1
    cause: ClockCause = ClockCause.INITIAL
    linked_id: int | None = None
    aware_at: datetime
    aware_basis: str
    day_zero: date
    due_at: datetime
    timezone: str
    inputs: dict[str, Any] = Field(default_factory=dict)
    opened_at: datetime
    state: ClockState = ClockState.RUNNING
    closed_at: datetime | None = None
    met_at: datetime | None = None
    closed_by: str | None = None
    close_reason: str | None = None


class CaseDecision(SQLModel):
    """What a named person decided about one reported event; the latest on a matter and component holds, and one without a value
    takes the former back.
    """

    subject_matter: Matter
    component: str = ""
    value: str | None = None
    reason: str
    given_by: str
    role: Role
    at: datetime


class SaeDraft(SQLModel):
    """A serious event that was told to the sponsor before it stands in the data."""

    study_id: str
    usubjid: str
    term: str
    grade: int | None = None
    criteria: tuple[str, ...] = ()
    onset: str | None = None
    aware_at: datetime
    state: DraftState = DraftState.OPEN
    opened_at: datetime
    opened_by: str
    reason: str
    aeseq: int | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    close_reason: str | None = None


class ActionItem(SQLModel):
    """Something the board asked for: what, of whom, by when; carried from report to report until it is closed. ``report_id``:
    the issued report that was before the board when it asked.
    """

    study_id: str
    text: str
    owner: str
    due_on: date
    report_id: int | None = None
    opened_at: datetime
    opened_by: str
    closed_at: datetime | None = None
    closed_by: str | None = None
    resolution: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A source row (or one file) that could not be read: what, where, why, and what to do."""

    file: str
    row: int
    field: str
    value: str
    why: str
    remedy: str


@dataclass(frozen=True)
class Snapshot:
    """The study at a data cut-off, frozen: the only input of tables, figures and reports.

    ``frames``: polars frames by name, rows in a fixed order (see ``workflow.freezing``). A frame that is
    absent was not collected, which is not the same as empty. ``study`` is the settings as plain JSON values.
    """

    study: Mapping[str, Any]
    cutoff: date | None
    frames: Mapping[str, pl.DataFrame]
    versions: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """Canonical compressed bytes; equal snapshots give equal bytes on any machine."""
        return zlib.compress(self._canonical, 6)

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self._canonical).hexdigest()

    @classmethod
    def from_bytes(cls, content: bytes) -> Snapshot:
        raw = json.loads(zlib.decompress(content))
        frames = {name: _frame_from(part) for name, part in raw["frames"].items()}
        cutoff = date.fromisoformat(raw["cutoff"]) if raw["cutoff"] else None
        return cls(raw["study"], cutoff, frames, raw["versions"])

    @cached_property
    def _canonical(self) -> bytes:
        raw = {
            "study": self.study,
            "cutoff": self.cutoff.isoformat() if self.cutoff else None,
            "versions": dict(self.versions),
            "frames": {name: _frame_to(frame) for name, frame in self.frames.items()},
        }
        return json.dumps(raw, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


_DTYPES: dict[str, Any] = {
    "str": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "date": pl.Date,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def _frame_to(frame: pl.DataFrame) -> dict[str, Any]:
    columns = {}
    for series in frame:
        kind = _NAMES[series.dtype]
        values = series.to_list()
        columns[series.name] = [kind, [v.isoformat() if v else None for v in values] if kind == "date" else values]
    return {"order": frame.columns, "columns": columns}


def _frame_from(raw: Mapping[str, Any]) -> pl.DataFrame:
    series = []
    for name in raw["order"]:
        kind, values = raw["columns"][name]
        if kind == "date":
            values = [date.fromisoformat(v) if v else None for v in values]
        series.append(pl.Series(name, values, dtype=_DTYPES[kind]))
    return pl.DataFrame(series)
