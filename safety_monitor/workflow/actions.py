"""The board's action items: who may add and close them, and what is on the list."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Engine

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import ActionItem
from safety_monitor.store import actions, snapshots
from safety_monitor.store.actions import ActionOnRecord
from safety_monitor.workflow.deciding import DecisionError, may

_ACTION = "keep_actions"


def add_action(
    engine: Engine, config: Config, study_id: str, text: str, *, owner: str, due_on: date, actor: str, at: datetime,
    report: int | None = None,
) -> ActionOnRecord:  # fmt: skip
    """Puts what the board asked for on the list, of the issued *report* that was before it."""
    text, owner = text.strip(), owner.strip()
    if not text or not owner:
        raise DecisionError("an action item says what is to be done and by whom: TEXT and --owner must not be blank")
    with store.transaction(engine, actor=actor, reason="action item of the board", at=at) as session:
        person = may(config, actor, _ACTION, study_id, None)
        if report is not None and report not in {each.id for each in snapshots.issued_reports(session, study_id)}:
            raise DecisionError(f"no issued report of study {study_id} has the number {report}; see safety-monitor report list")
        item = ActionItem(
            study_id=study_id, text=text, owner=owner, due_on=due_on, report_id=report, opened_at=at, opened_by=person.name
        )
        return ActionOnRecord(actions.add(session, item), item)


def close_action(
    engine: Engine, config: Config, action_id: int, *, resolution: str, actor: str, at: datetime
) -> ActionOnRecord:
    """Takes an item off the list, with what became of it; the next report shows it once more."""
    resolution = resolution.strip()
    if not resolution:
        raise DecisionError("say what became of it: --resolution must not be blank")
    with store.transaction(engine, actor=actor, reason=f"resolved: {resolution}", at=at) as session:
        found = actions.action(session, action_id)
        if found is None:
            raise DecisionError(f"no action item has the number {action_id}; see safety-monitor actions list --all")
        person = may(config, actor, _ACTION, found.item.study_id, None)
        if not found.is_open:
            raise DecisionError(f"action item {action_id} was closed by {found.item.closed_by}: {found.item.resolution}")
        actions.close(session, action_id, by=person.name, at=at, resolution=resolution)
        closed = actions.action(session, action_id)
    assert closed is not None
    return closed


def listed_actions(engine: Engine, study_id: str, *, closed_too: bool = False) -> list[ActionOnRecord]:
    with store.reading(engine) as session:
        return [each for each in actions.actions(session, study_id) if closed_too or each.is_open]
