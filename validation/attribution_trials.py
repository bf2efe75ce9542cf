"""Simulated combination trials in which the cause of every event is known.

Its own model, apart from the engine's: Weibull and gamma delays instead of log-normal windows, frailties of subjects and sites,
a hazard of the disease that rises with progression, an exponential tail after the last dose of the inhibitor, events that bring
others about, incidences that each trial draws anew, and evidence that is noisy: a hold is followed by a recovery that may be
chance, steroids are given for other reasons, infections are found where they were looked for. Nothing of the engine is used.

Causes compete: the first to strike brings the event about, and a subject has each term once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ASSUMPTIONS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("assumptions.toml").read_text("utf-8"))
CAUSES = ("ablation", "lenvatinib", "pd1", "disease", "other")
COMPONENTS = CAUSES[:3]
FINDINGS = ("STEROID_RESPONSE", "IMMUNE_BIOPSY", "INFECTION_CONFIRMED", "PROGRESSION_CONFIRMED", "OTHER_CAUSE")
Random = np.random.Generator


@dataclass(frozen=True)
class Term:
    """One CTCAE term in one trial. ``causes``: incidence and median delay of each (no delay for disease and other)."""

    name: str
    causes: Mapping[str, tuple[float, float]]
    facts: Mapping[str, Any]
    severe: float
    shape: float
    session_shape: float


@dataclass(frozen=True)
class Trial:
    """What is true of one trial, and how its sites behave."""

    terms: tuple[Term, ...]
    sites: tuple[Mapping[str, float], ...]
    habits: Mapping[str, Any]


@dataclass(frozen=True)
class Person:
    """One subject: days from the first session. ``lenvatinib``: first and last day, None where never given."""

    sessions: tuple[float, ...]
    lenvatinib: tuple[float, float] | None
    pauses: tuple[tuple[float, float], ...]
    doses: tuple[float, ...]
    ablated: str
    progression: float
    frailty: Mapping[str, float]

    def on_lenvatinib(self, day: float) -> bool:
        if self.lenvatinib is None or not self.lenvatinib[0] <= day <= self.lenvatinib[1]:
            return False
        return not any(start <= day < end for start, end in self.pauses)

    def last_lenvatinib(self, day: float) -> float:
        """Day of the last capsule up to *day*; the first one where it is still to come."""
        assert self.lenvatinib is not None
        last = max(self.lenvatinib[0], min(self.lenvatinib[1], day))
        return max(self.lenvatinib[0], min((start - 1 for start, end in self.pauses if start <= last < end), default=last))


def simulate(n_trials: int, seed: int) -> pl.DataFrame:
    """Events of *n_trials* trials: the columns of the ``attribute`` contract, ``TRUTH``, ``TRIAL`` and ``KNOWN`` (whether the
    published tables have the term). The same *seed*, the same events; a trial does not depend on how many others there are."""
    found = [_run(number, np.random.default_rng([seed, number])) for number in range(n_trials)]
    events = pl.DataFrame([row for rows in found for row in rows], infer_schema_length=None).with_row_index("CASEID")
    return events.with_columns(pl.col("CASEID").cast(pl.String))


def _between(rng: Random, pair: Any) -> float:
    """Log-uniform between the two, uniform where the lower one is 0."""
    low, high = pair[0], pair[1]
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if low > 0 else float(rng.uniform(low, high))


def _run(number: int, rng: Random) -> list[dict[str, Any]]:
    trial = _trial(rng)
    rows = []
    for _ in range(int(rng.integers(*ASSUMPTIONS["n_subjects"]))):
        person = _person(trial, rng)
        rows += [{"TRIAL": number, **_observed(term, cause, day, person, trial, rng)}
                 for term, cause, day in _events(trial, person, rng)]  # fmt: skip
    return rows


def _trial(rng: Random) -> Trial:
    """A trial draws its own truth first."""
    a, care = ASSUMPTIONS, ASSUMPTIONS["care"]
    factor = {cause: _between(rng, a["trial_factor"]) for cause in CAUSES}
    terms = tuple(
        Term(
            name,
            {
                cause: (_between(rng, figures) * factor[cause], _between(rng, figures[2:]) if len(figures) > 2 else 0.0)
                for cause, figures in facts.items() if cause in CAUSES
            },
            facts, float(rng.uniform(*facts.get("severe", (0.02, 0.1)))), float(rng.uniform(*a["delay_shape"])),
            float(rng.uniform(*a["ablation_delay_shape"])),
        )
        for name, facts in {**a["terms"], **a["unknown_terms"]}.items()
    )  # fmt: skip
    fewest, most = a["n_sites"]
    n_sites = int(rng.integers(fewest, most, endpoint=True))
    sites = tuple({cause: _between(rng, a["site_factor"]) for cause in CAUSES} for _ in range(n_sites))
    habits = {
        "frailty": rng.uniform(*a["frailty_shape"]), "background": rng.uniform(*a["background_days"]),
        "lenvatinib": rng.uniform(*a["lenvatinib_days"]), "pauses": rng.uniform(*a["lenvatinib_pauses"]),
        "pd1": rng.uniform(*a["pd1_days"]), "tail": rng.uniform(*a["pd1_tail_days"]),
        "modality": str(rng.choice(a["modalities"])), "drug": str(rng.choice(a["pd1_drugs"])),
        "progression": rng.uniform(*a["progression_days"]), "factor": rng.uniform(*a["progression_factor"]),
        "near_only": bool(rng.random() < care["progression_near"]),
        "recurs": rng.uniform(*care["recurs"]["cause"]), "recurs_other": rng.uniform(*care["recurs"]["other"]),
        "steroid": rng.uniform(*care["steroid_response"]["cause"]),
        "steroid_other": rng.uniform(*care["steroid_response"]["other"]),
    }  # fmt: skip
    return Trial(terms, sites, habits)


def _person(trial: Trial, rng: Random) -> Person:
    a, habits = ASSUMPTIONS, trial.habits
    n_sessions = int(rng.choice(3, p=a["sessions"])) + 1
    sessions = (0.0, *np.sort(rng.uniform(25, 300, n_sessions - 1)).round().tolist())
    lenvatinib, pauses, doses = None, [], ()
    if rng.random() >= a["not_given"]["lenvatinib"]:
        start = float(rng.integers(3, 15))
        lenvatinib = (start, start + float(np.ceil(rng.exponential(habits["lenvatinib"]))) + 7)
        for begin in rng.uniform(*lenvatinib, rng.poisson(habits["pauses"])).round().tolist():
            pauses.append((begin, begin + float(rng.integers(*a["pause_days"]))))
    if rng.random() >= a["not_given"]["pd1"]:
        n_doses = 1 + int(rng.exponential(habits["pd1"]) // 21)
        doses = tuple((float(rng.integers(7, 22)) + 21.0 * np.arange(n_doses)).tolist())
    at_site = trial.sites[int(rng.integers(len(trial.sites)))]
    return Person(
        sessions, lenvatinib, tuple(pauses), doses, str(rng.choice(list(a["sites"]), p=list(a["sites"].values()))),
        float(rng.exponential(habits["progression"])) + 40,
        {cause: at_site[cause] * float(rng.gamma(habits["frailty"], 1 / habits["frailty"])) for cause in CAUSES},
    )  # fmt: skip


def _events(trial: Trial, person: Person, rng: Random) -> list[tuple[Term, str, float]]:
    """Term, cause and day of every event of one subject within follow-up."""
    ends = (0.0, *(person.lenvatinib or ()), *person.doses[-1:])
    until = min(ASSUMPTIONS["follow_up_days"], max(ends) + ASSUMPTIONS["safety_follow_up_days"])
    found: dict[str, tuple[Term, str, float]] = {}
    for term in trial.terms:
        strikes = [(day, cause) for cause in term.causes if (day := _strike(cause, term, person, trial.habits, rng)) is not None]
        if "after" in term.facts:
            first, chance, low, high = term.facts["after"]
            if first in found and found[first][1] in term.causes and rng.random() < chance:
                strikes.append((found[first][2] + float(rng.uniform(low, high)), found[first][1]))
        day, cause = min(strikes, default=(np.inf, ""))
        if day <= until:
            found[term.name] = (term, cause, day)
    return list(found.values())


def _strike(cause: str, term: Term, person: Person, habits: Mapping[str, Any], rng: Random) -> float | None:
    """The day on which *cause* would bring the term about, if it does."""
    incidence, delay = term.causes[cause]
    rate = incidence * person.frailty[cause]
    if cause == "disease":  # constant until progression, then higher
        hazard, need = rate / habits["background"], rng.exponential()
        until = person.progression
        late = until + (need - hazard * until) / (hazard * habits["factor"])
        return float(need / hazard if need < hazard * until else late)
    if cause == "other":
        return float(rng.exponential(habits["background"] / rate))
    if cause == "ablation":
        near = 1.0 if term.facts.get("site") in (None, person.ablated) else 0.06
        for session in person.sessions:
            if rng.random() < 1 - np.exp(-rate * near):
                return float(session + rng.gamma(term.session_shape, delay / term.session_shape))
        return None
    if rng.random() >= 1 - np.exp(-rate) or term.facts.get("only", habits["drug"]) != habits["drug"]:
        return None
    wait = float(delay / np.log(2) ** (1 / term.shape) * rng.weibull(term.shape))
    if cause == "lenvatinib":
        if person.lenvatinib is None:
            return None
        day = person.lenvatinib[0] + wait
        return day if any(person.on_lenvatinib(day - late) for late in (0.0, 3.0)) else None
    if not person.doses:
        return None
    day = person.doses[0] + wait
    return day if day <= person.doses[-1] + 21 + rng.exponential(habits["tail"]) else None


def _observed(term: Term, cause: str, day: float, person: Person, trial: Trial, rng: Random) -> dict[str, Any]:
    """The event as a site would record it."""
    severe = bool(rng.random() < term.severe)
    onset = float(np.floor(day))
    if rng.random() < ASSUMPTIONS["misreported_onset"]:
        onset = max(0.0, onset + float(rng.integers(-3, 4)))
    on_lenvatinib = person.on_lenvatinib(onset)
    on_pd1 = bool(person.doses) and person.doses[0] <= onset <= person.doses[-1] + 21
    before = [session for session in person.sessions if session <= onset]
    given = [dose for dose in person.doses if dose <= onset]
    first_and_last: dict[str, tuple[float, float] | None] = {
        "ABLATION": (0.0, before[-1]),
        "LENVATINIB": (person.lenvatinib[0], person.last_lenvatinib(onset)) if person.lenvatinib else None,
        "PD1": (person.doses[0], (given or person.doses)[-1] if given else person.doses[0]) if person.doses else None,
    }
    ongoing = {"ABLATION": False, "LENVATINIB": on_lenvatinib, "PD1": bool(given) and onset <= person.doses[-1]}
    row: dict[str, Any] = {
        "AEDECOD": term.name, "AETERM": term.facts.get("said", term.name.lower()),
        "AETOXGR": int(rng.integers(3, 5)) if severe else int(rng.integers(1, 3)),
        "ABLATION_SITE": person.ablated, "ABLATION_MODALITY": trial.habits["modality"], "PD1_DRUG": trial.habits["drug"],
        "TRUTH": cause, "KNOWN": term.name in ASSUMPTIONS["terms"],
    }  # fmt: skip
    for name, days in first_and_last.items():
        row |= _exposure(name, days, onset, ongoing[name], rng)
    row |= _challenges(term, cause, severe, on_lenvatinib, on_pd1, trial.habits, rng)
    return row | _findings(term, cause, onset, person, trial.habits, rng)


def _exposure(name: str, days: tuple[float, float] | None, onset: float, ongoing: bool, rng: Random) -> dict[str, Any]:
    unknown: dict[str, Any] = dict.fromkeys((f"{name}_DAYS_SINCE_FIRST", f"{name}_DAYS_SINCE_LAST", f"{name}_ONGOING"))
    if days is None:
        return {f"{name}_EXPOSED": "N", **unknown}
    if rng.random() < ASSUMPTIONS["unknown_exposure"]:
        return {f"{name}_EXPOSED": "Y", **unknown}
    seen = (onset - days[0], onset - days[1], "Y" if ongoing else "N")
    return {f"{name}_EXPOSED": "Y", **dict(zip(unknown, seen, strict=True))}


def _challenges(
    term: Term, cause: str, severe: bool, on_lenvatinib: bool, on_pd1: bool, habits: Mapping[str, Any], rng: Random
) -> dict[str, str]:
    """What holding and giving again showed, by the days of recovery and not by the cause itself."""
    care = ASSUMPTIONS["care"]
    found = {"ABLATION_DECHALLENGE": "NOT_DONE", "ABLATION_RECHALLENGE": "NOT_DONE"}
    degree, days = ("severe" if severe else "mild"), care["recovery_days"]
    for name, given, quick, slow in (("lenvatinib", on_lenvatinib, 7, 14), ("pd1", on_pd1, 30, 60)):
        answer, again = "NOT_DONE", "NOT_DONE"
        if given and rng.random() < care[f"hold_{name}"][degree]:
            mine = name == cause
            usual = days["lenvatinib_after_hold"] if mine and name == "lenvatinib" else days[cause]
            recovery = np.inf if term.facts.get("lasting") else rng.gamma(2.5, _between(rng, usual) / 2.5)
            answer = "POSITIVE" if recovery <= quick else "NEGATIVE" if recovery > slow else "UNKNOWN"
            if recovery <= slow and rng.random() < care["restart"] and rng.random() < care["challenge_seen"]:
                again = "POSITIVE" if rng.random() < habits["recurs" if mine else "recurs_other"] else "NEGATIVE"
        found |= {f"{name.upper()}_DECHALLENGE": answer, f"{name.upper()}_RECHALLENGE": again}
    return found


def _findings(
    term: Term, cause: str, onset: float, person: Person, habits: Mapping[str, Any], rng: Random
) -> dict[str, str | None]:
    care, immune = ASSUMPTIONS["care"], bool(term.facts.get("immune"))

    def answer(yes: bool, *, known: bool = True) -> str | None:
        return ("Y" if yes else "N") if known else None

    by_immunity, by_infection = cause == "pd1", cause == "other" or "is_infection" in term.facts
    given = rng.random() < care["steroids"]["immune_cause" if by_immunity else "immune_term"]
    better = rng.random() < habits["steroid" if by_immunity else "steroid_other"]
    biopsied = immune and rng.random() < care["biopsy"]
    right = rng.random() < care["biopsy_right"]["positive" if by_immunity else "negative"]
    looked = bool(term.facts.get("infective")) and rng.random() < care["infection_looked_for"]
    found = rng.random() < care["infection_found"]["cause" if by_infection else "other"]
    since = onset - person.progression
    near = care["progression_near_days"]
    progressed = abs(since) <= near if habits["near_only"] else since >= -near
    named = rng.random() < care["other_cause_said"]["cause" if cause == "other" else "other"]
    return {
        "STEROID_RESPONSE": answer(better, known=immune and given and not term.facts.get("lasting")),
        "IMMUNE_BIOPSY": answer(right == by_immunity, known=biopsied),
        "INFECTION_CONFIRMED": answer(found, known=looked),
        "PROGRESSION_CONFIRMED": answer(progressed, known=rng.random() >= care["scan_missing"]),
        "OTHER_CAUSE": answer(named, known=named or rng.random() < care["other_cause_said"]["no"]),
    }
