"""How fast results become episodes: 10,000 subjects with 300 results each, from graded series and from the results themselves.

The peer, in the same run, is the obvious program: group by subject and term, then a loop over the days of each
(``tests/rules/episodes_oracle.py``, on a part of the subjects and scaled). Its answer is compared with ours first.

    make bench-episodes
"""

from __future__ import annotations

import resource
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

import ctcae_v403
from safety_monitor.rules.episodes import episodes

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "rules"))
import episodes_oracle as oracle

SUBJECTS, VISITS, COMPARED = 10_000, 20, 300
GAP, WINDOW = 63, 30
FIRST = date(2025, 1, 6)
#: test, unit, lower and upper limit, median and spread (log) of the results
TESTS = (
    ("ALT", "U/L", 7, 40, 35, 0.6), ("AST", "U/L", 13, 35, 33, 0.6), ("BILI", "umol/L", 3, 20, 14, 0.5),
    ("ALP", "U/L", 40, 125, 100, 0.4), ("GGT", "U/L", 8, 60, 55, 0.7), ("ALB", "g/L", 35, 50, 38, 0.12),
    ("CREAT", "umol/L", 53, 106, 85, 0.25), ("HGB", "g/L", 130, 175, 128, 0.12), ("PLAT", "10^9/L", 125, 350, 140, 0.4),
    ("NEUT", "10^9/L", 1.8, 6.3, 3, 0.4), ("WBC", "10^9/L", 3.5, 9.5, 5, 0.3), ("LYM", "10^9/L", 1.1, 3.2, 1.3, 0.35),
    ("SODIUM", "mmol/L", 137, 147, 139, 0.025), ("K", "mmol/L", 3.5, 5.3, 4.2, 0.1), ("INR", "1", 0.8, 1.2, 1.1, 0.15),
)  # fmt: skip


def results() -> pl.DataFrame:
    """LB of the whole study: 15 tests at 20 visits, three weeks apart; the first is the baseline."""
    chance = np.random.default_rng(20260701)
    n = SUBJECTS * VISITS * len(TESTS)
    test = np.tile(np.arange(len(TESTS)), SUBJECTS * VISITS)
    visit = np.tile(np.repeat(np.arange(VISITS), len(TESTS)), SUBJECTS)
    subject = np.repeat(np.arange(SUBJECTS), VISITS * len(TESTS))
    day = np.datetime64(FIRST) + (21 * visit - 3 + chance.integers(0, 3, n)).astype("timedelta64[D]")
    names = ("code", "unit", "low", "high", "mid", "wide")
    column = {name: np.array([row[place] for row in TESTS]) for place, name in enumerate(names)}
    value = np.round(column["mid"][test] * np.exp(column["wide"][test] * chance.standard_normal(n)), 2)
    kind = {name: pl.Enum(sorted(set(column[name]))) for name in ("code", "unit")}
    return pl.DataFrame({
        "USUBJID": pl.Series(subject).cast(pl.String).cast(pl.Categorical),
        "LBTESTCD": pl.Series(column["code"]).cast(kind["code"]).gather(test),
        "LBSTRESN": value, "LBSTRESU": pl.Series(column["unit"]).cast(kind["unit"]).gather(test),
        "LBSTNRLO": column["low"][test], "LBSTNRHI": column["high"][test],
        "LBBLFL": pl.Series(np.where(visit == 0, "Y", "N")).cast(pl.Enum(["Y", "N"])), "LBDTC": pl.Series(day).cast(pl.Date),
    })  # fmt: skip


def main() -> None:
    lb = results()
    people = lb.select(usubjid=pl.col("USUBJID").cast(pl.String)).unique(maintain_order=True).with_columns(
        first_treatment_on=pl.lit(FIRST), last_treatment_on=pl.lit(date(2026, 3, 1)), death_on=pl.lit(None, pl.Date)
    )
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        graded = ctcae_v403.grade_frame(lb)
        series = graded.select(
            usubjid="USUBJID", term="ATOXDSC", on="LBDTC", grade="ATOXGR", is_baseline=pl.col("LBBLFL") == "Y"
        ).drop_nulls("term")
        middle = time.perf_counter()
        found = episodes(series, people, gap_days=GAP, days_after_last=WINDOW)
        rates.append((middle - start, time.perf_counter() - middle))
    grading, ours = min(rates, key=sum)
    some = people.head(COMPARED)
    part = series.join(some, left_on=pl.col("usubjid").cast(pl.String), right_on="usubjid", how="semi")
    rows = [oracle.Result(*row) for row in part.with_columns(pl.col("usubjid").cast(pl.String)).rows()]
    persons = [oracle.Person(*row) for row in some.sort("usubjid").rows()]
    own: dict[str, list[oracle.Result]] = {person.usubjid: [] for person in persons}
    for row in rows:
        own[row.usubjid].append(row)
    start = time.perf_counter()
    naive = [each for person in persons
             for each in oracle.episodes(own[person.usubjid], [person], gap_days=GAP, days_after_last=WINDOW)]  # fmt: skip
    peer = (time.perf_counter() - start) * SUBJECTS / COMPARED
    same = episodes(part, some, gap_days=GAP, days_after_last=WINDOW)
    shown = ("usubjid", "term", "onset_on", "worst_grade", "ended", "emergent_on")
    found_slowly = [tuple(episode[name] for name in shown) for episode in naive]
    assert found_slowly == same.select(shown).rows(), "the naive program finds other episodes"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{SUBJECTS:,} subjects, {lb.height:,} results, {series.height:,} grades, {found.height:,} episodes; best of 3")
    print(f"grading                {grading:7.2f} s")
    print(f"grades to episodes     {ours:7.2f} s")
    print(f"results to episodes    {grading + ours:7.2f} s")
    print(f"naive, grades to episodes {peer:7.1f} s (from {COMPARED} subjects, same answer); ratio {peer / ours:.0f} x")
    print(f"peak memory {peak:,.0f} MB")


if __name__ == "__main__":
    main()
