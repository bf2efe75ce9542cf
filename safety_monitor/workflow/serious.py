"""The desk that reporting is decided at, within the transaction of an import or a decision: what is on record about clocks,
people's decisions, receipts and drafts, and what follows for each event (``rules.duties``, ``rules.clocks``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from safety_monitor.config import Config
from safety_monitor.records import AdverseEvent, Assessment, CaseDecision, ComponentOpinion
from safety_monitor.rules.clocks import RECEIPT, Awareness, ClockChanges, StoredClock, decide_clocks, significant
from safety_monitor.rules.duties import Reporting, latest, reporting_of, seriousness
from safety_monitor.rules.escalation import AlertDecision, EventState, changes_between, decide_alerts
from safety_monitor.rules.normalise import Row, aware_at
from safety_monitor.rules.notices import decide_reporting
from safety_monitor.store import clocks as clock_store
from safety_monitor.store.clocks import DraftOnRecord
from safety_monitor.store.events import StoredEvent
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import ClockCause, ClockState, DraftState, Matter

#: The actor of what follows from data.
BY_DATA = "import"


@dataclass
class Desk:
    """One study's reporting, as it stands before this transaction. ``history``: recorded, nobody is told, no clock runs."""

    session: Session
    settings: StudySettings
    zone: ZoneInfo
    at: datetime
    history: bool = False
    clocks: Mapping[int, list[StoredClock]] = field(default_factory=dict)
    decisions: Mapping[int, list[CaseDecision]] = field(default_factory=dict)
    receipts: Mapping[tuple[str, int], Awareness] = field(default_factory=dict)
    drafts: Sequence[DraftOnRecord] = ()
    n_opened: int = 0
    n_closed: int = 0
    n_judged: int = 0

    @classmethod
    def of(
        cls, session: Session, config: Config, settings: StudySettings, receipts: Sequence[Row], at: datetime, history: bool
    ) -> Desk:
        return cls(
            session, settings, sponsor_zone(config, settings), at, history, clock_store.clocks_by_event(session, settings.id),
            clock_store.decisions_by_event(session, settings.id), awareness_of(receipts, settings),
            clock_store.drafts(session, settings.id, state=DraftState.OPEN),
        )  # fmt: skip

    def serious_before(self, before: StoredEvent) -> bool:
        """Whether the event counted as serious up to now, people's decisions included."""
        earlier = [each for each in self.decisions.get(before.id, ()) if each.at < self.at]
        return seriousness(before.assessment or Assessment(), latest(earlier))[0]

    def reporting(
        self, event_id: int, event: AdverseEvent, assessment: Assessment, opinions: Sequence[ComponentOpinion],
        substances: Mapping[str, str | None],
    ) -> Reporting:  # fmt: skip
        return reporting_of(event, assessment, opinions, self.decisions.get(event_id, ()), self.settings, substances)

    def taken(self) -> dict[tuple[str, int], datetime]:
        """The awareness, by a receipt, that the clocks of each event run from."""
        return {
            (each.usubjid, each.aeseq): each.clock.aware_at
            for each in sorted(clock_store.clocks(self.session, self.settings.id), key=lambda each: each.id)
            if each.clock.aware_basis == RECEIPT and each.clock.cause in (ClockCause.INITIAL, ClockCause.AWARENESS)
            and each.clock.state not in (ClockState.SUPERSEDED, ClockState.MET)
        }  # fmt: skip

    def settle(
        self, event_id: int, reporting: Reporting, before: StoredEvent | None, was: EventState | None, after: EventState
    ) -> tuple[AlertDecision, ...]:
        """Opens and closes the clocks of one event; every alert that the step from *was* to *after* owes."""
        told = decide_alerts(was, after)
        if not (
            reporting.serious
            or reporting.duties
            or event_id in self.clocks
            or (before and before.assessment and before.assessment.susar)
        ):
            return told
        aware = self._aware(after, reporting.serious)
        changed = changes_between(was, after) if was is not None else ()
        news = was is not None and after.version != was.version and significant(changed)
        clocks = decide_clocks(
            reporting, self.clocks.get(event_id, ()), aware, study_id=self.settings.id, event_version=after.version, news=news,
            at=self.at, zone=self.zone, history=self.history,
        )  # fmt: skip
        self._keep(event_id, clocks)
        susar_before = before.assessment.susar if before and before.assessment and not before.is_deleted else ()
        self.n_judged += set(susar_before) != {each.component for each in reporting.judgements if each.susar}
        decided = any(each.subject_matter is Matter.SUSAR and each.at == self.at for each in self.decisions.get(event_id, ()))
        return told + decide_reporting(susar_before, reporting, clocks, decided)

    def withdraw(self, before: StoredEvent, reason: str) -> tuple[AlertDecision, ...]:
        """The record of an event is gone: its running clocks end, and that is told."""
        nothing = Reporting(False, reason, (), ())
        clocks = decide_clocks(
            nothing, self.clocks.get(before.id, ()), Awareness(), study_id=self.settings.id, event_version=before.version + 1,
            news=False, at=self.at, zone=self.zone, history=self.history,
        )  # fmt: skip
        self._keep(before.id, clocks)
        return decide_reporting((), nothing, clocks, False)

    def _keep(self, event_id: int, changes: ClockChanges) -> None:
        clock_store.close_clocks(self.session, changes.closed, self.at, BY_DATA)
        clock_store.open_clocks(self.session, event_id, changes.opened)
        self.n_opened += len(changes.opened)
        self.n_closed += len(changes.closed)

    def _aware(self, event: EventState, serious: bool) -> Awareness:
        """What the receipt says, or the draft by which the sponsor first heard of the event; the earlier holds."""
        known = self.receipts.get((event.usubjid, event.aeseq or 0), Awareness())
        matching = [
            each
            for each in self.drafts
            if (each.draft.usubjid, each.draft.term.casefold()) == (event.usubjid, event.term.casefold())
        ]
        if not serious or len(matching) != 1:
            return known
        (found,) = matching
        self.drafts = [each for each in self.drafts if each is not found]
        clock_store.close_draft(
            self.session,
            found.id,
            aeseq=event.aeseq,
            at=self.at,
            by=BY_DATA,
            reason="the record of the data has its subject and term",
        )
        earliest = min(filter(None, (known.sponsor_at, found.draft.aware_at)))
        return replace(known, sponsor_at=earliest)


def sponsor_zone(config: Config, settings: StudySettings) -> ZoneInfo:
    """The time zone that days of reporting are counted in: the sponsor's where it is configured, else the study's."""
    return ZoneInfo(config.timezone) if config.timezone else settings.zone


def awareness_of(receipts: Sequence[Row], settings: StudySettings) -> dict[tuple[str, int], Awareness]:
    """``sae_receipt.csv`` by (USUBJID, AESEQ)."""
    return {
        (str(row["USUBJID"]), int(float(str(row["AESEQ"])))): Awareness(
            aware_at(row.get("SITE_AWARE_AT"), settings), aware_at(row.get("SPONSOR_AWARE_AT"), settings)
        )
        for row in receipts
    }
