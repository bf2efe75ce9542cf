"""Exposure to each component: how long, how much, how often held, reduced and given again; sessions of procedures.

Holds and reductions are those that the attribution reads (``attribution.course.pauses_of``): there is one definition. The
numbers of each subject are in ``exposure_subjects``; the sums of ``exposure_components`` are made from these rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, starmap
from typing import Any

import polars as pl

from safety_monitor.attribution.catalogue import profile
from safety_monitor.attribution.course import pauses_of
from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.tables.base import Study, Table, percent, rows_to_frame
from safety_monitor.reporting.tables.disposition import NO_SITE, NOT_STATED, status
from safety_monitor.reporting.tables.exposure import observed
from safety_monitor.reporting.tables.measures import baseline_weights
from safety_monitor.reporting.tables.spread import SEPARATOR, SPREAD, cells_behind, groups, spread
from safety_monitor.reporting.wording import words
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.stats.incidence import DAYS_PER_YEAR
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

SUBJECTS = {
    "USUBJID": pl.String, "SITEID": pl.String, "component": pl.String, "substance": pl.String, "first_on": pl.Date,
    "last_on": pl.Date, "days": pl.Int64, "given": pl.Int64, "unit": pl.String, "cumulative": pl.Float64,
    "per_day": pl.Float64, "intended_dose": pl.Float64, "intended_from": pl.String, "intensity_pct": pl.Float64,
    "held": pl.Int64, "days_held": pl.Int64, "reduced": pl.Int64, "resumed": pl.Int64, "state": pl.String,
    "reason": pl.String, "person_years": pl.Float64,
}  # fmt: skip
COMPONENTS = {
    "component": pl.String, "row": pl.String, "value": pl.String, "n": pl.Int64, "pct": pl.Float64, "total": pl.Float64,
    **SPREAD,
}  # fmt: skip
NO_EXPOSURE = "exposure (EX, PR) was not imported"
WEIGHT, FIRST_DOSE = "body weight", "first dose"
GIVEN, GOING_ON, ENDED, ENDED_ALONE = "Subjects given", "Going on", "Ended", "Ended before the treatment as a whole"
HELD, REDUCED, RESUMED = "Held at least once", "Reduced at least once", "Given again after a hold"
_MEASURES = {
    "days": "Duration (days)", "given": "Doses given", "cumulative": "Cumulative dose", "per_day": "Mean daily dose",
    "intensity_pct": "Relative dose intensity (%)",
}  # fmt: skip
SESSIONS, SITE, MODALITY, PERSON_YEARS = "Sessions", "Location", "Modality", "Person-years"


def tables(study: Study) -> Iterator[Table]:
    yield exposure_components(study)
    yield study.once(exposure_subjects)


def doses(study: Study) -> pl.DataFrame | None:
    """The doses and sessions of treated subjects that belong to a component, above zero and with a start; None: not imported."""
    given = study.frame("exposures")
    if given is None:
        return None
    if "end_is_stated" not in given.columns:  # a snapshot of earlier versions
        given = given.with_columns(pl.lit(True).alias("end_is_stated"))
    known = (pl.col("dose") != 0).fill_null(True) & pl.col("component").is_not_null() & pl.col("start_on").is_not_null()
    return given.filter(known).join(study.treated, on="usubjid", how="semi").sort("usubjid", "component", "start_on", "seq")


def exposure_subjects(study: Study) -> Table:
    """One row per subject and component that was given."""
    name, title = "exposure_subjects", "Exposure of each subject"
    given = doses(study)
    rule = words(
        "Doses above zero and sessions, of treated subjects. Duration: first to last dose, both included, holds too. "
        "Intensity: the "
        "dose taken, in % of what was intended over that time, by body weight where a rule is stated, else by the first dose. "
        "Held: the next dose came later than due. Person-years: of drugs first to last dose and the usual time to the next; "
        "of procedures from the first session to the end of observation."
    )
    if given is None:
        return Table.absent(name, title, SUBJECTS, rule, NO_EXPOSURE)
    courses = _Courses(study)
    components = {component.name: component for component in study.settings.components}
    records = starmap(Given, given.select(Given.__slots__).iter_rows())
    rows = [
        courses.row(usubjid, components[component], list(part))
        for (usubjid, component), part in groupby(records, lambda each: (each.usubjid, each.component or ""))
        if component in components
    ]
    frame = pl.DataFrame(rows, schema=SUBJECTS) if rows else pl.DataFrame(schema=SUBJECTS)
    return Table(name, title, frame.sort("component", "USUBJID"), rule)


class _Courses:
    """What the rows of all subjects are made with."""

    def __init__(self, study: Study) -> None:
        people = study.once(status).join(observed(study).select("usubjid", "end"), on="usubjid", how="left")
        self.people = {row["usubjid"]: row for row in people.iter_rows(named=True)}
        self.weights = baseline_weights(study)
        self.cutoff = study.snapshot.cutoff

    def row(self, usubjid: str, component: Component, given: Sequence[Given]) -> dict[str, Any]:
        person = self.people[usubjid]
        first = min(each.start_on for each in given if each.start_on)
        last = max(each.end_on or each.start_on for each in given if each.start_on)
        assert first is not None
        assert last is not None
        state, reason = self._state(person, last)
        common = {
            "USUBJID": usubjid, "SITEID": person["siteid"] or NO_SITE, "component": component.name, "first_on": first,
            "last_on": last, "days": (last - first).days + 1, "state": state, "reason": reason,
            "substance": "; ".join(sorted({each.treatment for each in given})),
        }  # fmt: skip
        if component.kind is ComponentKind.PROCEDURE:
            until = person["end"] or self.cutoff or last
            years = max((until - first).days + 1, 1) / DAYS_PER_YEAR
            return common | {"given": len({each.start_on for each in given}), "person_years": years}
        return common | self._drug(person, component, given, first, last)

    def _drug(
        self, person: dict[str, Any], component: Component, given: Sequence[Given], first: date, last: date
    ) -> dict[str, Any]:
        interval = interval_of(component, given)
        pauses = pauses_of(given, max(round(interval), 1), None)
        holds = [pause for pause in pauses if pause.next_on is not None and not pause.reduced]
        taken = [number_of_doses(each, interval) for each in given]
        units = {each.unit for each in given}
        known = len(units) == 1 and all(each.dose is not None for each in given)
        total = sum(n * (each.dose or 0) for n, each in zip(taken, given, strict=True)) if known else None
        days = (last - first).days + 1
        intended = intended_dose(component, self.weights.get(person["usubjid"]), given)
        planned = 1 + (last - first).days / interval
        next_due = last + timedelta(days=max(round(interval), 1) - 1)
        until = min(day for day in (next_due, person["death_on"], self.cutoff) if day is not None)
        return {
            "given": sum(taken), "unit": next(iter(units)) if known else None, "cumulative": total,
            "per_day": None if total is None else total / max(days, round((last - first).days + interval)),
            "intended_dose": intended and intended[0], "intended_from": intended and intended[1],
            "intensity_pct": 100 * total / (intended[0] * planned) if total is not None and intended else None,
            "held": len(holds),
            "days_held": sum((pause.next_on - pause.due_on).days for pause in holds if pause.next_on),
            "reduced": sum(pause.reduced or pause.resumed_lower for pause in pauses), "resumed": len(holds),
            "person_years": max((until - first).days + 1, 1) / DAYS_PER_YEAR,
        }  # fmt: skip

    def _state(self, person: dict[str, Any], last: date) -> tuple[str, str | None]:
        over = person["state"] == "ended"
        until = min((day for day in (person["ended_on"] if over else None, self.cutoff) if day), default=None)
        if until is not None and until - last > timedelta(days=CONDUCT["going_on"]["within_days"]):
            return "ended alone", None
        return ("ended", person["reason"] or NOT_STATED) if over else ("going on", None)


def interval_of(component: Component, given: Sequence[Given]) -> float:
    """Days between two doses: as the records say (EXDOSFRQ), else as the profile of the component does, else daily."""
    said = [CONDUCT["frequencies"]["days"].get((each.frequency or "").upper()) for each in given]
    if known := [days for days in said if days is not None]:
        return float(known[0])
    found = profile(component.profile) if component.profile else None
    return float(found.challenge.interval_days) if found and found.challenge else 1.0


def number_of_doses(given: Given, interval: float) -> int:
    """Doses that one record stands for: one where it lasts a day, else one per interval.

    >>> day = Given("S", "EX", 1, "X", "x", 12.0, "mg", "QD", None, date(2026, 1, 1), date(2026, 1, 10))
    >>> number_of_doses(day, 1), number_of_doses(day, 0.5), number_of_doses(day, 21)
    (10, 20, 1)
    """
    assert given.start_on is not None
    days = ((given.end_on or given.start_on) - given.start_on).days + 1
    return max(1, round(days / interval)) if interval <= 1 else 1 + int((days - 1) // interval)


def intended_dose(component: Component, weight: float | None, given: Sequence[Given]) -> tuple[float, str] | None:
    """The dose that is meant to be given each time, and what it was read from; None where nothing says it."""
    for rule in CONDUCT["intended"]:
        if rule["profile"] == component.profile and weight is not None and {each.unit for each in given} == {rule["unit"]}:
            dose = next(row["dose"] for row in rule["by_weight"] if weight < row.get("below_kg", float("inf")))
            return float(dose), WEIGHT
    first = next((each.dose for each in given if each.dose), None)
    return (first, FIRST_DOSE) if first else None


@dataclass(frozen=True)
class _Count:
    component: str
    row: str
    value: str | None
    who: list[str]


def _counts(study: Study, rows: pl.DataFrame) -> Iterator[_Count]:
    """Every count of subjects in ``exposure_components``, in the order of its rows."""
    given = doses(study)
    assert given is not None
    for component in study.settings.components:
        own = rows.filter(component=component.name)

        def of(row: str, chosen: pl.DataFrame, value: str | None = None, name: str = component.name) -> _Count:
            return _Count(name, row, value, chosen["USUBJID"].unique().sort().to_list())

        yield of(GIVEN, own)
        if component.kind is ComponentKind.PROCEDURE:
            sessions = given.filter(component=component.name).rename({"usubjid": "USUBJID"})
            for number in sorted(set(own["given"].to_list())):
                yield of(SESSIONS, own.filter(given=number), str(number))
            for row, column in ((SITE, "location"), (MODALITY, "treatment")):
                for value in _by_frequency(sessions, column):
                    yield of(row, sessions.filter(pl.col(column).fill_null(NOT_STATED) == value), value)
            continue
        substances = own["substance"].unique().sort().to_list()
        for value in substances if len(substances) > 1 else ():
            yield of("Substance", own.filter(substance=value), value)
        yield of(GOING_ON, own.filter(state="going on"))
        ended = own.filter(state="ended")
        yield of(ENDED, ended)
        for reason in _by_frequency(ended, "reason"):
            yield of(ENDED, ended.filter(pl.col("reason").fill_null(NOT_STATED) == reason), reason)
        yield of(ENDED_ALONE, own.filter(state="ended alone"))
        yield of(HELD, own.filter(pl.col("held") > 0))
        yield of(RESUMED, own.filter(pl.col("resumed") > 0))
        yield of(REDUCED, own.filter(pl.col("reduced") > 0))
        edges = CONDUCT["intensity"]["edges"]
        for name, low, high in zip(groups(edges), (-1, *edges), (*edges, float("inf")), strict=True):
            inside = (pl.col("intensity_pct") >= low) & (pl.col("intensity_pct") < high)
            yield of("Intensity", own.filter(inside.fill_null(False)), name)
        yield of("Intensity", own.filter(pl.col("intensity_pct").is_null()), "Missing")


def _by_frequency(frame: pl.DataFrame, column: str) -> list[str]:
    filled = frame.with_columns(pl.col(column).fill_null(NOT_STATED))
    counted = filled.group_by(column).agg(pl.col("USUBJID").n_unique().alias("n"))
    return counted.sort("n", column, descending=[True, False])[column].to_list()


def exposure_components(study: Study) -> Table:
    """Per component: subjects, time, dose, intensity, holds, reductions, what became of it; of procedures sessions and where."""
    name, title = "exposure_components", "Exposure by component"
    each = study.once(exposure_subjects)
    rule = words(
        "% of N = {n} treated; median, quartiles and ends over the subjects given the component whose value is known. A total "
        "is a "
        "sum over subjects. Locations and modalities: a subject counts once in each. Ended before the treatment as a whole: "
        "the last dose "
        "is more than {days} days before the end of treatment or the cut-off. Going on: no end of treatment is on record.",
        n=study.n, days=CONDUCT["going_on"]["within_days"],
    )  # fmt: skip
    if each.not_collected:
        return Table.absent(name, title, COMPONENTS, rule, each.not_collected)
    rows: list[tuple[Any, ...]] = []
    counts = list(_counts(study, each.frame))
    for component in study.settings.components:
        own = each.frame.filter(component=component.name)
        for count in (count for count in counts if count.component == component.name):
            n = len(count.who)
            rows.append((component.name, count.row, count.value, n, percent(n, study.n), None, *[None] * len(SPREAD)))
        procedure = component.kind is ComponentKind.PROCEDURE
        measures = {"given": SESSIONS} if procedure else _MEASURES
        for column, row in measures.items():
            total = own[column].sum() if column in ("given", "cumulative") and own[column].count() else None
            unit = _one(own["unit"]) if column in ("cumulative", "per_day") else None
            rows.append((component.name, row, unit, None, None, total, *spread(own[column])))
        rows.append((component.name, PERSON_YEARS, None, None, None, own["person_years"].sum(), *spread(own["person_years"])))
    return Table(name, title, rows_to_frame(rows, COMPONENTS), rule)


def _one(values: pl.Series) -> str | None:
    known = values.drop_nulls().unique().to_list()
    return known[0] if len(known) == 1 else None


def cells_of(study: Study) -> Iterator[pl.DataFrame]:
    """The subjects behind each count of ``exposure_components``."""
    each = study.once(exposure_subjects)
    if each.not_collected:
        return
    for count in _counts(study, each.frame):
        row = SEPARATOR.join(part for part in (count.component, count.row, count.value) if part)
        yield cells_behind("exposure_components", row, "n", count.who)
