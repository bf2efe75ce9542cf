"""Rows per second of grading a laboratory table, beside a hand-written polars chain for five of the terms.

The hand-written chain is the least that could be done: fixed units, limits present, no reasons, no
criterion, no baseline. Run ``python bench/bench_grading.py [ROWS]``; the table gives the best of three runs
of each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import polars as pl

import ctcae_v403 as ctcae

# test: unit, LLN, ULN, median and spread (log scale) of simulated results
TESTS = {
    "ALT": ("U/L", 7, 40, 38, 0.8),
    "AST": ("U/L", 13, 35, 36, 0.8),
    "ALP": ("U/L", 40, 129, 110, 0.5),
    "GGT": ("U/L", 8, 61, 70, 0.8),
    "BILI": ("umol/L", 3, 21, 15, 0.6),
    "CREAT": ("umol/L", 62, 106, 85, 0.3),
    "ALB": ("g/L", 35, 50, 38, 0.15),
    "HGB": ("g/L", 120, 160, 118, 0.2),
    "PLAT": ("10^9/L", 125, 350, 140, 0.5),
    "WBC": ("10^9/L", 4, 10, 5, 0.4),
    "NEUT": ("10^9/L", 2, 7, 3, 0.5),
    "LYM": ("10^9/L", 1, 4, 1.3, 0.5),
    "K": ("mmol/L", 3.5, 5.1, 4.2, 0.12),
    "SODIUM": ("mmol/L", 135, 145, 139, 0.03),
    "CA": ("mmol/L", 2.15, 2.55, 2.3, 0.08),
    "PHOS": ("mmol/L", 0.8, 1.45, 1.0, 0.25),
    "GLUC": ("mmol/L", 3.9, 6.1, 5.6, 0.3),
    "URATE": ("umol/L", 200, 420, 340, 0.3),
    "INR": ("RATIO", 0.8, 1.2, 1.1, 0.2),
}


def table(n_rows: int, seed: int = 403) -> pl.DataFrame:
    """Results in random order of tests, in SDTM LB columns, one baseline row per subject and test."""
    draw = np.random.default_rng(seed)
    names = list(TESTS)
    which = draw.integers(len(names), size=n_rows)
    columns = [np.array([TESTS[name][i] for name in names])[which] for i in range(5)]
    unit, lln, uln, middle, spread = columns
    value = np.round(middle * np.exp(draw.normal(size=n_rows) * spread), 2)
    subject = draw.integers(max(1, n_rows // 400), size=n_rows)
    frame = pl.DataFrame(
        {
            "USUBJID": subject,
            "LBTESTCD": np.array(names)[which],
            "LBSTRESN": value,
            "LBSTRESU": unit,
            "LBSTNRLO": lln,
            "LBSTNRHI": uln,
        }
    ).with_columns(pl.format("S-{}", "USUBJID").alias("USUBJID"))
    first = pl.int_range(pl.len()).over("USUBJID", "LBTESTCD") == 0
    return frame.with_columns(LBBLFL=pl.when(first).then(pl.lit("Y")))


def by_hand(frame: pl.DataFrame) -> pl.DataFrame:
    """Five terms as one would write them for one study."""
    x, uln, lln = pl.col("LBSTRESN"), pl.col("LBSTNRHI"), pl.col("LBSTNRLO")

    def worst(test: str, *rungs: pl.Expr) -> pl.Expr:
        chain = pl.lit(0)
        for grade, rung in enumerate(rungs, 1):
            chain = pl.when(rung).then(grade).otherwise(chain)
        return pl.when(pl.col("LBTESTCD") == test).then(chain)

    return frame.with_columns(
        ATOXGR=pl.coalesce(
            worst("ALT", x > uln, x > 3 * uln, x > 5 * uln, x > 20 * uln),
            worst("AST", x > uln, x > 3 * uln, x > 5 * uln, x > 20 * uln),
            worst("BILI", x > uln, x > 1.5 * uln, x > 3 * uln, x > 10 * uln),
            worst("PLAT", x < lln, x < 75, x < 50, x < 25),
            worst("NEUT", x < lln, x < 1.5, x < 1, x < 0.5),
        )
    )


def best(job: Callable[[], object], runs: int = 3) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        job()
        times.append(time.perf_counter() - start)
    return min(times)


def main(n_rows: int = 1_000_000) -> None:
    frame = table(n_rows)
    five = frame.filter(pl.col("LBTESTCD").is_in(["ALT", "AST", "BILI", "PLAT", "NEUT"]))
    texts = frame.with_columns(pl.col("LBSTRESN", "LBSTNRLO", "LBSTNRHI").cast(pl.String))
    graded = ctcae.grade_frame(five)
    assert graded["ATOXGR"].equals(by_hand(five)["ATOXGR"].cast(pl.Int64))  # both say the same
    jobs: list[tuple[str, pl.DataFrame, Callable[[], object]]] = [
        ("five terms by hand, grade only", five, lambda: by_hand(five)),
        ("five terms, grade_frame", five, lambda: ctcae.grade_frame(five)),
        ("all terms, grade_frame", frame, lambda: ctcae.grade_frame(frame)),
        ("all terms, numbers as text", texts, lambda: ctcae.grade_frame(texts)),
    ]
    print(f"{'':34}{'rows':>12}{'seconds':>10}{'rows/s':>14}{'time / by hand':>16}")
    peer = 0.0
    for name, rows, job in jobs:
        seconds = best(job)
        peer = peer or seconds / rows.height
        speed, ratio = rows.height / seconds, seconds / rows.height / peer
        print(f"{name:34}{rows.height:12,}{seconds:10.2f}{speed:14,.0f}{ratio:15.1f}×")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]))
