"""Stopping rules: where the trial stands, the boundary at every number treated, and what the rule does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from safety_monitor.reporting.tables.base import Schema, Study, Table, exact_limits, percent, rows_to_frame
from safety_monitor.rules.stopping import boundary, characteristics, counted_event, standing
from safety_monitor.study import StoppingRule

_RULE = {
    "event": pl.String, "method": pl.String, "p0": pl.Float64, "phi": pl.Float64, "n_max": pl.Int64,
}  # fmt: skip
STANDING = {
    **_RULE, "n_treated": pl.Int64, "n_events": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64,
    "cp_hi": pl.Float64, "boundary": pl.Int64, "crossed": pl.Boolean, "first_crossed_at": pl.Int64,
    "next_trigger": pl.String,
}  # fmt: skip
BOUNDARY = {**_RULE, "n_treated": pl.Int64, "stop_at": pl.Int64}
OPERATING = {
    **_RULE, "p": pl.Float64, "stopped": pl.Float64, "stopped_early": pl.Float64, "expected_n": pl.Float64,
    "expected_events": pl.Float64,
}  # fmt: skip
NOT_CONFIGURED = "not configured"


def tables(study: Study) -> Iterator[Table]:
    yield stopping(study)
    yield stopping_boundary(study)
    yield stopping_operating(study)


def had_event(study: Study, rule: StoppingRule) -> list[bool]:
    """For each treated subject, in the order of first treatment, whether the event of *rule* happened.

    It counts from first treatment on, whenever it began: a late related death still counts.
    """
    since = pl.col("treatment_emergent") | (pl.col("onset_on") >= pl.col("first_treatment_on"))
    with_event = study.events.filter(since, counted_event(rule.event).predicate)["usubjid"]
    order = study.treated.sort("first_treatment_on", "usubjid", nulls_last=True)["usubjid"]
    return order.is_in(with_event.implode()).to_list()


def stopping(study: Study) -> Table:
    """One row per configured rule."""
    rule_text = (
        "Treated subjects, in the order of first treatment and up to the planned maximum, with the event at any "
        "time since first treatment; exact 95% limits."
    )
    rows = []
    for rule in study.settings.stopping:
        found = standing(had_event(study, rule), boundary(rule))
        trigger = None if found.next_trigger is None else "{} of {}".format(*found.next_trigger)
        rows.append((
            *_identity(rule), found.n_treated, found.n_events, percent(found.n_events, found.n_treated),
            *exact_limits(found.n_events, found.n_treated), found.boundary, found.crossed,
            found.first_crossed_at, trigger,
        ))  # fmt: skip
    return _table("stopping", "Stopping rules", rows, STANDING, rule_text)


def stopping_boundary(study: Study) -> Table:
    """The boundary of every rule at every number treated."""
    rule_text = "The trial stops where that many or more of the subjects treated had the event; empty: no count stops yet."
    rows = []
    for rule in study.settings.stopping:
        limit = boundary(rule)
        rows += [(*_identity(rule), n, at) for n, at in zip(limit.looks, limit.at, strict=True)]
    return _table("stopping_boundary", "Stopping boundaries", rows, BOUNDARY, rule_text)


def stopping_operating(study: Study) -> Table:
    """What every rule does in the long run, at the acceptable rate and at worse ones."""
    rule_text = (
        "Exact chance of stopping, expected subjects treated and expected events if the true rate is p."
    )
    rows = [
        (
            *_identity(rule),
            found.p,
            found.stopped,
            found.stopped_early,
            found.expected_n,
            found.expected_events,
        )
        for rule in study.settings.stopping
        for found in characteristics(rule)
    ]
    return _table("stopping_operating", "Operating characteristics", rows, OPERATING, rule_text)


def _identity(rule: StoppingRule) -> tuple[str, str, float, float, int]:
    return rule.event, rule.method, rule.p0, rule.phi, rule.n_max


def _table(name: str, title: str, rows: Sequence[Sequence[object]], columns: Schema, rule: str) -> Table:
    if not rows:
        return Table.absent(name, title, columns, rule, NOT_CONFIGURED)
    return Table(name, title, rows_to_frame(rows, columns), rule)
