"""The engine under wrong profiles, missing evidence and other weights: what is varied, and what it costs.

A profile that is changed is always built anew: a copy of a profile would carry its index of terms along, and find the old rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from attribution_trials import CAUSES, COMPONENTS, FINDINGS
from measures import Floats, Ints, Scores, brier, scores

from safety_monitor.attribution import Profile, profile, weigh_frame
from safety_monitor.attribution.catalogue import Frequency, Onset, Persistence, Row, Weights, weights
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Level

PARTS = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
)
DISEASE = "hcc"
PROFILES = (*COMPONENTS, DISEASE, "other")


@dataclass(frozen=True)
class Setting:
    """What the engine is run with: profiles in place of shipped ones, and the constants of its model."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    constants: Weights = field(default_factory=weights)

    def profile(self, name: str) -> Profile:
        return self.profiles.get(name) or shipped(name)

    def with_profile(self, name: str, **new: Any) -> Setting:
        return Setting({**self.profiles, name: changed(self.profile(name), **new)}, self.constants)

    def with_constants(self, **new: Any) -> Setting:
        return Setting(self.profiles, self.constants.model_copy(update=new))


@dataclass(frozen=True)
class Answer:
    """Shares by (event, cause) and levels by (event, component), 1 Unrelated to 5 Definite."""

    shares: Floats
    levels: Ints


def ask(events: pl.DataFrame, setting: Setting | None = None) -> Answer:
    """What the engine says of *events*."""
    chosen = setting or Setting()
    found = weigh_frame(events, PARTS, profiles=chosen.profiles, constants=chosen.constants, disease=DISEASE)
    numbers = {level.name: int(level) for level in Level}
    levels = found.select(pl.col(f"{name.upper()}_LEVEL").replace_strict(numbers) for name in COMPONENTS)
    return Answer(found.select(f"{cause.upper()}_SHARE" for cause in CAUSES).to_numpy(), levels.to_numpy())


def true_causes(events: pl.DataFrame) -> Ints:
    """The true cause of each event, as its place in ``CAUSES``."""
    return np.array([CAUSES.index(cause) for cause in events["TRUTH"]])


def shipped(name: str) -> Profile:
    found = profile(name)
    assert found is not None
    return found


def changed(of: Profile, **new: Any) -> Profile:
    """*of* with some fields changed, built anew."""
    return Profile(**{**{name: getattr(of, name) for name in Profile.model_fields}, **new})


def _rows(of: Profile, change: Callable[[Row], Row], **new: Any) -> Profile:
    return changed(of, terms=tuple(map(change, of.terms)), classes=tuple(map(change, of.classes)), **new)


def scaled(of: Profile, factors: Callable[[], float]) -> Profile:
    """Every incidence of a profile times a factor, asked for once for each row."""

    def change(row: Row) -> Row:
        by = factors()
        frequency = weights().frequency[row.frequency] if row.frequency and row.incidence_any is None else None
        new: dict[str, Any] = {"frequency": None} if frequency is not None else {}
        for name, value in (("incidence_any", row.incidence_any or frequency), ("incidence_g3", row.incidence_g3)):
            new[name] = None if value is None else min(1.0, value * by)
        for name in ("by_modality", "by_drug"):
            new[name] = {key: min(1.0, value * by) for key, value in getattr(row, name).items()}
        return row.model_copy(update=new)

    return _rows(of, change)


def moved(of: Profile, *, stretch: float, shift: float) -> Profile:
    """Every onset window stretched, then shifted by days."""

    def onset(window: Onset | None) -> Onset | None:
        if window is None:
            return None
        low, high = window.low * stretch + shift, window.high * stretch + shift
        return Onset(
            low=low, high=high, covers=window.covers, median=None if window.median is None else window.median * stretch + shift
        )

    return _rows(of, lambda row: row.model_copy(update={"onset": onset(row.onset)}), onset=onset(of.onset))


def wrong_profiles(seed: int) -> Iterator[tuple[str, Setting]]:
    """Incidences three times too high or too low, windows too short, too long, too late."""
    rng = np.random.default_rng(seed)

    def either() -> float:
        return float(rng.choice([3.0, 1 / 3]))

    for name in (*COMPONENTS, DISEASE):
        yield f"incidences of {name} × 3", Setting({name: scaled(shipped(name), lambda: 3.0)})
        yield f"incidences of {name} ÷ 3", Setting({name: scaled(shipped(name), lambda: 1 / 3)})
    yield "every incidence × 3 or ÷ 3, by chance", Setting({name: scaled(shipped(name), either) for name in PROFILES})
    for words, stretch, shift in (("half as long", 0.5, 0.0), ("twice as long", 2.0, 0.0), ("30 days later", 1.0, 30.0)):
        for name in COMPONENTS:
            yield f"windows of {name} {words}", Setting({name: moved(shipped(name), stretch=stretch, shift=shift)})


def robustness(events: pl.DataFrame, seed: int) -> list[tuple[str, Scores]]:
    truth = true_causes(events)
    return [(label, scores(ask(events, setting).shares, truth)) for label, setting in wrong_profiles(seed)]


def missing(events: pl.DataFrame, seed: int) -> list[tuple[str, float, Scores]]:
    """What is missing, in which fraction of the events, and what that leaves."""
    rng, truth, rows = np.random.default_rng(seed), true_causes(events), []
    challenges = [f"{name.upper()}_{kind}" for name in COMPONENTS for kind in ("DECHALLENGE", "RECHALLENGE")]
    days = [f"{name.upper()}_DAYS_SINCE_{end}" for name in COMPONENTS for end in ("FIRST", "LAST")]
    exposure = [*days, *(f"{name.upper()}_{kind}" for name in COMPONENTS for kind in ("EXPOSED", "ONGOING"))]
    groups = {
        **{name.lower().replace("_", " "): [name] for name in FINDINGS},
        "dechallenge": challenges[::2],
        "rechallenge": challenges[1::2],
        "site and modality of ablation": ["ABLATION_SITE", "ABLATION_MODALITY"],
        "PD-1 inhibitor by name": ["PD1_DRUG"],
        "grade": ["AETOXGR"],
        "all findings": [*FINDINGS, *challenges],
        "days since exposure": days,
        "everything about exposure": exposure,
    }
    for label, columns in groups.items():
        order = rng.random(events.height)
        for fraction in (0.25, 0.5, 1.0):
            gone = pl.Series(order < fraction)
            left = events.with_columns(pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in columns)
            rows.append((label, fraction, scores(ask(left).shares, truth)))
    return rows


@dataclass(frozen=True)
class Weight:
    """One number that no publication gives, its value, and the setting in which it is multiplied by a factor.

    ``turns_at``: a finding that speaks for or against a cause keeps its direction; it may become neutral, no more.
    """

    label: str
    value: float
    by: Callable[[Setting, float], Setting]
    steps: tuple[float, float] = (2.0, 0.5)
    turns_at: float | None = None

    def kept(self, factor: float) -> float:
        """*factor*, or as much of it as leaves the direction."""
        if self.turns_at is None or (self.value < self.turns_at) == (self.value * factor < self.turns_at):
            return factor
        return self.turns_at / self.value


def _rule(name: str, number: int) -> Weight:
    rule = shipped(name).evidence[number]
    limits = (*rule.terms, *rule.classes)
    also = f" ({limits[0]}{' …' if len(limits) > 1 else ''})" if limits else ""

    def by(setting: Setting, factor: float) -> Setting:
        rules = list(setting.profile(name).evidence)
        rules[number] = rule.model_copy(update={"factor": rule.factor * factor})
        return setting.with_profile(name, evidence=tuple(rules))

    return Weight(f"{name}: {rule.what.replace('_', ' ')} {rule.value}{also}", rule.factor, by, turns_at=1.0)


def _outside(name: str) -> Weight:
    value = shipped(name).outside_window

    def by(setting: Setting, factor: float) -> Setting:
        return setting.with_profile(name, outside_window=min(0.99, value * factor))

    return Weight(f"{name}: onset outside the window", value, by)


def _fading(name: str, persistence: Persistence) -> Weight:
    value = persistence.half_life_days

    def by(setting: Setting, factor: float) -> Setting:
        return setting.with_profile(name, persistence=persistence.model_copy(update={"half_life_days": value * factor}))

    return Weight(f"{name}: half-life after the last dose, days", value, by)


def _constant(key: str) -> Weight:
    value = getattr(weights(), key)
    return Weight(key.replace("_", " "), value, lambda setting, factor: setting.with_constants(**{key: value * factor}))


def _word(word: Frequency) -> Weight:
    value = weights().frequency[word]

    def by(setting: Setting, factor: float) -> Setting:
        return setting.with_constants(frequency={**setting.constants.frequency, word: min(1.0, value * factor)})

    return Weight(f"“{word.replace('_', ' ')}” as a frequency", value, by)


def _cut(name: str) -> Weight:
    value = getattr(weights().cuts, name)

    def by(setting: Setting, factor: float) -> Setting:
        return setting.with_constants(cuts=setting.constants.cuts.model_copy(update={name: min(0.99, value * factor)}))

    return Weight(f"cut of {name.capitalize()}", value, by, (1.25, 0.8))


def judged() -> list[Weight]:
    """Every weight of tier judgement, of the profiles and of the constants of the model."""
    found = []
    for name in PROFILES:
        of = shipped(name)
        found += [_rule(name, n) for n, rule in enumerate(of.evidence) if rule.tier == "judgement" and rule.factor != 1.0]
        found += [_outside(name)] if of.kind != "background" else []
        found += [_fading(name, of.persistence)] if of.persistence and of.persistence.tier == "judgement" else []
    found += [_constant(key) for key in ("horizon_days", "exposure_unknown", "grade3_fraction", "incidence_floor")]
    return [*found, *map(_word, weights().frequency), *map(_cut, ("possible", "probable", "definite"))]


@dataclass(frozen=True)
class Moved:
    """What one weight changed by one factor did: shares of events whose leading cause or whose levels change, and the
    differences of accuracy and Brier score."""

    weight: Weight
    factor: float
    leading: float
    levels: float
    accuracy: float
    brier: float


def sensitivity(events: pl.DataFrame, base: Answer) -> list[Moved]:
    """Every judged weight up and down, those that change the leading cause of most events first."""
    truth, rows = true_causes(events), []
    leading, was = base.shares.argmax(axis=1), scores(base.shares, truth)
    for weight in judged():
        for factor in weight.steps:
            now = ask(events, weight.by(Setting(), factor))
            lead = now.shares.argmax(axis=1)
            rows.append(
                Moved(
                    weight, factor, float((lead != leading).mean()), float((now.levels != base.levels).any(axis=1).mean()),
                    float((lead == truth).mean()) - was.accuracy, brier(now.shares, truth) - was.brier,
                )
            )  # fmt: skip
    return sorted(rows, key=lambda row: (-row.leading, -row.levels, row.weight.label, row.factor))


def tuned(events: pl.DataFrame, start: Moved) -> tuple[float, float]:
    """How far to go in the direction of *start*, a change that helped: the factor with the least Brier score on *events*
    among the square-root steps up to eightfold that keep the direction of a finding, and that score."""
    truth = true_causes(events)
    factors = sorted({start.weight.kept(start.factor ** (half / 2)) for half in range(1, 7)})
    found = [(brier(ask(events, start.weight.by(Setting(), factor)).shares, truth), factor) for factor in factors]
    least, factor = min(found)
    return factor, least
