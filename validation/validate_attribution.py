"""make validate-attribution: how often the attribution engine is right where the truth is known, and what would mislead it.

Writes docs/attribution-validation.md and its figures. The seeds are fixed; the same code gives the same report. --short is a
small version that prints instead of writing; exit code 0 where the engine was better than the three human ways, and calibrated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import figures
import numpy as np
import polars as pl
from attribution_trials import ASSUMPTIONS, CAUSES, COMPONENTS, simulate
from baselines import most_frequent, naranjo_per_component, nearest_exposure, term_and_time
from measures import TENTHS, Bin, Scores, accuracy, brier, by_trial, calibration_error, hits, kappa, reliability, scores
from panel import opinions
from variations import PARTS, Answer, Moved, Setting, ask, missing, robustness, sensitivity, true_causes, tuned

from safety_monitor.vocabulary import Level

DOCS = Path(__file__).parents[1] / "docs"
SEED, TRAINING_SEED, FRESH_SEED, PANEL_SEED = 20261123, 7, 11, 13
MEASURES = ("accuracy", "Brier", "log loss", "calibration error")
SMALL_SHARES = np.array([0, 0.02, 0.05, *TENTHS[1:]])
HELPS = -0.001  # a change of the Brier score that is worth proposing a weight for


@dataclass(frozen=True)
class Study:
    """The simulated events, their causes, and what the engine says as it is shipped."""

    events: pl.DataFrame
    truth: Any
    answer: Answer

    @classmethod
    def of(cls, n_trials: int, seed: int) -> Study:
        events = simulate(n_trials, seed)
        return cls(events, true_causes(events), ask(events))

    def scores(self) -> Scores:
        return scores(self.answer.shares, self.truth)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few trials, printed")
    short = parser.parse_args().short
    study = Study.of(6 if short else 200, SEED)
    rows = beside_rivals(study, simulate(4 if short else 60, TRAINING_SEED), 2_000 if short else 30_000)
    if short:
        print(table(["way to attribute", *MEASURES], [[label, *found.cells()] for label, found in rows]))
        ours = rows[0][1]
        better = all(ours.accuracy > rival.accuracy and ours.brier < rival.brier for _, rival in rows[1:4])
        return 0 if better and ours.calibration < 0.1 else 1
    (DOCS / "attribution-validation.md").write_text(report(study, rows), "utf-8")
    return 0


def beside_rivals(study: Study, train: pl.DataFrame, few: int) -> list[tuple[str, Scores]]:
    """The engine, three human ways, and the learnt table; the scale of Naranjo on the first *few* events."""
    some = study.events.head(few)
    return [
        ("the engine", study.scores()),
        ("usual cause of the term", scores(most_frequent(train, study.events), study.truth)),
        ("nearest exposure in time", scores(nearest_exposure(train, study.events), study.truth)),
        ("Naranjo for each component", scores(naranjo_per_component(train.head(few), some, PARTS), study.truth[: some.height])),
        ("(table of term and time, learnt)", scores(term_and_time(train, study.events), study.truth)),
    ]


def report(study: Study, rows: list[tuple[str, Scores]]) -> str:
    """The filled text of report.md; draws the figures on the way."""
    shares, truth, events = study.answer.shares, study.truth, study.events
    trials = by_trial(shares, truth, events["TRIAL"].to_numpy())
    leading = reliability(shares.max(axis=1), shares.argmax(axis=1) == truth, TENTHS)
    right = hits(shares, truth)
    by_cause = {cause: reliability(shares[:, n], right[:, n], TENTHS) for n, cause in enumerate(CAUSES)}
    figures.reliability_figure(leading, by_cause, DOCS / "img" / "attribution-reliability.svg")
    gaps = missing(events, SEED)
    figures.missing_figure(_lines(gaps, study.scores()), DOCS / "img" / "attribution-missing.svg")
    moves = sensitivity(events, study.answer)
    figures.weights_figure(moves, DOCS / "img" / "attribution-weights.svg")
    parts = {
        "n_trials": len(trials),
        "n_events": f"{events.height:,}",
        "n_terms": events["AEDECOD"].n_unique(),
        "n_unknown": events.filter(~pl.col("KNOWN"))["AEDECOD"].n_unique(),
        "seed": SEED,
        "main": table(["way to attribute", *MEASURES], [[label, *found.cells()] for label, found in rows]),
        "trials": table(["", *MEASURES], _spread(trials)),
        "leading": table(["stated", "events", "mean stated", "observed", "95 % interval"], _bins(leading)),
        "all": table(
            ["stated", "shares", "mean stated", "observed", "95 % interval"],
            _bins(reliability(shares.ravel(), right.ravel(), SMALL_SHARES)),
        ),
        "causes": table(["cause", "true, %", "mean share stated, %", "calibration error of its shares"], [
            [cause, _percent(right[:, n].mean()), _percent(shares[:, n].mean()), calibration_error(by_cause[cause])]
            for n, cause in enumerate(CAUSES)
        ]),
        "levels": table(["level given", *COMPONENTS], _levels(study)),
        "kinds": table(["events", "n", *MEASURES], _kinds(study)),
        "bias": table(["events", *CAUSES], _bias(study)),
        "confusion": table(["true cause", *(f"said {cause}" for cause in CAUSES)], _confusion(study)),
        "terms": table(["term", "n", *MEASURES, "mostly taken for"], _weakest(study)),
        "robustness": table(["profile", *MEASURES], [
            ["as shipped", *study.scores().cells()], *([label, *found.cells()] for label, found in robustness(events, SEED))
        ]),
        "missing": table(
            ["missing", "of events", *MEASURES], [[label, f"{of:.0%}", *found.cells()] for label, of, found in gaps]
        ),
        "n_weights": len({move.weight.label for move in moves}),
        "sensitivity": table(
            ["weight", "now", "×", "leading cause changes, %", "a level changes, %", "accuracy", "Brier"],
            [_moved(move) for move in moves[:40]],
        ),
        "proposals": proposals(events, moves),
        "agreement": table(
            ["component", "investigators: related, %", "engine: related, %", "true, %", "κ two investigators",
             "κ investigator, engine", "κ investigator, truth", "κ engine, truth", "weighted κ two investigators",
             "weighted κ investigator, engine"],
            _agreement(study),
        ),
    }  # fmt: skip
    return Path(__file__).with_name("report.md").read_text("utf-8").format(**parts)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        return f"{value:.3f}" if isinstance(value, float) else str(value)

    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)])


def _percent(fraction: Any) -> str:
    return f"{100 * fraction:.1f}"


def _bins(rows: list[Bin]) -> list[list[Any]]:
    return [[f"{r.low:.2f}-{r.high:.2f}", r.n, r.stated, r.observed, f"{r.least:.3f}-{r.most:.3f}"] for r in rows]


def _spread(trials: list[Scores]) -> list[list[Any]]:
    found = np.array([each.cells() for each in trials])
    return [
        [label, *np.quantile(found, at, axis=0).tolist()]
        for label, at in (("5th percentile", 0.05), ("median", 0.5), ("95th percentile", 0.95))
    ]


def _levels(study: Study) -> list[list[Any]]:
    """How often a component with that level was the true cause, and of how many."""
    rows = []
    for level in Level:
        cells: list[Any] = [level.name.capitalize()]
        for place in range(len(COMPONENTS)):
            given = study.answer.levels[:, place] == level
            n, k = int(given.sum()), int((study.truth[given] == place).sum())
            cells.append(f"{100 * k / n:.1f} % of {n:,}" if n else "none")
        rows.append(cells)
    return rows


def _kind_masks(study: Study) -> dict[str, Any]:
    names = study.events["AEDECOD"]
    found = {kind: names.is_in(terms).to_numpy() for kind, terms in ASSUMPTIONS["kinds"].items()}
    return {**found, "terms in no published table": ~study.events["KNOWN"].to_numpy()}


def _kinds(study: Study) -> list[list[Any]]:
    return [
        [kind, int(inside.sum()), *scores(study.answer.shares[inside], study.truth[inside]).cells()]
        for kind, inside in _kind_masks(study).items()
    ]


def _bias(study: Study) -> list[list[Any]]:
    """Mean share stated less the fraction true, in percent points."""
    apart = study.answer.shares - hits(study.answer.shares, study.truth)
    found = {kind: apart[inside].mean(axis=0) for kind, inside in _kind_masks(study).items()}
    unasked = ask(study.events.with_columns(PROGRESSION_CONFIRMED=pl.lit(None, pl.String))).shares
    found |= {"all": apart.mean(axis=0), "all, scans not looked at": (unasked - hits(unasked, study.truth)).mean(axis=0)}
    return [[kind, *(f"{100 * value:+.1f}" for value in values)] for kind, values in found.items()]


def _confusion(study: Study) -> list[list[Any]]:
    lead = study.answer.shares.argmax(axis=1)
    return [
        [cause, *(int(((study.truth == n) & (lead == m)).sum()) for m in range(len(CAUSES)))] for n, cause in enumerate(CAUSES)
    ]


def _weakest(study: Study, at_least: int = 200, n_terms: int = 12) -> list[list[Any]]:
    """The terms on which the engine is right least often, and the mistake that is made most."""
    names, lead = study.events["AEDECOD"].to_numpy(), study.answer.shares.argmax(axis=1)
    rows: list[list[Any]] = []
    for name in np.unique(names):
        inside = names == name
        if inside.sum() < at_least:
            continue
        wrong = np.zeros((len(CAUSES), len(CAUSES)))
        np.add.at(wrong, (study.truth[inside], lead[inside]), 1)
        np.fill_diagonal(wrong, 0)
        true, said = np.unravel_index(wrong.argmax(), wrong.shape)
        mistake = f"{CAUSES[true]} for {CAUSES[said]}"
        rows.append([str(name), int(inside.sum()), *scores(study.answer.shares[inside], study.truth[inside]).cells(), mistake])
    return sorted(rows, key=lambda row: (row[2], row[0]))[:n_terms]


def _lines(gaps: list[tuple[str, float, Scores]], whole: Scores) -> dict[str, list[tuple[float, float]]]:
    shown = ("progression confirmed", "dechallenge", "all findings", "days since exposure", "everything about exposure")
    return {label: [(0.0, whole.brier), *((of, found.brier) for each, of, found in gaps if each == label)] for label in shown}


def _moved(move: Moved) -> list[Any]:
    return [
        move.weight.label, f"{move.weight.value:g}", f"{move.factor:g}", _percent(move.leading), _percent(move.levels),
        f"{move.accuracy:+.4f}", f"{move.brier:+.4f}",
    ]  # fmt: skip


def proposals(events: pl.DataFrame, moves: list[Moved]) -> str:
    """Weights whose change lowers the Brier score, how far, and whether that holds in trials drawn afresh, alone and together."""
    best: dict[str, Moved] = {}
    for move in sorted(moves, key=lambda each: each.brier):
        if move.brier <= HELPS:
            best.setdefault(move.weight.label, move)
    fresh = simulate(60, FRESH_SEED)
    truth = true_causes(fresh)
    base = ask(fresh).shares
    chosen, rows = [], []
    for move in best.values():
        factor, _ = tuned(events, move)
        shares, weight = ask(fresh, move.weight.by(Setting(), factor)).shares, move.weight
        rows.append([weight.label, f"{weight.value:g}", f"{weight.value * factor:.3g}", *_gain(shares, base, truth)])
        chosen.append((move.weight, factor))
    if chosen:
        mixed = reduce(lambda setting, change: change[0].by(setting, change[1]), chosen, Setting())
        rows.append(["all of these together", "", "", *_gain(ask(fresh, mixed).shares, base, truth)])
    return table(["weight", "now", "best here", "accuracy, fresh trials", "Brier, fresh trials"], rows)


def _gain(shares: Any, base: Any, truth: Any) -> list[str]:
    return [f"{accuracy(shares, truth) - accuracy(base, truth):+.4f}", f"{brier(shares, truth) - brier(base, truth):+.4f}"]


def _agreement(study: Study) -> list[list[Any]]:
    """Of related or not (κ), and of the five levels (weighted κ); the three investigators in turn, averaged."""
    said = opinions(study.events, PANEL_SEED)
    rows = []
    for place, name in enumerate(COMPONENTS):
        panel = [said[:, place, each] for each in range(said.shape[2])]
        engine, true = study.answer.levels[:, place] - int(Level.UNRELATED), (study.truth == place).astype(np.int64)
        related = [(each >= 2).astype(np.int64) for each in panel]
        by_engine = (engine >= Level.POSSIBLE - Level.UNRELATED).astype(np.int64)
        pairs = [(0, 1), (0, 2), (1, 2)]
        rows.append([
            name, _percent(np.mean(related)), _percent(by_engine.mean()), _percent(true.mean()),
            *(f"{value:.2f}" for value in (
                np.mean([kappa(related[a], related[b], 2) for a, b in pairs]),
                np.mean([kappa(each, by_engine, 2) for each in related]),
                np.mean([kappa(each, true, 2) for each in related]),
                kappa(by_engine, true, 2),
                np.mean([kappa(panel[a], panel[b], len(Level)) for a, b in pairs]),
                np.mean([kappa(each, engine, len(Level)) for each in panel]),
            )),
        ])  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(main())
