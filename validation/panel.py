"""A panel of three investigators for each simulated trial, who call related what is not as often as in published placebo arms.

They see the truth through an impression that is partly shared: what misleads one of them tends to mislead the others.
Levels are 0 (Unrelated) to 4 (Definite).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from attribution_trials import ASSUMPTIONS, COMPONENTS
from measures import Floats, Ints
from scipy.stats import norm

N_INVESTIGATORS = 3


def opinions(events: pl.DataFrame, seed: int) -> Ints:
    """Levels by (event, component, investigator); Unrelated wherever the component was not given before the onset."""
    a = ASSUMPTIONS["panel"]
    rng = np.random.default_rng(seed)
    trial = events["TRIAL"].to_numpy()
    shape = (events.height, len(COMPONENTS), N_INVESTIGATORS)
    n_trials = int(trial.max()) + 1

    def drawn(name: str, size: tuple[int, int, int]) -> Floats:
        low, high = a[name]
        found: Floats = rng.uniform(low, high, size)[trial]
        return found

    related, misses = drawn("related", (n_trials, 1, N_INVESTIGATORS)), drawn("misses", (n_trials, 1, N_INVESTIGATORS))
    alike = drawn("alike", (n_trials, 1, 1))
    impression = np.sqrt(alike) * rng.standard_normal((*shape[:2], 1)) + np.sqrt(1 - alike) * rng.standard_normal(shape)
    cause = np.stack([(events["TRUTH"] == name).to_numpy() for name in COMPONENTS], axis=1)[:, :, None]
    yes = norm.cdf(impression) < np.where(cause, 1 - misses, related)
    levels = np.where(
        cause,
        2 + rng.choice(3, shape, p=a["levels"]["cause"]),
        2 + rng.choice(3, shape, p=a["levels"]["other"]),
    )
    levels = np.where(yes, levels, (rng.random(shape) < a["unlikely"]).astype(np.int64))
    for place, name in enumerate(COMPONENTS):
        given = (pl.col(f"{name.upper()}_EXPOSED") == "N") | (pl.col(f"{name.upper()}_DAYS_SINCE_FIRST").fill_null(0) < 0)
        levels[events.select(given).to_series().to_numpy(), place] = 0
    return levels.astype(np.int64)
