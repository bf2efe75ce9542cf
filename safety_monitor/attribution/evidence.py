"""What is known about one event, and what each piece of it does to the odds of one cause.

Every function here returns ``Piece`` values: a factor with its wording, source and tier, so that the
rationale can name all that was used. Unknown is neutral and said, never taken for "no": an unknown exposure
is not "not exposed", an unknown date is averaged over the horizon, an unknown site over the sites.
Dechallenge and rechallenge in the sense of Naranjo 1981; what they weigh is the profile's to say, since a
negative one means little for a PD-1 inhibitor and nothing for a procedure.

>>> from safety_monitor.attribution.evidence import Exposure
>>> Exposure(exposed=True, days_since_first=-3).impossible()
'onset 3 d before the first exposure'
>>> Exposure().impossible() is None
True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from safety_monitor.attribution.catalogue import Basis, EvidenceRule, Onset, Profile, Row, Tier, Weights
from safety_monitor.vocabulary import ComponentKind


class Challenge(StrEnum):
    """Result of stopping (dechallenge) or giving again (rechallenge)."""

    POSITIVE = "POSITIVE"
    NEGATIVE = "NEGATIVE"
    NOT_DONE = "NOT_DONE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Exposure of one subject to one component, seen from the onset of the event.

    Days run from the exposure to the onset: negative means that the onset came first. ``ongoing`` is
    meant at onset. ``sessions``: the days of every session of a procedure, where more is known than the first and the
    last. ``inferred``: by what of the record a challenge was read, by its name ("dechallenge", "rechallenge"); a
    challenge that is not in it was reported.
    """

    exposed: bool | None = None
    days_since_first: float | None = None
    days_since_last: float | None = None
    ongoing: bool | None = None
    dechallenge: Challenge = Challenge.UNKNOWN
    rechallenge: Challenge = Challenge.UNKNOWN
    sessions: tuple[float, ...] = ()
    inferred: Mapping[str, str] = field(default_factory=dict)

    def impossible(self) -> str | None:
        """Why this exposure cannot have caused the event; None where it can, or where nobody knows."""
        if self.exposed is False:
            return "not exposed"
        if self.days_since_first is not None and self.days_since_first < 0:
            return f"onset {-self.days_since_first:g} d before the first exposure"
        return None

    def known(self) -> bool:
        """True where exposure before onset is stated, or follows from the days or from being ongoing."""
        on_treatment = self.exposed is not False and self.ongoing is True
        return self.exposed is True or on_treatment or bool(self.days_before_onset())

    def days_before_onset(self) -> tuple[float, ...]:
        """Known days from each exposure to onset that are not negative, each once."""
        known = self.sessions or (self.days_since_first, self.days_since_last)
        return tuple(sorted({day for day in known if day is not None and day >= 0}))


@dataclass(frozen=True, slots=True)
class Case:
    """One adverse event to be weighed. ``evidence`` holds findings by name; None and absent mean unknown. ``inferred``: by
    what of the record a finding was read, by its name; a finding that is not in it was reported.
    """

    case_id: str
    term: str
    verbatim: str = ""
    grade: int | None = None
    exposures: Mapping[str, Exposure] = field(default_factory=dict)
    evidence: Mapping[str, bool | None] = field(default_factory=dict)
    ablation_site: str | None = None
    ablation_modality: str | None = None
    pd1_drug: str | None = None
    inferred: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the weighing: ``factor`` is the base rate (first piece) or a multiplier of the odds, ``neutral``
    what would stand in its place if this were not known.

    ``known`` is False where an unknown was left neutral; ``proof`` where the piece allows Definite;
    ``supports`` where a finding (not timing or frequency) speaks for the cause.
    """

    cause: str
    what: str
    factor: float
    source: str
    tier: str
    known: bool = True
    proof: bool = False
    supports: bool = False
    neutral: float = 1.0


def incidence(cause: str, case: Case, row: Row, basis: Basis, profile: Profile, weights: Weights) -> Piece:
    """The base rate: expected fraction of subjects with this term at this grade under this cause."""
    rate, notes, tier, known = _rate(case, row, weights)
    unnamed, *_ = _rate(case, profile.flat, weights)
    if basis == "class":
        notes.append("term not in this profile, figure of its organ class")
    elif basis == "flat":
        notes.append("neither term nor organ class in this profile, flat figure")
    detail = f" ({'; '.join(notes)})" if notes else ""
    what, source = f"expected in {100 * rate:.3g} %{detail}", profile.cite(row.source)
    return Piece(cause, what, rate, source, tier, known=known, neutral=unnamed)


def _rate(case: Case, row: Row, weights: Weights) -> tuple[float, list[str], Tier, bool]:
    """Rate at the grade of the event, notes on how it came about, its tier, and whether drug and modality were known."""
    rate, notes, tier, known = _rate_any_grade(case, row, weights)
    if case.grade is not None and case.grade >= 3:
        if row.incidence_g3 is not None:
            rate, tier = row.incidence_g3, row.g3_tier or row.tier
            notes.append("grade 3 or worse")
        else:
            rate *= weights.grade3_fraction
            notes.append("grade 3 or worse taken as a fraction of all grades")
            tier = "judgement"
    return max(rate, weights.incidence_floor), notes, tier, known


def _rate_any_grade(case: Case, row: Row, weights: Weights) -> tuple[float, list[str], Tier, bool]:
    """Rate at any grade, notes on how it came about, its tier, and whether drug and modality were known."""
    tier, known = row.tier, True
    if row.incidence_any is not None:
        rate, notes = row.incidence_any, []
    elif row.frequency is not None:
        rate, notes = weights.frequency[row.frequency], [row.frequency.replace("_", " ")]
    else:
        assert row.incidence_g3 is not None  # a Row says how often, in one of the three ways
        rate = min(1.0, row.incidence_g3 / weights.grade3_fraction)
        notes, tier = ["all grades inferred from grade 3 or worse"], "judgement"
    for label, value, table, otherwise in (
        ("modality", case.ablation_modality, row.by_modality, None),
        ("drug", case.pd1_drug, row.by_drug, row.other_drugs),
    ):
        if not table:
            continue
        key = (value or "").strip().upper()
        if not key:
            known, tier = False, "judgement"
            notes.append(f"{label} not known")
        elif key in table:
            rate = table[key]
            notes.append(f"{label} {key}")
        elif otherwise is not None:
            rate, tier = otherwise, "judgement"
            notes.append(f"{label} {key}, not {' or '.join(sorted(table))}")
        else:
            tier = "judgement"
            notes.append(f"no figure for {label} {key}")
    return rate, notes, tier, known


def site(cause: str, case: Case, row: Row, profile: Profile) -> Iterator[Piece]:
    """Odds of the site of ablation; averaged over the sites where it is not known."""
    if row.sites is None:
        return
    odds = profile.sites[row.sites]
    source, key = f"site odds of profile {profile.title}", (case.ablation_site or "").strip().upper()
    average = profile.average_over_sites(row.sites)
    if key in odds:
        yield Piece(cause, f"site {key}", odds[key], source, "judgement", neutral=average)
    else:
        what = f"site {key or 'of ablation'} not known, averaged over sites"
        yield Piece(cause, what, average, source, "judgement", known=False, neutral=average)


def exposure(cause: str, seen: Exposure, weights: Weights) -> Iterator[Piece]:
    """Whether the subject was exposed before onset, where that is not known or contradicts itself."""
    if not seen.known():
        factor = weights.exposure_unknown
        yield Piece(cause, "exposure not known", factor, weights.source, weights.tier, known=False)


def impossible(cause: str, seen: Exposure) -> Piece | None:
    """The one piece of a cause that cannot have brought the event about; None where it can."""
    why = seen.impossible()
    if why is None:
        return None
    if seen.exposed is False and seen.days_before_onset():
        why += ", although days since exposure are given: please check"
    return Piece(cause, why, 0.0, "temporal sequence", "verified")


def no_profile(cause: str, name: str | None, *, disease: bool = False) -> Piece:
    """What is said where nobody wrote down what *cause* does: flat figures stand in."""
    missing = "no profile of the disease configured" if disease else "no profile configured"
    what = f"profile {name!r} does not exist" if name else missing
    return Piece(cause, f"{what}, flat figures used", 1.0, "no profile", "judgement", known=False)


def timing(
    cause: str, seen: Exposure, kind: ComponentKind, row: Row, profile: Profile, weights: Weights
) -> Iterator[Piece]:
    """Onset density relative to an onset at any day of the horizon, then fading after the last exposure."""
    yield from window(cause, seen, kind, row, profile, weights)
    if kind is ComponentKind.DRUG and profile.persistence is not None:
        yield from after_last(cause, seen, profile)


def window(
    cause: str, seen: Exposure, kind: ComponentKind, row: Row, profile: Profile, weights: Weights
) -> Iterator[Piece]:
    """Onset density relative to an onset at any day of the horizon."""
    onset = onset_of(row, profile)
    if onset is None:
        return
    days, since = _clock(seen, kind, row)
    words = window_words(onset, since, row, profile)
    if days:
        # each session of a procedure is an exposure of its own; their hazards add
        density = sum(onset.density(day) for day in days) * weights.horizon_days
        factor = (1 - profile.outside_window) * density + profile.outside_window
        if row.onset is None and row.frequency == "not_expected":
            factor = min(1.0, factor)  # a default window may speak against a cause without mechanism only
        yield window_piece(cause, days, factor, words)
    else:
        yield unknown_day(cause, words)


class WindowWords(NamedTuple):
    """What is said of an onset window: counted from what, how wide, on whose authority."""

    since: str
    expected: str
    source: str
    tier: str


def window_words(onset: Onset, since: str, row: Row, profile: Profile) -> WindowWords:
    source, tier = "default window of the profile", "judgement"
    if row.onset is not None:
        source, tier = profile.cite(row.onset_source or row.source), row.onset_tier or row.tier
    return WindowWords(since, onset.describe(), source, tier)


def window_piece(cause: str, days: Sequence[float], factor: float, words: WindowWords) -> Piece:
    day_text = " and ".join([f"{day:g}" for day in days])
    what = f"onset {day_text} d after {words.since}, expected {words.expected}"
    return Piece(cause, what, factor, words.source, words.tier)


def unknown_day(cause: str, words: WindowWords) -> Piece:
    return Piece(cause, f"days since {words.since} not known", 1.0, words.source, words.tier, known=False)


def onset_of(row: Row, profile: Profile) -> Onset | None:
    """The onset window of a row: its own, else the default of the profile."""
    return row.onset or profile.onset


def _clock(seen: Exposure, kind: ComponentKind, row: Row) -> tuple[tuple[float, ...], str]:
    """The days that onset is counted from, and their name; no days where they are not known."""
    name = clock_name(kind, row)
    if kind is ComponentKind.PROCEDURE:
        return seen.days_before_onset(), name
    day = seen.days_since_last if row.clock == "last" else seen.days_since_first
    return ((day,) if day is not None and day >= 0 else ()), name


def clock_name(kind: ComponentKind, row: Row) -> str:
    """What the days to onset are counted from."""
    if kind is ComponentKind.PROCEDURE:
        return "a session"
    return "the last dose" if row.clock == "last" else "the first dose"


def after_last(cause: str, seen: Exposure, profile: Profile) -> Iterator[Piece]:
    """How far the hazard of a drug that lingers has faded since the last dose; nothing while it is given."""
    fading, last = profile.persistence, seen.days_since_last
    assert fading is not None
    if seen.ongoing is True or (seen.ongoing is None and last is not None and last < 0):
        return
    source = profile.cite(fading.source)
    if last is None or last < 0:
        if seen.ongoing is False:
            yield Piece(cause, "days since the last dose not known", 1.0, source, fading.tier, known=False)
        return
    what = f"last dose {last:g} d before onset"
    yield Piece(cause, what, fading.remaining(last), source, fading.tier)


def findings(
    cause: str, case: Case, seen: Exposure, organ_class: str | None, profile: Profile, weights: Weights
) -> Iterator[Piece]:
    """Every finding that the profile knows a weight for, and that this event has."""
    answers = {name: answer_text(found) for name, found in case.evidence.items()}
    answers["dechallenge"] = answer_text(seen.dechallenge)
    answers["rechallenge"] = answer_text(seen.rechallenge)
    for rule in profile.evidence:
        if answers.get(rule.what) == rule.value and rule.applies(case.term, organ_class):
            how = seen.inferred.get(rule.what) or case.inferred.get(rule.what, "")
            yield weighed(cause, rule, profile, irreversible=weights.never_recovers(case.term), inferred=how)


def answer_text(found: bool | Challenge | None) -> str | None:
    """A finding in the words of a profile's evidence rules; None where it is not known."""
    if found is None or isinstance(found, Challenge):
        return None if found is None else found.value.lower()
    return "yes" if found else "no"


def weighed(cause: str, rule: EvidenceRule, profile: Profile, *, irreversible: bool, inferred: str = "") -> Piece:
    """The piece that *rule* makes of a finding it is about; *inferred*: by what of the record the finding was read."""
    factor, because = rule.factor, rule.because
    if (rule.what, rule.value) == ("dechallenge", "negative") and irreversible:
        factor, because = 1.0, "irreversible, so no recovery on holding says nothing"
    said = "; ".join(part for part in (f"inferred: {inferred}" if inferred else "", because) if part)
    what = f"{rule.what.replace('_', ' ')} {rule.value}" + (f" ({said})" if said else "")
    proof = rule.proof or (rule.what, rule.value) == ("rechallenge", "positive")
    return Piece(cause, what, factor, profile.cite(rule.source), rule.tier, proof=proof, supports=factor > 1)
