"""make validate-attribution: how often the attribution engine is right where the truth is known, and what would mislead it.

Writes docs/attribution-validation.md and its figure. The seed is fixed; the same code gives the same report. --short is a small
version that prints instead of writing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import matplotlib as mpl
import numpy as np
import polars as pl
from attribution_trials import CAUSES, COMPONENTS, FINDINGS, simulate
from baselines import most_frequent, naranjo_per_component, nearest_exposure
from measures import accuracy, brier, calibration_error, log_loss, reliability

from safety_monitor.attribution import Profile, profile, weigh_frame
from safety_monitor.attribution.catalogue import Weights, weights
from safety_monitor.stats.agreement import cohen_kappa
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind, Level

ROOT = Path(__file__).parents[1]
SEED, TRAINING_SEED = 20261123, 7
PARTS = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
)
PROFILES = ("ablation", "lenvatinib", "pd1", "hcc", "other")
TENTHS = np.linspace(0, 1, 11)
LIVER = (
    "Alanine aminotransferase increased",
    "Aspartate aminotransferase increased",
    "Blood bilirubin increased",
    "Hepatic failure",
    "Hepatitis viral",
)
KINDS = {
    "liver": LIVER,
    "skin": ("Rash maculo-papular", "Pruritus", "Palmar-plantar erythrodysesthesia syndrome", "Dry skin"),
    "endocrine": ("Hypothyroidism", "Hyperthyroidism", "Adrenal insufficiency", "Glucose intolerance"),
    "chest": (
        "Pneumothorax",
        "Pleural effusion",
        "Bronchopulmonary hemorrhage",
        "Lung infection",
        "Pneumonitis",
        "Chest wall pain",
    ),
    "gut": ("Diarrhea", "Colitis", "Nausea", "Vomiting", "Abdominal pain", "Constipation"),
    "bleeding": ("Esophageal varices hemorrhage", "Gastric hemorrhage", "Intra-abdominal hemorrhage", "Epistaxis"),
    "general": ("Fatigue", "Fever", "Pain", "Anorexia", "Weight loss"),
}


class Study:
    """The simulated events and the engine's answers under variations."""

    def __init__(self, n_trials: int) -> None:
        self.events = simulate(n_trials, SEED)
        self.truth = np.array([CAUSES.index(cause) for cause in self.events["TRUTH"]])

    def answers(
        self, events: pl.DataFrame | None = None, profiles: dict[str, Profile] | None = None, constants: Weights | None = None
    ) -> tuple[Any, Any]:
        """Shares by (event, cause), and levels of the three components."""
        found = weigh_frame(
            self.events if events is None else events, PARTS, profiles=profiles, constants=constants, disease="hcc"
        )
        shares = found.select(f"{cause.upper()}_SHARE" for cause in CAUSES).to_numpy()
        levels = found.select(
            pl.col(f"{name.upper()}_LEVEL").replace_strict({level.name: int(level) for level in Level}) for name in COMPONENTS
        )
        return shares, levels.to_numpy()


def scores(shares: Any, truth: Any) -> tuple[float, float, float, float]:
    """Accuracy, Brier score, log loss, calibration error of the leading share."""
    rows = reliability(shares.max(axis=1), shares.argmax(axis=1) == truth, TENTHS)
    return accuracy(shares, truth), brier(shares, truth), log_loss(shares, truth), calibration_error(rows)


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)])


def rows_changed(of: Profile, change: Callable[[Any], Any]) -> Profile:
    return of.model_copy(update={"terms": tuple(map(change, of.terms)), "classes": tuple(map(change, of.classes))})


def scaled(of: Profile, rng: np.random.Generator, factor: float) -> Profile:
    """Every incidence of a profile times or divided by *factor*, at random by term."""

    def change(row: Any) -> Any:
        by = factor if rng.random() < 0.5 else 1 / factor
        frequency = weights().frequency[row.frequency] if row.frequency and row.incidence_any is None else None
        new: dict[str, Any] = {"frequency": None} if frequency else {}
        for name, value in (("incidence_any", row.incidence_any or frequency), ("incidence_g3", row.incidence_g3)):
            new[name] = None if value is None else min(1.0, value * by)
        for name in ("by_modality", "by_drug"):
            new[name] = {key: min(1.0, value * by) for key, value in getattr(row, name).items()}
        return row.model_copy(update=new)

    return rows_changed(of, change)


def moved(of: Profile, stretch: float, shift: float) -> Profile:
    """Every onset window stretched and shifted by days."""

    def onset(window: Any) -> Any:
        if window is None:
            return None
        new = {
            name: None if (day := getattr(window, name)) is None else max(0.0, day * stretch + shift)
            for name in ("low", "high", "median")
        }
        return type(window)(**new, covers=window.covers)

    def change(row: Any) -> Any:
        return row.model_copy(update={"onset": onset(row.onset)})

    return rows_changed(of, change).model_copy(update={"onset": onset(of.onset)})


def reweighed(of: Profile, number: int, by: float) -> Profile:
    rules = list(of.evidence)
    rules[number] = rules[number].model_copy(update={"factor": rules[number].factor * by})
    return of.model_copy(update={"evidence": tuple(rules)})


def get(name: str) -> Profile:
    found = profile(name)
    assert found is not None
    return found


def robustness(study: Study) -> list[list[Any]]:
    rng = np.random.default_rng(SEED)
    variants: list[tuple[str, dict[str, Profile]]] = [("as shipped", {})]
    variants += [(f"incidence of {name} × 3", {name: rows_changed_all(get(name), 3.0)}) for name in (*COMPONENTS, "hcc")]
    variants += [(f"incidence of {name} ÷ 3", {name: rows_changed_all(get(name), 1 / 3)}) for name in (*COMPONENTS, "hcc")]
    variants.append(("every incidence × 3 or ÷ 3 at random", {name: scaled(get(name), rng, 3.0) for name in PROFILES}))
    for label, stretch, shift in (("half as long", 0.5, 0.0), ("twice as long", 2.0, 0.0), ("30 days later", 1.0, 30.0)):
        variants.append((f"all windows {label}", {name: moved(get(name), stretch, shift) for name in COMPONENTS}))
        variants.append((f"drug windows {label}", {name: moved(get(name), stretch, shift) for name in COMPONENTS[1:]}))
    return [[label, *scores(study.answers(profiles=profiles)[0], study.truth)] for label, profiles in variants]


def rows_changed_all(of: Profile, by: float) -> Profile:
    class Always:
        def random(self) -> float:
            return 0.0 if by > 1 else 1.0

    return scaled(of, Always(), by if by > 1 else 1 / by)  # type: ignore[arg-type]


def missing(study: Study) -> list[list[Any]]:
    rng, rows = np.random.default_rng(SEED), []
    challenges = [f"{name.upper()}_{kind}" for name in COMPONENTS for kind in ("DECHALLENGE", "RECHALLENGE")]
    days = [f"{name.upper()}_DAYS_SINCE_{end}" for name in COMPONENTS for end in ("FIRST", "LAST")]
    exposure = [*days, *(f"{name.upper()}_{kind}" for name in COMPONENTS for kind in ("EXPOSED", "ONGOING"))]
    groups = {
        **{name.lower().replace("_", " "): [name] for name in FINDINGS},
        "dechallenge and rechallenge": challenges,
        "site and modality": ["ABLATION_SITE", "ABLATION_MODALITY"],
        "grade": ["AETOXGR"],
        "all findings": [*FINDINGS, *challenges],
        "days since exposure": days,
        "everything about exposure": exposure,
    }
    for label, columns in groups.items():
        for fraction in (0.25, 0.5, 1.0):
            drop = pl.Series(rng.random(study.events.height) < fraction)
            events = study.events.with_columns(pl.when(drop).then(None).otherwise(pl.col(name)).alias(name) for name in columns)
            rows.append([label, f"{fraction:.0%}", *scores(study.answers(events)[0], study.truth)])
    return rows


def sensitivity(study: Study) -> list[list[Any]]:
    """Every judgement-tier weight doubled and halved; ordered by how many events change their leading cause."""
    base, base_levels = study.answers()
    lead, rows = base.argmax(axis=1), []
    variants: list[tuple[str, dict[str, Any]]] = []
    for name in PROFILES:
        for number, rule in enumerate(get(name).evidence):
            if rule.tier == "judgement" and rule.factor != 1.0:
                label = f"{name}: {rule.what.replace('_', ' ')} {rule.value}" + (f" ({rule.terms[0]} …)" if rule.terms else "")
                variants += [(f"{label} × {by:g}", {"profiles": {name: reweighed(get(name), number, by)}}) for by in (2.0, 0.5)]
        for key in ("outside_window", "persistence"):
            variants += [
                (f"{name}: {key} × {by:g}", {"profiles": {name: changed}})
                for by in (2.0, 0.5)
                if (changed := _key(get(name), key, by))
            ]
    for key in ("horizon_days", "exposure_unknown", "grade3_fraction"):
        value = getattr(weights(), key)
        variants += [
            (f"{key} × {by:g}", {"constants": weights().model_copy(update={key: min(value * by, 1e9)})}) for by in (2.0, 0.5)
        ]
    for word in weights().frequency:
        for by in (2.0, 0.5):
            frequency = dict(weights().frequency)
            frequency[word] = min(1.0, frequency[word] * by)
            variants.append(
                (f"“{word.replace('_', ' ')}” × {by:g}", {"constants": weights().model_copy(update={"frequency": frequency})})
            )
    for cut in ("possible", "probable"):
        for by in (1.25, 0.8):
            cuts = weights().cuts.model_copy(update={cut: getattr(weights().cuts, cut) * by})
            variants.append((f"cut of {cut} × {by:g}", {"constants": weights().model_copy(update={"cuts": cuts})}))
    for label, change in variants:
        shares, levels = study.answers(**change)
        changed = float((shares.argmax(axis=1) != lead).mean())
        relevel = float((levels != base_levels).any(axis=1).mean())
        rows.append(
            [
                label,
                changed,
                relevel,
                accuracy(shares, study.truth) - accuracy(base, study.truth),
                brier(shares, study.truth) - brier(base, study.truth),
            ]
        )
    return sorted(rows, key=lambda row: (-row[1], -row[2], row[0]))


def _key(of: Profile, key: str, by: float) -> Profile | None:
    if key == "outside_window":
        return of.model_copy(update={key: min(0.99, of.outside_window * by)}) if of.kind != "background" else None
    fading = of.persistence
    return (
        of.model_copy(update={key: fading.model_copy(update={"half_life_days": fading.half_life_days * by})}) if fading else None
    )


def agreement(study: Study, levels: Any) -> list[list[Any]]:
    rows = []
    for place, name in enumerate(COMPONENTS):
        said = (study.events[f"INVESTIGATOR_{name.upper()}"] == "Y").to_numpy()
        system, true = levels[:, place] >= Level.POSSIBLE, study.truth == place
        cells = [
            [int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()), int((~a & ~b).sum())]
            for a, b in ((said, system), (said, true), (system, true))
        ]
        rows.append([name, float(said.mean()), float(system.mean()), float(true.mean()), *(cohen_kappa(*cell) for cell in cells)])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few trials, printed")
    short = parser.parse_args().short
    study = Study(6 if short else 200)
    train = simulate(4 if short else 60, TRAINING_SEED)
    shares, levels = study.answers()
    events, truth = study.events, study.truth
    few = min(events.height, 2_000 if short else 20_000)
    some, some_truth = events.head(few), truth[:few]
    ours = scores(shares, truth)
    main_rows = [
        ["the engine", *ours],
        ["most frequent cause of the term", *scores(most_frequent(train, events), truth)],
        ["nearest exposure in time", *scores(nearest_exposure(train, events), truth)],
        [
            f"Naranjo per component (first {few:,} events)",
            *scores(naranjo_per_component(train.head(few), some, PARTS), some_truth),
        ],
    ]
    leading = reliability(shares.max(axis=1), shares.argmax(axis=1) == truth, TENTHS)
    hit = np.zeros_like(shares, dtype=bool)
    hit[np.arange(len(truth)), truth] = True
    all_shares = reliability(
        shares.ravel(), hit.ravel(), np.array([0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    )
    by_kind = []
    known = events["KNOWN"].to_numpy()
    for label, inside in [
        *((kind, events["AEDECOD"].is_in(terms).to_numpy()) for kind, terms in KINDS.items()),
        ("terms no fact file knows", ~known),
    ]:
        by_kind.append([label, int(inside.sum()), *scores(shares[inside], truth[inside])])
    confusion = [
        [cause, *(int(((truth == n) & (shares.argmax(axis=1) == m)).sum()) for m in range(5))] for n, cause in enumerate(CAUSES)
    ]
    measures = ["accuracy", "Brier", "log loss", "calibration error"]
    parts = {
        "main": table(["way to attribute", *measures], main_rows),
        "leading": table(["stated", "events", "mean stated", "observed", "95 % interval"], _bins(leading)),
        "all": table(["stated", "shares", "mean stated", "observed", "95 % interval"], _bins(all_shares)),
        "kinds": table(["events", "n", *measures], by_kind),
        "confusion": table(["true cause", *(f"said {cause}" for cause in CAUSES)], confusion),
        "agreement": table(
            [
                "component",
                "investigator related",
                "system related",
                "truly the cause",
                "κ investigator, system",
                "κ investigator, truth",
                "κ system, truth",
            ],
            agreement(study, levels),
        ),
        "terms": table(["term", "n", *measures], _weakest(events, shares, truth)),
    }
    if short:
        print(parts["main"], parts["leading"], sep="\n\n")
        better = all(ours[0] > row[1] and ours[1] < row[2] for row in main_rows[1:])
        return 0 if better and ours[3] < 0.1 else 1
    parts["robustness"] = table(["profile", *measures], robustness(study))
    parts["missing"] = table(["missing", "of events", *measures], missing(study))
    moves = sensitivity(study)
    parts["sensitivity"] = table(
        ["weight", "leading changes", "a level changes", "accuracy", "Brier"],
        [[row[0], *(f"{v:+.4f}" if n > 1 else f"{v:.4f}" for n, v in enumerate(row[1:]))] for row in moves[:40]],
    )
    figure(leading)
    text = (Path(__file__).with_name("report.md")).read_text("utf-8")
    filled = text.format(n_trials=200, n_events=f"{events.height:,}", seed=SEED, n_weights=len(moves), **parts)
    (ROOT / "docs" / "attribution-validation.md").write_text(filled, "utf-8")
    print(parts["main"], parts["leading"], parts["kinds"], parts["robustness"], sep="\n\n")
    return 0


def _weakest(events: pl.DataFrame, shares: Any, truth: Any) -> list[list[Any]]:
    """The ten terms of at least 200 events on which the engine is right least often."""
    names, rows = events["AEDECOD"].to_numpy(), []
    for name in np.unique(names):
        inside = names == name
        if inside.sum() >= 200:
            rows.append([str(name), int(inside.sum()), *scores(shares[inside], truth[inside])])
    return sorted(rows, key=lambda row: row[2])[:10]


def _bins(rows: list[dict[str, float]]) -> list[list[Any]]:
    return [
        [f"{r['from']:.2f}-{r['to']:.2f}", int(r["n"]), r["stated"], r["observed"], f"{r['low']:.3f}-{r['high']:.3f}"]
        for r in rows
    ]


def figure(rows: list[dict[str, float]]) -> None:
    """Stated against observed share of the leading cause."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "safety-monitor"
    import matplotlib.pyplot as plt

    drawn, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    axes.plot([0, 1], [0, 1], color="#8A8F98", linewidth=0.8)
    for row in rows:
        axes.plot([row["stated"]] * 2, [row["low"], row["high"]], color="#0072B2", linewidth=1.4)
        axes.plot(
            [row["stated"]],
            [row["observed"]],
            marker="o",
            color="#0072B2",
            markersize=3 + 6 * np.sqrt(row["n"] / max(r["n"] for r in rows)),
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("stated share of the leading cause")
    axes.set_ylabel("how often it was the true cause (95 % interval)")
    drawn.savefig(ROOT / "docs" / "img" / "attribution-reliability.svg", metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
