"""Simulated combination trials in which the cause of every event is known.

Its own model, apart from the engine's: Weibull and gamma delays instead of log-normal windows, frailties of subjects, a hazard of
the disease that rises with progression, an exponential tail after the last dose of the inhibitor, ranges of incidence that each
trial draws anew, and evidence that is noisy: a hold is followed by a recovery that may be chance, steroids are given for other
reasons, infections are found where they were looked for. Nothing of ``safety_monitor`` is used here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ASSUMPTIONS: Mapping[str, Any] = tomllib.loads(Path(__file__).with_name("assumptions.toml").read_text("utf-8"))
CAUSES = ("ablation", "lenvatinib", "pd1", "disease", "other")
COMPONENTS = CAUSES[:3]
FINDINGS = ("STEROID_RESPONSE", "IMMUNE_BIOPSY", "INFECTION_CONFIRMED", "PROGRESSION_CONFIRMED", "OTHER_CAUSE")


def simulate(n_trials: int, seed: int) -> pl.DataFrame:
    """Events of *n_trials* trials: the columns of the ``attribute`` contract, ``TRUTH``, ``TRIAL``, ``KNOWN`` (whether the
    fact files have the term) and ``INVESTIGATOR_<C>``."""
    trials = [_trial(number, np.random.default_rng([seed, number])) for number in range(n_trials)]
    return (
        pl.DataFrame([row for rows in trials for row in rows], infer_schema_length=None)
        .with_row_index("CASEID")
        .with_columns(pl.col("CASEID").cast(pl.String))
    )


def _between(rng: np.random.Generator, pair: Any) -> float:
    low, high = pair[0], pair[1]
    return float(np.exp(rng.uniform(np.log(low), np.log(high)))) if low > 0 else float(rng.uniform(low, high))


def _trial(number: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """One trial draws its own truth first, then its subjects."""
    a = ASSUMPTIONS
    terms = {**a["terms"], **a["unknown_terms"]}
    drawn = {
        name: {
            "causes": {
                cause: (_between(rng, figures), _between(rng, figures[2:]) if len(figures) > 2 else None)
                for cause, figures in term.items() if cause in CAUSES
            },
            "severe": float(rng.uniform(*term.get("severe", (0.02, 0.1)))),
            "shape": float(rng.uniform(*a["delay_shape"])),
            "session_shape": float(rng.uniform(*a["ablation_delay_shape"])),
        }
        for name, term in terms.items()
    }  # fmt: skip
    habits = {
        "frailty": rng.uniform(*a["frailty_shape"]), "lenvatinib": rng.uniform(*a["lenvatinib_days"]),
        "pd1": rng.uniform(*a["pd1_days"]), "tail": rng.uniform(*a["pd1_tail_days"]), "modality": rng.choice(a["modalities"]),
        "progression": rng.uniform(*a["progression_days"]), "factor": rng.uniform(*a["progression_factor"]),
        "drug": rng.choice(a["pd1_drugs"]), "recurs": rng.uniform(*a["care"]["recurs"]["cause"]),
        "recurs_other": rng.uniform(*a["care"]["recurs"]["other"]),
        "says": rng.uniform(*a["care"]["investigator"]["says_related"]), "over": rng.uniform(*a["care"]["investigator"]["over"]),
        "steroid": rng.uniform(*a["care"]["steroid_response"]["cause"]),
        "steroid_other": rng.uniform(*a["care"]["steroid_response"]["other"]),
    }  # fmt: skip
    rows = []
    for _ in range(int(rng.integers(*a["n_subjects"]))):
        rows += [{"TRIAL": number, **row} for row in _subject(terms, drawn, habits, rng)]
    return rows


def _subject(terms: Any, drawn: Any, habits: Any, rng: np.random.Generator) -> list[dict[str, Any]]:
    a = ASSUMPTIONS
    n_sessions = int(rng.choice(3, p=a["sessions"])) + 1
    sessions = np.concatenate([[0.0], np.sort(rng.uniform(25, 300, n_sessions - 1))]).round()
    lenvatinib = (float(rng.integers(3, 15)), 0.0)
    lenvatinib = (lenvatinib[0], lenvatinib[0] + float(np.ceil(rng.exponential(habits["lenvatinib"]))) + 7)
    first_dose = float(rng.integers(7, 22))
    n_doses = 1 + int(rng.exponential(habits["pd1"]) // 21)
    person = {
        "sessions": sessions, "lenvatinib": lenvatinib, "doses": first_dose + 21.0 * np.arange(n_doses),
        "site": str(rng.choice(list(a["sites"]), p=list(a["sites"].values()))),
        "progression": float(rng.exponential(habits["progression"])) + 40,
        "frailty": {cause: float(rng.gamma(habits["frailty"], 1 / habits["frailty"])) for cause in CAUSES},
    }  # fmt: skip
    until = min(a["follow_up_days"], max(lenvatinib[1], person["doses"][-1]) + a["safety_follow_up_days"])
    rows = []
    for name, term in terms.items():
        strikes = {
            cause: day for cause in drawn[name]["causes"]
            if (day := _strike(cause, term, drawn[name], person, habits, rng)) is not None and day <= until
        }  # fmt: skip
        if strikes:
            cause = min(strikes, key=lambda each: strikes[each])
            rows.append(_observed(name, term, cause, strikes[cause], drawn[name], person, habits, rng))
    return rows


def _strike(cause: str, term: Any, drawn: Any, person: Any, habits: Any, rng: np.random.Generator) -> float | None:
    """The day on which *cause* would bring the term about, if it does."""
    incidence, delay = drawn["causes"][cause]
    rate = incidence * person["frailty"][cause]
    if cause == "disease":  # constant until progression, then higher
        hazard, until = rate / 180, person["progression"]
        need = rng.exponential()
        return need / hazard if need < hazard * until else until + (need - hazard * until) / (hazard * habits["factor"])
    if cause == "other":
        return float(rng.exponential(180 / rate))
    if cause == "ablation":
        site = term.get("site")
        near = 1.0 if site is None or site == person["site"] else 0.06
        for session in person["sessions"]:
            if rng.random() < 1 - np.exp(-rate * near):
                return float(session + rng.gamma(drawn["session_shape"], delay / drawn["session_shape"]))
        return None
    if rng.random() >= 1 - np.exp(-rate):
        return None
    shape = drawn["shape"]
    wait = float(delay / np.log(2) ** (1 / shape) * rng.weibull(shape))
    if cause == "lenvatinib":
        start, end = person["lenvatinib"]
        return start + wait if start + wait <= end + 3 else None
    day = float(person["doses"][0] + wait)
    return day if day <= person["doses"][-1] + 21 + rng.exponential(habits["tail"]) else None


def _observed(
    name: str, term: Any, cause: str, day: float, drawn: Any, person: Any, habits: Any, rng: np.random.Generator
) -> dict[str, Any]:
    """The event as a site would record it."""
    a, care = ASSUMPTIONS, ASSUMPTIONS["care"]
    severe = bool(rng.random() < drawn["severe"])
    onset = float(np.floor(day))
    if rng.random() < a["misreported_onset"]:
        onset = max(0.0, onset + float(rng.integers(-3, 4)))
    row: dict[str, Any] = {
        "AEDECOD": name, "AETERM": name.lower(), "AETOXGR": int(rng.integers(3, 5)) if severe else int(rng.integers(1, 3)),
        "ABLATION_SITE": person["site"], "ABLATION_MODALITY": str(habits["modality"]), "PD1_DRUG": str(habits["drug"]),
        "TRUTH": cause, "KNOWN": name in a["terms"],
    }  # fmt: skip
    before = [session for session in person["sessions"] if session <= onset]
    row |= _exposure("ABLATION", person["sessions"][0], before[-1] if before else person["sessions"][0], onset, False, rng)
    start, end = person["lenvatinib"]
    row |= _exposure("LENVATINIB", start, min(end, onset), onset, start <= onset <= end, rng)
    given = [dose for dose in person["doses"] if dose <= onset]
    row |= _exposure("PD1", person["doses"][0], given[-1] if given else person["doses"][0], onset,
                     bool(given) and onset <= person["doses"][-1], rng)  # fmt: skip
    row |= _challenges(term, cause, severe, start <= onset <= end, onset <= person["doses"][-1] + 21, habits, rng)
    immune = bool(term.get("immune"))
    steroid = rng.random() < (
        care["steroids"]["immune_cause"] if immune and cause == "pd1" else care["steroids"]["immune_term"] * immune
    )
    better = rng.random() < (habits["steroid"] if cause == "pd1" else habits["steroid_other"])
    row["STEROID_RESPONSE"] = ("Y" if better else "N") if steroid and not term.get("lasting") else None
    biopsied = immune and rng.random() < care["biopsy"]
    right = rng.random() < care["biopsy_right"]["positive" if cause == "pd1" else "negative"]
    row["IMMUNE_BIOPSY"] = ("Y" if right == (cause == "pd1") else "N") if biopsied else None
    looked = term.get("infective") and rng.random() < care["infection_looked_for"]
    found = rng.random() < care["infection_found"]["cause" if cause == "other" else "other"]
    row["INFECTION_CONFIRMED"] = ("Y" if found else "N") if looked else None
    near = abs(onset - person["progression"]) <= care["progression_near_days"]
    row["PROGRESSION_CONFIRMED"] = None if rng.random() < care["scan_missing"] else ("Y" if near else "N")
    said = care["other_cause_said"]
    named = rng.random() < said["cause" if cause == "other" else "other"]
    row["OTHER_CAUSE"] = "Y" if named else ("N" if rng.random() < said["no"] else None)
    for component in COMPONENTS:
        chance = habits["says"] if component == cause else habits["over"]
        row[f"INVESTIGATOR_{component.upper()}"] = "Y" if rng.random() < chance else "N"
    return row


def _exposure(name: str, first: float, last: float, onset: float, ongoing: bool, rng: np.random.Generator) -> dict[str, Any]:
    if rng.random() < ASSUMPTIONS["unknown_exposure"]:
        return {
            f"{name}_EXPOSED": "Y",
            f"{name}_DAYS_SINCE_FIRST": None,
            f"{name}_DAYS_SINCE_LAST": None,
            f"{name}_ONGOING": None,
        }
    return {
        f"{name}_EXPOSED": "Y", f"{name}_DAYS_SINCE_FIRST": onset - first, f"{name}_DAYS_SINCE_LAST": onset - last,
        f"{name}_ONGOING": "Y" if ongoing else "N",
    }  # fmt: skip


def _challenges(
    term: Any, cause: str, severe: bool, on_lenvatinib: bool, on_pd1: bool, habits: Any, rng: np.random.Generator
) -> dict[str, str]:
    """What holding and giving again showed, by the days of recovery and not by the cause itself."""
    care, found = ASSUMPTIONS["care"], {}
    degree = "severe" if severe else "mild"
    days = care["recovery_days"]
    for name, given, quick, slow in (("LENVATINIB", on_lenvatinib, 7, 14), ("PD1", on_pd1, 30, 60)):
        held = given and rng.random() < care[f"hold_{name.lower()}"][degree]
        answer, again = "NOT_DONE", "NOT_DONE"
        if held:
            mine = name.lower() == cause
            usual = days["lenvatinib_after_hold"] if mine and name == "LENVATINIB" else days[cause]
            recovery = np.inf if term.get("lasting") else rng.gamma(2.5, _between(rng, usual) / 2.5)
            answer = "POSITIVE" if recovery <= quick else "NEGATIVE" if recovery > slow else "UNKNOWN"
            if recovery <= slow and rng.random() < care["restart"] and rng.random() < care["challenge_seen"]:
                back = rng.random() < (habits["recurs"] if mine else habits["recurs_other"])
                again = "POSITIVE" if back else "NEGATIVE"
        found |= {f"{name}_DECHALLENGE": answer, f"{name}_RECHALLENGE": again}
    return found | {"ABLATION_DECHALLENGE": "NOT_DONE", "ABLATION_RECHALLENGE": "NOT_DONE"}
