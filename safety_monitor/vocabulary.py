"""Controlled words: CDISC codelists and ICH terms that decisions are made with.

Values are the CDISC submission values (NCI codelists C66742, C66767, C66768, C66769) or, for
decisions that CDISC has no list for, the words of ICH E2A and of NCI's attribution scale.

>>> Outcome("FATAL").name
'FATAL'
>>> ActionTaken.of("drug withdrawn")
<ActionTaken.DRUG_WITHDRAWN: 'DRUG WITHDRAWN'>
>>> ActionTaken.of("PAUSED") is None
True
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Self


class _Codelist(StrEnum):
    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """The member for *text* (case and outer blanks ignored); None where blank or not in the list."""
        wanted = (text or "").strip().upper()
        return next((member for member in cls if member.value.upper() == wanted), None)


class Level(IntEnum):
    """NCI attribution of an event to one cause, 1 to 5 as CTEP codes it; Possible or more is related."""

    UNRELATED = 1
    UNLIKELY = 2
    POSSIBLE = 3
    PROBABLE = 4
    DEFINITE = 5

    @property
    def related(self) -> bool:
        return self >= Level.POSSIBLE


class Outcome(_Codelist):
    """AEOUT (C66768)."""

    FATAL = "FATAL"
    NOT_RECOVERED = "NOT RECOVERED/NOT RESOLVED"
    RECOVERED = "RECOVERED/RESOLVED"
    RECOVERED_WITH_SEQUELAE = "RECOVERED/RESOLVED WITH SEQUELAE"
    RECOVERING = "RECOVERING/RESOLVING"
    UNKNOWN = "UNKNOWN"


class ActionTaken(_Codelist):
    """AEACN (C66767)."""

    DOSE_INCREASED = "DOSE INCREASED"
    DOSE_NOT_CHANGED = "DOSE NOT CHANGED"
    DOSE_RATE_REDUCED = "DOSE RATE REDUCED"
    DOSE_REDUCED = "DOSE REDUCED"
    DRUG_INTERRUPTED = "DRUG INTERRUPTED"
    DRUG_WITHDRAWN = "DRUG WITHDRAWN"
    NOT_APPLICABLE = "NOT APPLICABLE"
    NOT_EVALUABLE = "NOT EVALUABLE"
    UNKNOWN = "UNKNOWN"


class Seriousness(StrEnum):
    """ICH E2A criteria; the value is the SDTM AE variable that reports each."""

    DEATH = "aesdth"
    LIFE_THREATENING = "aeslife"
    HOSPITALISATION = "aeshosp"
    DISABILITY = "aesdisab"
    CONGENITAL_ANOMALY = "aescong"
    MEDICALLY_IMPORTANT = "aesmie"


class ComponentKind(StrEnum):
    """What a study component is: given as a drug (EX) or done as a procedure (PR)."""

    DRUG = "drug"
    PROCEDURE = "procedure"


class Role(StrEnum):
    """Who a person of the configuration is to the trial."""

    INVESTIGATOR = "investigator"
    SAFETY_OFFICER = "safety_officer"
    MEDICAL_MONITOR = "medical_monitor"
    SPONSOR_REVIEWER = "sponsor_reviewer"
    DSMB_MEMBER = "dsmb_member"
    DATA_MANAGER = "data_manager"


class AlertKind(StrEnum):
    """Why a mail is owed; each has its words, per language, under templates/alerts/."""

    SAE_NEW = "sae_new"
    SAE_UPGRADED = "sae_upgraded"
    SAE_CHANGED = "sae_changed"
    SAE_DOWNGRADED = "sae_downgraded"
    SAE_DELETED = "sae_deleted"
    SAE_ROW_REJECTED = "sae_row_rejected"
    LAB_UNREPORTED = "lab_unreported"
    LAB_WITHDRAWN = "lab_withdrawn"
    HYS_LAW = "hys_law"
    SUSAR = "susar"
    CLOCK_CHANGED = "clock_changed"
    CLOCK_REMINDER = "clock_reminder"
    CLOCK_OVERDUE = "clock_overdue"
    DRAFT_UNFINISHED = "draft_unfinished"
    STOPPING = "stopping"
    REPORT = "report"
    ALERT_UNDELIVERED = "alert_undelivered"
    ALERT_UNACKNOWLEDGED = "alert_unacknowledged"
    DIGEST = "digest"


class AlertState(StrEnum):
    """Where an outbox row stands. A row leaves PENDING only by being sent."""

    PENDING = "pending"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"


class ClockState(StrEnum):
    """Where a reporting clock stands. Whatever ends one, the row and its due date stay."""

    RUNNING = "running"
    MET = "met"
    CANCELLED = "cancelled"  # a downgrade: the duty no longer holds
    SUPERSEDED = "superseded"  # another clock, linked to it, runs in its place
    NOT_MONITORED = "not_monitored"  # history, recorded with --backfill


class ClockCause(StrEnum):
    """Why a clock was opened."""

    INITIAL = "initial"
    FOLLOW_UP = "follow_up"  # significant new information
    AWARENESS = "awareness"  # the day of awareness became known, or was corrected
    REOPENED = "reopened"  # a duty that had ended holds again


class DraftState(StrEnum):
    """Where an event stands that somebody reported before the data have it."""

    OPEN = "open"
    REPORTED = "reported"  # it is a record of the data now
    DISMISSED = "dismissed"


class Matter(StrEnum):
    """What a person may decide about a reported event, beside causality."""

    GRADE = "grade"
    SERIOUSNESS = "seriousness"
    EXPECTEDNESS = "expectedness"
    SUSAR = "susar"


class Mark(StrEnum):
    """What a report is handed out as. Only a final one is signed, and only a final one is "the last report" to the next."""

    DRAFT = "draft"
    FINAL = "final"


class JobStatus(StrEnum):
    """State of one period of one scheduled job in the ledger ``job_run``."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class EpisodeEnd(StrEnum):
    """How an episode of results ended, if it did (docs/events.md, rule 7)."""

    RESOLVED = "resolved"
    GAP = "gap"
    ONGOING_AT_DEATH = "ongoing_at_death"
    ONGOING = "ongoing"


class Match(StrEnum):
    """What a laboratory episode is to the reported events."""

    MATCHED = "matched"  # one event, reported once
    COVERED = "covered"  # a report that has its own match covers this one too
    AMBIGUOUS = "ambiguous"  # several reports fit equally well: a person decides
    UNREPORTED = "unreported"


class CaseState(StrEnum):
    """Where an unreported episode at or above the study's grade stands."""

    NONE = "none"  # no case: reported, or below the grade, or not treatment-emergent
    DRAFT = "draft"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    WITHDRAWN = "withdrawn"  # the results that made it were corrected


class QueryState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"
