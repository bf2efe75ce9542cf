"""Which cause brought this event about: competing causes, weighed with their reasons.

Each study component, the disease and another cause has a hazard of this CTCAE term at this time: expected
incidence × onset density since the exposure × the odds of every finding. The share of a cause is its hazard
over the sum. A share is zero only where the cause is impossible (not exposed, or onset before the first
exposure), and only then is the level Unrelated. Levels are NCI's five (CTEP attribution scale), cut on the
share and on what the evidence allows: Definite needs a positive rechallenge or specific proof; a cause whose
exposure is not known, or whose figure is a flat one without a finding for it, is Possible at most. This is a
second opinion beside the investigator's, never instead of it.

>>> from safety_monitor.study import Component
>>> lung = Exposure(exposed=True, days_since_first=1, days_since_last=1)
>>> case = Case("1", "Pneumothorax", exposures={"ablation": lung}, ablation_site="LUNG")
>>> weighing = weigh(case, [Component(name="ablation", kind="procedure", profile="ablation")])
>>> weighing.leading, weighing.levels["ablation"].name
('ablation', 'PROBABLE')
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ctcae_v403 import dictionary
from safety_monitor.attribution import evidence
from safety_monitor.attribution.catalogue import Basis, Profile, Weights, weights
from safety_monitor.attribution.catalogue import profile as shipped_profile
from safety_monitor.attribution.evidence import Case, Challenge, Exposure, Piece
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Level

__all__ = ["DISEASE", "OTHER", "Case", "Challenge", "Exposure", "Level", "Piece", "Weighing", "weigh"]

DISEASE, OTHER = "DISEASE", "OTHER"


@dataclass(frozen=True)
class Weighing:
    """Shares (summing to 1) and levels by cause: component names as given, then DISEASE and OTHER."""

    shares: dict[str, float]
    levels: dict[str, Level]
    leading: str
    rationale: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class _Cause:
    """One competing cause with all that was weighed for it; hazard 0 means impossible."""

    name: str
    pieces: tuple[Piece, ...]
    basis: Basis
    exposure_known: bool

    @property
    def hazard(self) -> float:
        return math.prod(piece.factor for piece in self.pieces)


def weigh(
    case: Case,
    components: Sequence[Component],
    *,
    disease: str | None = None,
    profiles: Mapping[str, Profile] | None = None,
) -> Weighing:
    """Weigh *case* for every component, for the disease (a profile name) and for another cause.

    *profiles* are a trial's own, by name; they go before the shipped ones. A component whose profile is
    missing gets a flat one and the rationale says so.
    """
    known, constants = profiles or {}, weights()
    standard = _standard_term(case.term)
    organ_class = None if standard is None else standard.soc
    if standard is not None:
        case = replace(case, term=standard.name)  # profiles spell as the standard does
    else:
        case = replace(case, verbatim=f"{case.term} {case.verbatim}".strip())  # it is only words
    causes = [_component(case, organ_class, part, known, constants) for part in components]
    behind = disease or disease_behind(components, known)
    for name, wanted in ((DISEASE, behind), (OTHER, "other")):
        causes.append(_background(case, organ_class, name, wanted, known, constants))
    if len({cause.name for cause in causes}) != len(causes):
        names = ", ".join(cause.name for cause in causes)
        raise ValueError(f"causes to weigh: {names}: each needs a name of its own; rename the component")
    # sorted first, so that the order of components cannot change the last digit
    total = math.fsum(sorted(cause.hazard for cause in causes))
    shares = {cause.name: cause.hazard / total for cause in causes}
    levels = {cause.name: _level(cause, shares[cause.name], constants) for cause in causes}
    leading = min(shares, key=lambda name: (-shares[name], name))
    pieces = tuple(piece for cause in causes for piece in cause.pieces)
    rationale = _rationale(case, organ_class, causes, shares, levels, leading)
    return Weighing(shares, levels, leading, rationale, pieces)


@lru_cache(maxsize=4096)
def _standard_term(term: str) -> dictionary.Term | None:
    """The CTCAE term of that name, however spelt; None where CTCAE does not have it."""
    try:
        return dictionary.term(term)
    except LookupError:
        return None


def disease_behind(components: Sequence[Component], profiles: Mapping[str, Profile]) -> str | None:
    """The disease of the patients that the components' figures rest on; None where no profile says it."""
    used = (_find(part.profile, profiles) for part in components)
    return next((profile.population for profile in used if profile and profile.population), None)


def _find(name: str | None, profiles: Mapping[str, Profile]) -> Profile | None:
    return None if name is None else profiles.get(name) or shipped_profile(name)


def _component(
    case: Case, organ_class: str | None, part: Component, profiles: Mapping[str, Profile], constants: Weights
) -> _Cause:
    cause, seen = part.name, case.exposures.get(part.name, Exposure())
    profile = _find(part.profile, profiles)
    impossible = seen.impossible()
    if impossible is not None:
        if seen.exposed is False and seen.days_before_onset():
            impossible += ", although days since exposure are given: please check"
        return _Cause(cause, (Piece(cause, impossible, 0.0, "temporal sequence", "verified"),), "flat", True)
    chosen = profile or constants.unprofiled[part.kind.value]
    found = chosen.find(case.term, organ_class=organ_class, verbatim=case.verbatim)
    pieces = [evidence.incidence(cause, case, found.row, found.basis, chosen, constants)]
    if profile is None:
        named = f"profile {part.profile!r} does not exist" if part.profile else "no profile configured"
        what = f"{named}, flat figures used"
        pieces.append(Piece(cause, what, 1.0, "no profile", "judgement", known=False))
    pieces += evidence.exposure(cause, seen, constants)
    pieces += evidence.site(cause, case, found.row, chosen)
    pieces += evidence.timing(cause, seen, part.kind, found.row, chosen, constants)
    pieces += evidence.findings(cause, case, seen, organ_class, chosen, constants)
    return _Cause(cause, tuple(pieces), found.basis, seen.known())


def _background(
    case: Case,
    organ_class: str | None,
    cause: str,
    name: str | None,
    profiles: Mapping[str, Profile],
    constants: Weights,
) -> _Cause:
    profile = _find(name, profiles)
    chosen = profile or constants.unprofiled[ComponentKind.DRUG.value]
    found = chosen.find(case.term, organ_class=organ_class, verbatim=case.verbatim)
    pieces = [evidence.incidence(cause, case, found.row, found.basis, chosen, constants)]
    if profile is None:
        named = f"profile {name!r} does not exist" if name else "no profile of the disease configured"
        what = f"{named}, flat figures used"
        pieces.append(Piece(cause, what, 1.0, "no profile", "judgement", known=False))
    pieces += evidence.findings(cause, case, Exposure(), organ_class, chosen, constants)
    return _Cause(cause, tuple(pieces), found.basis, True)


def _level(cause: _Cause, share: float, constants: Weights) -> Level:
    cuts = constants.cuts
    if cause.hazard == 0:
        return Level.UNRELATED
    if share < cuts.possible:
        return Level.UNLIKELY
    supported = any(piece.supports for piece in cause.pieces)
    if share < cuts.probable or not cause.exposure_known or (cause.basis == "flat" and not supported):
        return Level.POSSIBLE
    proven = any(piece.proof for piece in cause.pieces)
    return Level.DEFINITE if proven and share >= cuts.definite else Level.PROBABLE


def _rationale(
    case: Case,
    organ_class: str | None,
    causes: Sequence[_Cause],
    shares: Mapping[str, float],
    levels: Mapping[str, Level],
    leading: str,
) -> str:
    """One paragraph: the answer, then each cause from the likeliest with every piece, weight and source."""
    grade = "grade not known" if case.grade is None else f"grade {case.grade}"
    head = f"{case.term or 'Event without a term'} ({grade}): {leading} leads."
    if organ_class is None:
        head += " The term is not in CTCAE v4.03, so this rests on very little."
    elif all(cause.basis == "flat" for cause in causes):
        head += " No profile knows this term or its organ class, so this rests on very little."
    told = [head]
    for cause in sorted(causes, key=lambda cause: (-shares[cause.name], cause.name)):
        first, *rest = cause.pieces
        said = [_base(first)] + [f"{piece.what} ×{piece.factor:.3g} [{_source(piece)}]" for piece in rest]
        name, share = cause.name, shares[cause.name]
        told.append(f"{name} {levels[name].name}, share {_share(share)}: {'; '.join(said)}.")
    pieces = (piece for cause in causes for piece in cause.pieces)
    missing = [f"{piece.cause}: {piece.what}" for piece in pieces if not piece.known]
    if missing:
        told.append(f"Not known, so averaged or left neutral: {'; '.join(missing)}.")
    return " ".join(" ".join(told).split())


def _share(share: float) -> str:
    """Three decimals; only the impossible reads 0."""
    return "<0.001" if 0 < share < 0.0005 else f"{share:.3f}"


def _base(piece: Piece) -> str:
    return f"impossible, {piece.what}" if piece.factor == 0 else f"{piece.what} [{_source(piece)}]"


def _source(piece: Piece) -> str:
    return f"{piece.source}; {piece.tier}"
