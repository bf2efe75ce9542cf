"""Stopping rules: where the trial stands, the boundary at every look, and what the rule does in the long run.

``rule`` numbers the rules in the order of the study settings. Where none is configured, ``event_rates`` still has the
rates that a board would look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import polars as pl

from safety_monitor.reporting.tables.base import Schema, Study, Table, exact_limits, percent, rows_to_frame
from safety_monitor.reporting.wording import words
from safety_monitor.rules import stopping as rules
from safety_monitor.study import StoppingRule

_RULE = {
    "rule": pl.Int64, "event": pl.String, "components": pl.String, "method": pl.String, "p0": pl.Float64,
    "phi": pl.Float64, "n_max": pl.Int64,
}  # fmt: skip
STANDING = {
    **_RULE, "n_treated": pl.Int64, "n_events": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64,
    "cp_hi": pl.Float64, "boundary": pl.Int64, "crossed": pl.Boolean, "first_crossed_at": pl.Int64,
    "next_trigger": pl.String, "one_away": pl.Boolean, "prior_a": pl.Float64,
    "prior_b": pl.Float64, "certainty": pl.Float64, "posterior": pl.Float64, "all_treated": pl.Int64,
}  # fmt: skip
BOUNDARY = {**_RULE, "n_treated": pl.Int64, "stop_at": pl.Int64}
OPERATING = {
    **_RULE, "p": pl.Float64, "stopped": pl.Float64, "stopped_early": pl.Float64, "expected_n": pl.Float64,
    "expected_events": pl.Float64,
}  # fmt: skip
PATH = {**_RULE, "n_treated": pl.Int64, "n_events": pl.Int64}
RATES = {
    "event": pl.String, "n": pl.Int64, "N": pl.Int64, "pct": pl.Float64, "cp_lo": pl.Float64, "cp_hi": pl.Float64,
}  # fmt: skip
NOT_CONFIGURED = "not configured"


def tables(study: Study) -> Iterator[Table]:
    yield stopping(study)
    yield stopping_path(study)
    yield stopping_boundary(study)
    yield stopping_operating(study)
    yield event_rates(study)


def had_event(study: Study, rule: StoppingRule) -> list[bool]:
    """For each treated subject, in the order of first treatment, whether the event of *rule* happened."""
    with_event = _since_treatment(study).filter(rules.counted(rule).predicate)["usubjid"]
    return _in_order(study).is_in(with_event.implode()).to_list()


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The records behind each number of subjects: rows are ``rule 1`` and so on, and the names of the events."""
    since = _since_treatment(study)
    for number, rule in enumerate(study.settings.stopping, start=1):
        counted = since.filter(rules.counted(rule).predicate, pl.col("usubjid").is_in(_in_order(study)[: _last(rule)].implode()))
        yield _cells(counted, "stopping", f"rule {number}", "n_events")
    for name, event in rules.EVENTS.items():
        if all(study.events[flag].null_count() < study.events.height for flag in event.flags):
            yield _cells(since.filter(event.predicate), "event_rates", name, "n")


def stopping(study: Study) -> Table:
    """One row per configured rule."""
    rule_text = words(
        "Treated subjects, in the order of first treatment and up to the planned maximum, with the event at any "
        "time since first treatment; exact 95% limits."
    )
    rows = []
    for number, rule in enumerate(study.settings.stopping, start=1):
        found = rules.standing(had_event(study, rule), rules.boundary(rule))
        trigger = None if found.next_trigger is None else "{} of {}".format(*found.next_trigger)
        prior = rules.prior_of(rule) or (None, None)
        rows.append((
            *_identity(number, rule), found.n_treated, found.n_events, percent(found.n_events, found.n_treated),
            *exact_limits(found.n_events, found.n_treated), found.boundary, found.crossed, found.first_crossed_at,
            trigger, found.one_away, *prior, rules.certainty_of(rule),
            rules.posterior(rule, found.n_events, found.n_treated), study.n,
        ))  # fmt: skip
    return _table("stopping", words("Stopping rules"), rows, STANDING, rule_text)


def stopping_path(study: Study) -> Table:
    """How every rule's count grew with the subjects treated, as known at the cut-off."""
    rule_text = words(
        "Subjects with the event among the first treated, the first two treated, and so on, as known at the cut-off."
    )
    rows = []
    for number, rule in enumerate(study.settings.stopping, start=1):
        path = had_event(study, rule)[: _last(rule)]
        rows += [(*_identity(number, rule), n, count) for n, count in enumerate(accumulate(path), start=1)]
    title = words("Stopping rules: the count as subjects were treated")
    if study.settings.stopping:
        return Table("stopping_path", title, rows_to_frame(rows, PATH), rule_text)
    return Table.absent("stopping_path", title, PATH, rule_text, NOT_CONFIGURED)


def stopping_boundary(study: Study) -> Table:
    """The boundary of every rule at every look."""
    rule_text = words(
        "The trial stops where that many or more of the subjects treated had the event; empty: no count stops yet."
    )
    rows = []
    for number, rule in enumerate(study.settings.stopping, start=1):
        limit = rules.boundary(rule)
        rows += [(*_identity(number, rule), n, at) for n, at in zip(limit.looks, limit.at, strict=True)]
    return _table("stopping_boundary", words("Stopping boundaries"), rows, BOUNDARY, rule_text)


def stopping_operating(study: Study) -> Table:
    """What every rule does in the long run, at the acceptable rate and at worse ones."""
    rule_text = words("Exact chance of stopping, expected subjects treated and expected events if the true rate is p.")
    rows = [
        (*_identity(number, rule), o.p, o.stopped, o.stopped_early, o.expected_n, o.expected_events)
        for number, rule in enumerate(study.settings.stopping, start=1)
        for o in rules.characteristics(rule)
    ]
    return _table("stopping_operating", words("Operating characteristics"), rows, OPERATING, rule_text)


def event_rates(study: Study) -> Table:
    """Subjects with each event that a rule can count, of all treated; null where its flag was not collected."""
    since, rows = _since_treatment(study), []
    for name, event in rules.EVENTS.items():
        n = None
        if all(study.events[flag].null_count() < max(study.events.height, 1) for flag in event.flags):
            n = since.filter(event.predicate)["usubjid"].n_unique()
        limits = (None, None) if n is None else exact_limits(n, study.n)
        rows.append((name, n, study.n, None if n is None else percent(n, study.n), *limits))
    rule = words(
        "Treated subjects with the event at any time since first treatment, also after the treatment-emergent window (so a "
        "number may exceed that of the overview), of N = {n} treated; exact 95% limits (Clopper-Pearson). No rule is applied to "
        "these rates.",
        n=study.n,
    )
    return Table("event_rates", words("Rates of events that a stopping rule can count"), rows_to_frame(rows, RATES), rule)


def _since_treatment(study: Study) -> pl.DataFrame:
    """Events from first treatment on, whenever they began: a late related death still counts."""
    return study.events.filter(pl.col("treatment_emergent") | (pl.col("onset_on") >= pl.col("first_treatment_on")))


def _in_order(study: Study) -> pl.Series:
    return study.treated.sort("first_treatment_on", "usubjid", nulls_last=True)["usubjid"]


def _last(rule: StoppingRule) -> int:
    return rules.boundary(rule).looks[-1]


def _cells(records: pl.DataFrame, table: str, row: str, column: str) -> pl.DataFrame:
    return records.select(
        pl.lit(table).alias("table"), pl.lit(row).alias("row"), pl.lit(column).alias("column"),
        pl.col("usubjid").alias("USUBJID"), pl.col("aeseq").alias("AESEQ"),
    )  # fmt: skip


def _identity(number: int, rule: StoppingRule) -> tuple[int, str, str | None, str, float, float | None, int]:
    """``phi`` only where it decides: not beside a fixed certainty."""
    phi = rule.phi if rules.certainty_of(rule) is None else None
    return number, rule.event, " ".join(rule.components) or None, rule.method, rule.p0, phi, rule.n_max


def _table(name: str, title: str, rows: Sequence[Sequence[object]], columns: Schema, rule: str) -> Table:
    if not rows:
        return Table.absent(name, title, columns, rule, NOT_CONFIGURED)
    return Table(name, title, rows_to_frame(rows, columns), rule)
