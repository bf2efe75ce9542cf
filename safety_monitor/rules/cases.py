"""Who must hear of what results say and nobody reported: a case that opens, grows or is withdrawn, and a liver signal.

A case is a laboratory episode at or above the study's grade without a report (``reconciliation.case_of``). It is told
when it opens, and again when its grade rises; when the results behind it are corrected away, that is told too.
"""

from __future__ import annotations

from safety_monitor.records import Episode, Query
from safety_monitor.rules.escalation import WHY, AlertDecision, Change, EventState
from safety_monitor.vocabulary import AlertKind, CaseState

#: What the mail names where no term stands behind a signal.
HYS_LAW = "Hy's law candidate"
_OPEN = (CaseState.DRAFT, CaseState.CONFIRMED)

Told = tuple[AlertDecision, EventState]


def decide_case(before: Episode | None, after: Episode | None, siteid: str | None, version: int) -> Told | None:
    """The alert owed for the step of one episode from *before* to *after*; None stands for an episode that is not there.

    *version* counts the changes of the case: the same step is told once.
    """
    was_open = before is not None and before.case_state in _OPEN
    is_open = after is not None and after.case_state in _OPEN
    if after is not None and after.case_state is CaseState.DRAFT and not was_open:
        return _told(AlertKind.LAB_UNREPORTED, "results_without_report", after, siteid, version)
    if before is not None and after is not None and was_open and is_open and after.worst_grade > before.worst_grade:
        change = Change("grade", str(before.worst_grade), str(after.worst_grade))
        return _told(AlertKind.LAB_UNREPORTED, "unreported_results_worse", after, siteid, version, (change,))
    if before is not None and was_open and (after is None or after.case_state is CaseState.WITHDRAWN):
        return _told(AlertKind.LAB_WITHDRAWN, "results_corrected", before, siteid, version)
    return None


def decide_liver(query: Query, opened: bool) -> Told | None:
    """The alert owed where the question about Hy's law *opened*, or closed because the data changed."""
    if query.check_id != "HYS_LAW_CANDIDATE":
        return None
    rule = "hys_law_candidate" if opened else "hys_law_withdrawn"
    kind = AlertKind.HYS_LAW if opened else AlertKind.LAB_WITHDRAWN
    state = EventState(usubjid=query.usubjid or "", aeseq=None, term=HYS_LAW, version=0, siteid=query.siteid)
    return AlertDecision(kind, rule, WHY[rule], distinct=query.text), state


def _told(
    kind: AlertKind, rule: str, episode: Episode, siteid: str | None, version: int, changes: tuple[Change, ...] = ()
) -> Told:
    state = EventState(
        usubjid=episode.usubjid, aeseq=None, term=episode.term, version=0, siteid=siteid, grade=episode.worst_grade,
        onset=episode.onset_on.isoformat(),
    )  # fmt: skip
    distinct = f"{episode.term} {episode.opened_on.isoformat()} {version}"
    return AlertDecision(kind, rule, WHY[rule], changes, distinct=distinct), state
