"""make bench-attribution: events weighed a second, beside the plain program of one event in the same run.

Events drawn at random over terms, days, findings and states of knowledge, on all processors but one thread of ours: what
``weigh_frame`` gives (shares, levels, leading cause), the same with the rationale of every event, and ``attribute`` from file to
file with everything.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from safety_monitor.attribution import profile, weigh, weigh_frame
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind
from safety_monitor.workflow.attributing import attribute_file, case_of_row

PARTS = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
)
SEED = 6


def events(n: int) -> pl.DataFrame:
    """*n* rows of the ``attribute`` contract as text."""
    draw = random.Random(SEED)
    terms = [row.term for name in ("ablation", "lenvatinib", "pd1") if (found := profile(name)) for row in found.terms]

    def column(values: list[str]) -> list[str]:
        return draw.choices(values, k=n)

    made = {
        "CASEID": [str(number) for number in range(n)],
        "AEDECOD": column(terms), "AETERM": column(["", "as reported", "RCCEP"]), "AETOXGR": column(["", "1", "2", "3", "4"]),
        "ABLATION_SITE": column(["", "LUNG", "LIVER", "BONE"]), "ABLATION_MODALITY": column(["", "MWA", "RFA"]),
        "PD1_DRUG": column(["", "CAMRELIZUMAB", "SINTILIMAB"]),
    }  # fmt: skip
    for part in PARTS:
        name = part.name.upper()
        first = [draw.randint(-10, 700) for _ in range(n)]
        made |= {
            f"{name}_EXPOSED": column(["Y", "Y", "Y", "N", ""]), f"{name}_ONGOING": column(["Y", "N", ""]),
            f"{name}_DAYS_SINCE_FIRST": [str(day) if draw.random() < 0.9 else "" for day in first],
            f"{name}_DAYS_SINCE_LAST": [str(draw.randint(0, max(0, day))) if draw.random() < 0.9 else "" for day in first],
            f"{name}_DECHALLENGE": column(["POSITIVE", "NEGATIVE", "NOT_DONE", ""]),
            f"{name}_RECHALLENGE": column(["POSITIVE", "NEGATIVE", "", ""]),
        }  # fmt: skip
    for name in ("STEROID_RESPONSE", "IMMUNE_BIOPSY", "INFECTION_CONFIRMED", "PROGRESSION_CONFIRMED", "OTHER_CAUSE"):
        made[name] = column(["Y", "N", "", "", ""])
    return pl.DataFrame(made)


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    n = parser.parse_args().events
    frame = events(n)
    few = frame.head(min(n, 5_000))
    weigh_frame(few, PARTS, rationale=True)  # profiles read, libraries loaded
    cases = [case_of_row(row, PARTS) for row in few.iter_rows(named=True)]
    plain = timed(lambda: [weigh(case, PARTS) for case in cases]) / len(cases)
    print(f"{n:,} events, seed {SEED}; seconds, events a second, times the plain program")
    for label, work in {
        "weigh_frame: shares, levels": lambda: weigh_frame(frame, PARTS),
        "weigh_frame: with rationale": lambda: weigh_frame(frame, PARTS, rationale=True),
        "attribute, file to file": lambda: _from_file(frame),
    }.items():
        seconds = timed(work)
        print(f"  {label:<30} {seconds:8.1f} {n / seconds:12,.0f} {plain * n / seconds:8.1f}")
    print(f"  {'weigh, one by one':<30} {plain * n:8.1f} {1 / plain:12,.0f}      1.0")
    return 0


def _from_file(frame: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.csv"
        frame.write_csv(source)
        done = attribute_file(source, Path(folder) / "out.csv", components=PARTS)
        assert done.n_written == frame.height, done.rejections[:3]


if __name__ == "__main__":
    sys.exit(main())
