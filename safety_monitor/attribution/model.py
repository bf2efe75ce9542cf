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
from functools import cached_property, lru_cache

from ctcae_v403 import dictionary
from safety_monitor.attribution import account, evidence
from safety_monitor.attribution.account import RestsOn
from safety_monitor.attribution.catalogue import Basis, Profile, Weights, weights
from safety_monitor.attribution.catalogue import profile as shipped_profile
from safety_monitor.attribution.evidence import Case, Challenge, Exposure, Piece
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Level

__all__ = ["DISEASE", "OTHER", "Case", "Challenge", "Exposure", "Level", "Piece", "Weighing", "weigh"]

DISEASE, OTHER = "DISEASE", "OTHER"


@dataclass(frozen=True)
class Weighing:
    """Shares (summing to 1) and levels by cause: component names as given, then DISEASE and OTHER.

    ``effects`` goes with ``pieces``: by how much the share of the leading cause is larger than it would be if the piece
    were not known (None where the piece makes its cause impossible). ``rests_on``: what stands behind the expected
    frequency of the leading cause.
    """

    shares: dict[str, float]
    levels: dict[str, Level]
    leading: str
    rationale: str
    pieces: tuple[Piece, ...]
    effects: tuple[float | None, ...]
    rests_on: RestsOn


@dataclass(frozen=True)
class _Cause:
    """One competing cause with all that was weighed for it; hazard 0 means impossible."""

    name: str
    pieces: tuple[Piece, ...]
    basis: Basis
    exposure_known: bool

    @cached_property
    def hazard(self) -> float:
        return math.prod(piece.factor for piece in self.pieces)


def weigh(
    case: Case,
    components: Sequence[Component],
    *,
    disease: str | None = None,
    profiles: Mapping[str, Profile] | None = None,
    constants: Weights | None = None,
) -> Weighing:
    """Weigh *case* for every component, for the disease (a profile name) and for another cause.

    *profiles* are a trial's own, by name; they go before the shipped ones. A component whose profile is
    missing gets a flat one and the rationale says so. *constants* are others than those shipped.
    """
    known, constants = profiles or {}, constants or weights()
    standard = standard_term(case.term)
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
    total = sum(sorted(cause.hazard for cause in causes))
    shares = {cause.name: cause.hazard / total for cause in causes}
    levels = {cause.name: _level(cause, shares[cause.name], constants) for cause in causes}
    leading = min(causes, key=lambda cause: (-shares[cause.name], cause.name))
    effects = [[_effect(piece, cause, leading, total) for piece in cause.pieces] for cause in causes]
    told = [
        (cause.name, levels[cause.name], shares[cause.name], cause.pieces, moved)
        for cause, moved in zip(causes, effects, strict=True)
    ]
    found = account.rests_on(leading.basis, leading.pieces[0].tier)
    remark = remark_on(organ_class is not None, all(cause.basis == "flat" for cause in causes))
    rationale = account.paragraph(case.term, case.grade, remark, leading.name, found, told)
    pieces = tuple(piece for cause in causes for piece in cause.pieces)
    return Weighing(
        shares, levels, leading.name, rationale, pieces, tuple(e for moved in effects for e in moved), found
    )


def remark_on(is_ctcae: bool, all_flat: bool) -> str:
    """What the head of the rationale says of a term that little is known about."""
    if not is_ctcae:
        return account.NOT_CTCAE
    return account.ALL_FLAT if all_flat else ""


def _effect(piece: Piece, cause: _Cause, leading: _Cause, total: float) -> float | None:
    """By how much the leading share is larger than without *piece*; None where it makes its cause impossible."""
    if piece.factor == 0:
        return None
    without = cause.hazard / piece.factor * piece.neutral
    rest = total - cause.hazard + without
    return leading.hazard / total - (without if cause is leading else leading.hazard) / rest


@lru_cache(maxsize=4096)
def standard_term(term: str) -> dictionary.Term | None:
    """The CTCAE term of that name, however spelt; None where CTCAE does not have it."""
    try:
        return dictionary.term(term)
    except LookupError:
        return None


def disease_behind(components: Sequence[Component], profiles: Mapping[str, Profile]) -> str | None:
    """The disease of the patients that the components' figures rest on; None where no profile says it."""
    used = (find_profile(part.profile, profiles) for part in components)
    return next((profile.population for profile in used if profile and profile.population), None)


def find_profile(name: str | None, profiles: Mapping[str, Profile]) -> Profile | None:
    return None if name is None else profiles.get(name) or shipped_profile(name)


def _component(
    case: Case, organ_class: str | None, part: Component, profiles: Mapping[str, Profile], constants: Weights
) -> _Cause:
    cause, seen = part.name, case.exposures.get(part.name, Exposure())
    profile = find_profile(part.profile, profiles)
    impossible = evidence.impossible(cause, seen)
    if impossible is not None:
        return _Cause(cause, (impossible,), "flat", True)
    chosen = profile or constants.unprofiled[part.kind.value]
    found = chosen.find(case.term, organ_class=organ_class, verbatim=case.verbatim)
    pieces = [evidence.incidence(cause, case, found.row, found.basis, chosen, constants)]
    if profile is None:
        pieces.append(evidence.no_profile(cause, part.profile))
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
    profile = find_profile(name, profiles)
    chosen = profile or constants.unprofiled[ComponentKind.DRUG.value]
    found = chosen.find(case.term, organ_class=organ_class, verbatim=case.verbatim)
    pieces = [evidence.incidence(cause, case, found.row, found.basis, chosen, constants)]
    if profile is None:
        pieces.append(evidence.no_profile(cause, name, disease=True))
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
