"""What a report carries over from the last one: the events as they stood in it, its key figures, the board's action items.

The last report is the last final one of the same kind whose day (``store.snapshots``) is earlier than that of the present one;
it is read from its kept snapshot, not from what the data have become. Frames added to the snapshot:

- ``last_report`` (one row) and ``previous`` (one row an event), ``previous_labs`` (worst grade of a subject and term, the safety
  officer's report only); absent where no report was issued before
- ``actions``: items that are open, and those closed since the last report was issued, with their resolution
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import polars as pl
from sqlalchemy import Engine
from sqlmodel import Session

from ctcae_v403 import Wording
from safety_monitor import store
from safety_monitor.records import Snapshot
from safety_monitor.store import actions as action_store
from safety_monitor.store import snapshots
from safety_monitor.store.snapshots import ReportOnRecord
from safety_monitor.version import VERSIONS
from safety_monitor.workflow.freezing import freeze
from safety_monitor.workflow.studies import collected

_PREVIOUS = {
    "usubjid": pl.String, "aeseq": pl.Int64, "grade": pl.Int64, "serious": pl.Boolean, "fatal": pl.Boolean, "aeout": pl.String,
    "related": pl.Boolean, "aedecod": pl.String,
}  # fmt: skip
_LAST = {
    "issued_on": pl.Date, "cutoff": pl.Date, "snapshot": pl.String, "n_treated": pl.Int64, "n_deaths": pl.Int64,
    "number": pl.Int64,
}  # fmt: skip
_ACTIONS = {
    "number": pl.Int64, "text": pl.String, "owner": pl.String, "due": pl.Date, "overdue": pl.Boolean, "raised_on": pl.Date,
    "report": pl.Int64, "closed_on": pl.Date, "resolution": pl.String,
}  # fmt: skip


def freeze_dsmb(
    engine: Engine, study_id: str, cutoff: date | None, at: datetime, wording: Mapping[int, Wording] | None = None
) -> Snapshot:
    """The study for its board: at *cutoff* (None: the study's own, else all data up to *at*), with the last report beside it."""
    with store.reading(engine) as session:
        snapshot = freeze(replace(collected(session, study_id), wording=wording or {}), cutoff, VERSIONS)
        return since_last(session, snapshot, "dsmb", at)


def since_last(session: Session, snapshot: Snapshot, kind: str, at: datetime) -> Snapshot:
    """*snapshot* with the frames of this module, for a report of *kind* that is issued at *at*."""
    study_id: str = snapshot.study["study"]["id"]
    day = snapshot.cutoff if kind == "dsmb" and snapshot.cutoff else at.date()
    last = snapshots.last_issued(session, study_id, kind, day)
    frames = {"actions": _actions(session, study_id, last, at.date())}
    if last is not None:
        then = snapshots.kept_snapshot(session, last.snapshot_sha256)
        assert then is not None
        frames |= _as_it_stood(then, last)
        if kind != "dsmb" and "labs" in then.frames:
            frames["previous_labs"] = worst_labs(then.frames["labs"])
    return replace(snapshot, frames={**snapshot.frames, **frames})


def _as_it_stood(then: Snapshot, last: ReportOnRecord) -> dict[str, pl.DataFrame]:
    treated = then.frames["subjects"].filter("treated")
    row = {
        "issued_on": last.issued_at.date(), "cutoff": then.cutoff, "snapshot": last.snapshot_sha256, "n_treated": treated.height,
        "n_deaths": int(treated["dthfl"].fill_null(False).sum()), "number": last.number,
    }  # fmt: skip
    return {
        "last_report": pl.DataFrame([row], schema=_LAST),
        "previous": then.frames["events"].select([pl.col(name).cast(kind) for name, kind in _PREVIOUS.items()]),
    }


def worst_labs(labs: pl.DataFrame) -> pl.DataFrame:
    """The worst grade after baseline of each subject and term."""
    graded = labs.filter(pl.col("post_baseline"), pl.col("grade").is_not_null(), pl.col("term").is_not_null())
    return graded.group_by("usubjid", "term").agg(pl.col("grade").max()).sort("usubjid", "term")


def _actions(session: Session, study_id: str, last: ReportOnRecord | None, today: date) -> pl.DataFrame:
    numbers = {each.id: each.number for each in snapshots.issued_reports(session, study_id)}
    rows: list[dict[str, Any]] = []
    for each in action_store.actions(session, study_id):
        item = each.item
        if item.closed_at is None or last is None or item.closed_at > last.issued_at:
            rows.append({
                "number": each.id, "text": item.text, "owner": item.owner, "due": item.due_on,
                "overdue": item.closed_at is None and item.due_on < today, "raised_on": item.opened_at.date(),
                "report": numbers.get(item.report_id) if item.report_id else None,
                "closed_on": item.closed_at.date() if item.closed_at else None, "resolution": item.resolution,
            })  # fmt: skip
    return pl.DataFrame(rows, schema=_ACTIONS)
