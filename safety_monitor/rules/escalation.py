"""Which change of an event somebody must be told about at once, and why.

Told: a new serious event, an upgrade to serious, a serious event whose grade, seriousness criteria or fatal
outcome change, a downgrade, a deletion, and a refused row that looks serious. Two changes at once are one
alert, of the more important, which lists the other. Serious is what ICH E2A calls serious, never the grade;
but an event that ended fatally is told even where nobody flagged it as serious: missing a death because
of a blank box is worse than one mail too many.

>>> alone = dict(usubjid="01", aeseq=1, term="Pneumothorax", grade=3, version=1)
>>> [(d.kind.value, d.rule_id) for d in decide_alerts(None, EventState(**alone, serious=True))]
[('sae_new', 'new_serious_event')]
>>> decide_alerts(None, EventState(**alone))
()
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safety_monitor.records import Rejection
from safety_monitor.rules.normalise import Row, canonical, whole_number
from safety_monitor.vocabulary import AlertKind, Outcome, Seriousness


@dataclass(frozen=True, slots=True, kw_only=True)
class EventState:
    """What is known of one event at one version. ``serious_basis`` holds names of ``Seriousness``,
    ``relatedness`` the investigator's opinion per component, ``leading`` the cause with the largest share,
    ``criterion`` what the standard understands by the grade, ``immune`` the answer of ``rules.immune``, ``advice`` the lines
    of ``rules.advising`` by language.
    ``aeseq`` is None only for a refused row that has none."""

    usubjid: str
    aeseq: int | None
    term: str
    version: int
    siteid: str | None = None
    verbatim: str | None = None
    grade: int | None = None
    serious: bool = False
    serious_basis: tuple[str, ...] = ()
    fatal: bool = False
    onset: str | None = None
    outcome: str | None = None
    deleted: bool = False
    relatedness: Mapping[str, str] = field(default_factory=dict)
    leading: str | None = None
    queries: tuple[str, ...] = ()
    criterion: str = ""
    immune: str | None = None
    advice: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def must_be_told(self) -> bool:
        """Whether this state, as it stands, is one that the safety staff has to know."""
        return not self.deleted and (self.serious or self.fatal)


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs; values as text, None where not reported."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class AlertDecision:
    """One alert that is owed: which rule asks for it, why in one sentence, and all that changed.

    For a refused row, which has no event version, ``where`` says what is wrong with it and ``distinct`` is
    the hash of its content; ``clocks`` are the reporting clocks it is about (``rules.notices.line``),
    ``judgements`` what holds for each component, ``stopping`` where the study stands.
    """

    kind: AlertKind
    rule_id: str
    why: str
    changes: tuple[Change, ...] = ()
    where: str = ""
    distinct: str = ""
    clocks: tuple[Mapping[str, Any], ...] = ()
    judgements: tuple[Mapping[str, str], ...] = ()
    stopping: Mapping[str, Any] | None = None


def decide_alerts(before: EventState | None, after: EventState | None) -> tuple[AlertDecision, ...]:
    """The alert owed for the step from *before* to *after*, or none. None: the event is not there."""
    told = before is not None and before.must_be_told
    if after is None or after.deleted:
        if not told:
            return ()
        return _decision(AlertKind.SAE_DELETED, "serious_event_deleted", ())
    if before is None or before.deleted:
        if not after.must_be_told:
            return ()
        if not after.serious:
            return _decision(AlertKind.SAE_NEW, "new_fatal_event_not_flagged_serious", ())
        return _decision(AlertKind.SAE_NEW, "serious_event_returned" if before else "new_serious_event", ())
    changes = changes_between(before, after)
    if told and not after.must_be_told:
        return _decision(AlertKind.SAE_DOWNGRADED, "no_longer_serious", changes)
    if after.must_be_told and not told:
        rule = "upgraded_to_serious" if after.serious else "became_fatal_not_flagged_serious"
        return _decision(AlertKind.SAE_UPGRADED, rule, changes)
    if told:
        for rule, (kind, applies) in _CHANGE_RULES.items():
            if applies(before, after):
                return _decision(kind, rule, changes)
    return ()


def decide_refused(
    rejection: Rejection, row: Row, siteid: str | None, fatal: bool = False
) -> tuple[AlertDecision, EventState]:
    """The alert owed for a refused AE row that looks serious, and the little that can be said of the event.

    The same row refused again gives the same ``distinct``: it is told once.
    """
    try:
        aeseq = whole_number(row.get("AESEQ"))
    except ValueError:
        aeseq = None
    state = EventState(
        usubjid=row.get("USUBJID") or "",
        aeseq=aeseq,
        term=row.get("AEDECOD") or row.get("AETERM") or "",
        version=0,
        siteid=siteid,
        verbatim=row.get("AETERM"),
        serious=True,
        serious_basis=tuple(
            c.name for c in Seriousness if (row.get(c.value.upper()) or "").strip().upper() == "Y"
        ),
        fatal=fatal or Outcome.of(row.get("AEOUT")) is Outcome.FATAL,
        onset=row.get("AESTDTC"),
        outcome=row.get("AEOUT"),
    )
    rule = "refused_row_looks_serious"
    decision = AlertDecision(
        AlertKind.SAE_ROW_REJECTED, rule, WHY[rule],
        where=f"{rejection.file} row {rejection.row}: {rejection.field} {rejection.why}",
        distinct=hashlib.sha256(canonical(row).encode()).hexdigest(),
    )  # fmt: skip
    return decision, state


def changes_between(before: EventState, after: EventState) -> tuple[Change, ...]:
    """Every field that differs and that a reader of an alert wants to see, the important ones first."""
    changes = [
        Change(name, _text(getattr(before, name)), _text(getattr(after, name)))
        for name in ("fatal", "serious", "serious_basis", "grade", "outcome", "term", "onset")
        if getattr(before, name) != getattr(after, name)
    ]
    for component in sorted({*before.relatedness, *after.relatedness}):
        old, new = before.relatedness.get(component), after.relatedness.get(component)
        if old != new:
            changes.append(Change(f"related:{component}", old, new))
    return tuple(changes)


#: Why each rule alerts: the sentence of the log and of the audit. Mails have their own words.
WHY = {
    "new_serious_event": "A serious event was reported for the first time.",
    "new_fatal_event_not_flagged_serious": "An event was reported as fatal without being flagged as serious.",
    "serious_event_returned": "A serious event that had been deleted is reported again.",
    "upgraded_to_serious": "An event reported as not serious is now serious.",
    "became_fatal_not_flagged_serious": "An event became fatal without being flagged as serious.",
    "became_fatal": "A serious event is now reported as fatal.",
    "no_longer_fatal": "A serious event reported as fatal no longer is.",
    "grade_changed": "The grade of a serious event changed.",
    "criteria_changed": "The seriousness of an event is reported on other grounds than before.",
    "no_longer_serious": "A serious event is no longer reported as serious.",
    "serious_event_deleted": "A serious event was deleted at its source.",
    "refused_row_looks_serious": "A row that looks like a serious event could not be imported.",
    "results_without_report": "Results reached a grade at which an event should be reported, and none is.",
    "unreported_results_worse": "Results of a case that is not reported became worse.",
    "results_corrected": "The results behind a case were corrected; the case is withdrawn.",
    "hys_law_candidate": "The results of a subject meet the numbers of Hy's law.",
    "susar_suspected": "By what is on record the event is a suspected unexpected serious adverse reaction (SUSAR).",
    "susar_decided": "A person decided that the event is a suspected unexpected serious adverse reaction (SUSAR).",
    "clock_started": "A report has become due.",
    "clock_cancelled": "A report that was due no longer is.",
    "clock_superseded": "The day of awareness became known or was corrected; another due date takes the place of the former.",
    "clock_near_due": "A report is due soon.",
    "clock_overdue": "A report is overdue.",
    "draft_waits": "A serious event that was told to the sponsor does not stand in the data yet.",
    "boundary_crossed": "A stopping boundary is crossed.",
    "boundary_near": "One more event would cross a stopping boundary.",
    "alert_unacknowledged": "Nobody has acknowledged an alert about a serious event.",
    "report_issued": "A scheduled report was made.",
    "mail_keeps_failing": "A mail keeps failing.",
    "mail_bounced": "A mail came back after the server had taken it.",
    "digest": "Many alerts of one kind came at once.",
    "hys_law_withdrawn": "The results no longer meet the numbers of Hy's law.",
}


def _ended(state: EventState) -> bool:
    """Whether the event ended in death: by the assessment, or by its outcome."""
    return state.fatal or Outcome.of(state.outcome) is Outcome.FATAL


_Applies = Callable[[EventState, EventState], bool]

#: What a change of an event already told must touch to be told again; the first that applies names the alert.
_CHANGE_RULES: Mapping[str, tuple[AlertKind, _Applies]] = {
    "became_fatal": (AlertKind.SAE_CHANGED, lambda old, new: _ended(new) and not _ended(old)),
    "upgraded_to_serious": (AlertKind.SAE_UPGRADED, lambda old, new: new.serious and not old.serious),
    "no_longer_serious": (AlertKind.SAE_DOWNGRADED, lambda old, new: old.serious and not new.serious),
    "no_longer_fatal": (AlertKind.SAE_CHANGED, lambda old, new: _ended(old) and not _ended(new)),
    "grade_changed": (AlertKind.SAE_CHANGED, lambda old, new: old.grade != new.grade),
    "criteria_changed": (
        AlertKind.SAE_CHANGED, lambda old, new: set(old.serious_basis) != set(new.serious_basis)
    ),
}  # fmt: skip


def _decision(kind: AlertKind, rule: str, changes: tuple[Change, ...]) -> tuple[AlertDecision, ...]:
    return (AlertDecision(kind, rule, WHY[rule], changes),)


def _text(value: object) -> str | None:
    if value is None or value == ():
        return None
    if isinstance(value, bool):
        return "Y" if value else "N"
    return ";".join(value) if isinstance(value, tuple) else str(value)
