"""What the data answer of an instrument, each answer with its evidence; a person's answer goes before it.

From the case (exposure, dechallenge, rechallenge, findings), the profile of the component (whether the reaction is known), and
for RUCAM a series of liver values. What the data do not say stays unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ctcae_v403 import dictionary
from safety_monitor.attribution.catalogue import Found, Profile, profile, weights
from safety_monitor.attribution.evidence import Case, Challenge, Exposure, onset_of
from safety_monitor.attribution.instruments.items import UNKNOWN, Answered, tables
from safety_monitor.attribution.instruments.rucam import alternatives_answer, course_answer, onset_answer
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

_CHALLENGE = {Challenge.POSITIVE: "yes", Challenge.NEGATIVE: "no"}
#: Findings that name another cause of an event.
_OTHER_CAUSES = ("other_cause", "infection_confirmed", "progression_confirmed", "hbv_dna_rise")


@dataclass(frozen=True, slots=True)
class Liver:
    """Values of one liver injury. Days from the first dose; ``alt`` and ``alp``: (day, multiple of ULN).

    ``baseline``: multiple of ULN before treatment (ALT for the hepatocellular form, ALP for the other). ``excluded``: other
    causes by name, True where searched and excluded, False where found.
    """

    onset_day: float | None
    stopped_day: float | None = None
    alt: Sequence[tuple[float, float]] = ()
    alp: Sequence[tuple[float, float]] = ()
    baseline: float | None = None
    age: float | None = None
    is_pregnant: bool | None = None
    drinks: bool | None = None
    later_treatment: bool = False
    excluded: Mapping[str, bool | None] = field(default_factory=dict)


def prefill_naranjo(
    case: Case, component: Component, others: Sequence[Component] = ()
) -> tuple[dict[str, Answered], tuple[str, ...]]:
    """Answers by item, and why items have no meaning here. *others*: the study's further components, as other causes."""
    seen = case.exposures.get(component.name, Exposure())
    known, found = _known(case, component)
    answers = {
        "Q1": _reported(known, found),
        "Q2": _came_after(seen),
        "Q4": _challenged(seen.rechallenge, "rechallenge", seen),
        "Q5": _other_causes(case, component, others),
        "Q10": _proof(case, known),
    }
    notes = []
    if component.kind is ComponentKind.PROCEDURE:
        notes.append("Q3: a procedure is over at once and cannot be stopped")
    elif weights().never_recovers(_term(case)):
        notes.append("Q3: the event does not recover, whatever is stopped")
    elif known is not None and known.challenge is not None and known.challenge.recovers_within_days is None:
        notes.append(f"Q3: {known.title} acts on for months after the last dose, so recovery on stopping says little")
    else:
        answers["Q3"] = _challenged(seen.dechallenge, "dechallenge", seen)
    return {name: answer for name, answer in answers.items() if answer is not None}, tuple(notes)


def prefill_who_umc(case: Case, component: Component, others: Sequence[Component] = ()) -> dict[str, Answered]:
    """Criteria of WHO-UMC by name."""
    seen = case.exposures.get(component.name, Exposure())
    known, found = _known(case, component)
    answers = {
        "time_plausible": _time(seen, component, known, found),
        "other_causes": _other_causes(case, component, others),
        "withdrawal_plausible": _challenged(seen.dechallenge, "dechallenge", seen),
        "specific": _proof(case, known),
        "rechallenge": _challenged(seen.rechallenge, "rechallenge", seen),
    }
    return {name: answer for name, answer in answers.items() if answer is not None}


def prefill_rucam(form: str, liver: Liver, component: Component | None = None) -> tuple[dict[str, Answered], tuple[str, ...]]:
    """Answers by item of the *form*, and a note where the course was read against an abnormal baseline."""
    series = liver.alt if form == "hepatocellular" else liver.alp
    since_stop = None
    if liver.onset_day is not None and liver.stopped_day is not None:
        since_stop = liver.onset_day - liver.stopped_day
    abnormal = liver.baseline is not None and liver.baseline > 1
    reference = liver.baseline if abnormal and liver.baseline is not None else 1.0
    onset = onset_answer(
        form, days_from_start=liver.onset_day, days_from_stop=since_stop, later_treatment=liver.later_treatment
    )
    answers = {
        "onset": (onset, f"day {liver.onset_day:g} from the first dose" if liver.onset_day is not None else ""),
        "course": (
            course_answer(form, series, stopped_on=liver.stopped_day, reference=reference),
            f"{len(series)} values against {'the own baseline' if abnormal else 'the upper limit'}",
        ),
        "alcohol": (_yes(liver.drinks), "history"),
        "age": (_yes(None if liver.age is None else liver.age >= tables()["rucam"]["days"]["old_from_years"]), "age"),
    }
    if form == "cholestatic":
        answers["pregnancy"] = (_yes(liver.is_pregnant), "history")
    if liver.excluded:
        searched = ", ".join(f"{name} {_looked(found)}" for name, found in sorted(liver.excluded.items()))
        answers["alternatives"] = (alternatives_answer(liver.excluded), searched)
    if component is not None and (known := profile(component.profile or "")) is not None:
        term = "Alanine aminotransferase increased" if form == "hepatocellular" else "Alkaline phosphatase increased"
        found = known.find(term, organ_class="Investigations", verbatim="")
        if found.basis == "term" and found.row.tier == "verified":
            answers["known"] = ("published", known.cite(found.row.source))
    notes: tuple[str, ...] = ()
    if abnormal:
        notes = (f"course: baseline {liver.baseline:g} × ULN, so the fall is read towards the baseline, not the upper limit",)
    return {name: Answered(word, said, prefilled=True) for name, (word, said) in answers.items() if word != UNKNOWN}, notes


def _term(case: Case) -> str:
    try:
        return dictionary.term(case.term).name
    except LookupError:
        return case.term


def _known(case: Case, component: Component) -> tuple[Profile | None, Found | None]:
    known = profile(component.profile) if component.profile else None
    try:
        organ_class = dictionary.term(case.term).soc
    except LookupError:
        organ_class = None
    return known, known.find(_term(case), organ_class=organ_class, verbatim=case.verbatim) if known else None


def _reported(known: Profile | None, found: Found | None) -> Answered | None:
    if known is None or found is None or found.basis != "term" or found.row.frequency == "not_expected":
        return None
    if found.row.tier == "judgement":
        return None  # our own guess is no report
    return Answered("yes", known.cite(found.row.source), prefilled=True)


def _came_after(seen: Exposure) -> Answered | None:
    impossible = seen.impossible()
    if impossible is not None:
        return Answered("no", impossible, prefilled=True)
    days = seen.days_before_onset()
    if days:
        return Answered("yes", f"{min(days):g} d after an exposure", prefilled=True)
    return Answered("yes", "being given at onset", prefilled=True) if seen.ongoing else None


def _challenged(result: Challenge, name: str, seen: Exposure) -> Answered | None:
    word = _CHALLENGE.get(result)
    how = seen.inferred.get(name)
    return Answered(word, f"inferred: {how}" if how else "as reported", prefilled=True) if word else None


def _other_causes(case: Case, component: Component, others: Sequence[Component]) -> Answered | None:
    named = [name for name in _OTHER_CAUSES if case.evidence.get(name)]
    for other in others:
        seen = case.exposures.get(other.name, Exposure())
        _, found = _known(case, other)
        expected = found is not None and found.basis == "term" and found.row.frequency not in ("not_expected", "case_reports")
        if other.name != component.name and expected and seen.known() and seen.impossible() is None:
            named.append(other.name)
    if named:
        return Answered("yes", ", ".join(name.replace("_", " ") for name in named), prefilled=True)
    if case.evidence.get("other_cause") is False:
        return Answered("no", "other causes looked for and not found", prefilled=True)
    return None


def _proof(case: Case, known: Profile | None) -> Answered | None:
    for rule in known.evidence if known else ():
        if rule.proof and case.evidence.get(rule.what) is (rule.value == "yes"):
            return Answered("yes", f"{rule.what.replace('_', ' ')} {rule.value}", prefilled=True)
    return None


def _time(seen: Exposure, component: Component, known: Profile | None, found: Found | None) -> Answered | None:
    """Plausible within the window of the profile, implausible where impossible; outside the window a person decides."""
    impossible = seen.impossible()
    if impossible is not None:
        return Answered("no", impossible, prefilled=True)
    if known is None or found is None:
        return None
    window = onset_of(found.row, known)
    days = seen.days_before_onset()
    by_first = component.kind is ComponentKind.DRUG and found.row.clock != "last"
    chosen = [day for day in days if day == seen.days_since_first] if by_first else list(days)
    if window is None:
        return Answered("yes", "being given at onset", prefilled=True) if seen.ongoing else None
    for day in chosen:
        if window.low <= day <= window.high:
            return Answered("yes", f"day {day:g}, expected {window.describe()}", prefilled=True)
    return None


def _yes(found: bool | None) -> str:
    return UNKNOWN if found is None else "yes" if found else "no"


def _looked(found: bool | None) -> str:
    return "not searched" if found is None else "excluded" if found else "found"
