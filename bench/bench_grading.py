"""How fast a table of results is graded, beside the same rules in numpy and in DuckDB, and what the memory would allow.

    make bench-grading
    python bench/bench_grading.py [--rows 10_000_000] [--short] [--long] [--json FILE]

A rate counts rows of the input. Of every row each program says, for every term that applies, the grade, the reason why there
is none (or why it is a floor) and the criterion; before anything is timed the answers are compared entry by entry. All run on
two cores, best of three. Ours is timed from the table of words and numbers on; the peers get their columns ready made, in
their own form, which favours them. ``--short``: a million rows, within a minute; ``--long``: a file of 100 million as well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grading_duckdb
import grading_numpy
import grading_peers
import grading_trial
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from ctcae_v403 import rules
from ctcae_v403.frame import grade_codes
from safety_monitor.workflow.grading import grade_file

CORES = 2
COMPARED = 1_000_000
SHORT, LONG = 1_000_000, 100_000_000
RUNS = 3
WHOLE = "ours, with the day's other results and the grade of the baseline"
CSV_SHARE = 5  # the CSV file has a fifth of the rows
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, default=10_000_000)
    asked.add_argument("--short", action="store_true", help="a million rows, within a minute")
    asked.add_argument("--long", action="store_true", help="also a file of 100 million rows")
    asked.add_argument("--json", type=Path, help="write the numbers to this file")
    asked.add_argument("--alone", nargs=2, metavar=("SOURCE", "OUT"), help=argparse.SUPPRESS)
    options = asked.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    if options.alone:
        print(json.dumps(alone(*map(Path, options.alone))))
        return
    n_rows = SHORT if options.short else options.rows
    runs = 1 if options.short else RUNS
    found: dict[str, Any] = {"rows": n_rows, "compared": compared(min(n_rows, COMPARED))}
    found["bandwidth"] = bandwidth()
    found["in memory"] = in_memory(n_rows, runs)
    found["rules"] = cost_of_rules(min(n_rows, 2_000_000))
    found["growth"] = growth(n_rows)
    found["files"] = files(n_rows, LONG if options.long else None)
    show(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def compared(n_rows: int) -> dict[str, int]:
    """Every entry of ours against both peers, on *n_rows*. Raises AssertionError naming the first that differs."""
    frame = grading_trial.frame(n_rows)
    keys = grading_peers.rulebook(frame)
    ours = grading_peers.ours_as_told(*grade_codes(frame, with_base=False))
    numpys = grading_numpy.grade(grading_numpy.columns(frame, keys), keys)[1:]
    connection = grading_duckdb.connect()
    grading_duckdb.load(connection, frame)
    grading_duckdb.grade(connection, keys)
    grading_duckdb.grade_joined(connection, keys)
    peers = {"numpy": numpys, "DuckDB, CASE": grading_duckdb.entries(connection),
             "DuckDB, bounds joined": grading_duckdb.entries_joined(connection)}  # fmt: skip
    for peer, theirs in peers.items():
        for what, one, other in zip(("grade", "reason", "criterion"), ours, theirs, strict=True):
            apart = np.flatnonzero(one != other)
            assert not len(apart), f"{what} of entry {apart[0]}: {one[apart[0]]}, {peer} {other[apart[0]]}; {len(apart)} differ"
    return {"rows": n_rows, "entries": len(ours[0])}


def best(job: Callable[[], object], runs: int = RUNS) -> float:
    """Seconds of the fastest of some runs."""
    return fastest({"": job}, runs)[""]


def fastest(jobs: dict[str, Callable[[], object]], runs: int = RUNS) -> dict[str, float]:
    """The same of several jobs in turn, so that what else the machine does meets them all."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return {name: min(those) for name, those in times.items()}


def bandwidth(n: int = 20_000_000) -> dict[str, float]:
    """Bytes per second that numpy moves on two threads: a copy, and a = b + s × c in its two passes (as STREAM counts them)."""
    a, b, c = (np.ones(n) for _ in range(3))
    parts = [slice(start, start + n // CORES) for start in range(0, n, n // CORES)]

    def triad(part: slice) -> None:
        np.multiply(c[part], 3.0, out=a[part])
        np.add(a[part], b[part], out=a[part])

    with ThreadPoolExecutor(CORES) as pool:
        copy = best(lambda: list(pool.map(lambda part: np.copyto(a[part], b[part]), parts)), 5)
        both = best(lambda: list(pool.map(triad, parts)), 5)
    return {"copy": 2 * 8 * n / copy, "triad": 5 * 8 * n / both}


def in_memory(n_rows: int, runs: int) -> dict[str, Any]:
    """Rows per second by order and program; the bytes that a row takes in and out."""
    rates: dict[str, dict[str, float]] = {}
    size = 0.0
    for order in ("random", "grouped by test"):
        frame = grading_trial.frame(n_rows, order.split()[-1])
        keys = grading_peers.rulebook(frame)
        used = frame.select(grading_duckdb.COLUMNS).estimated_size()
        codes, _ = grade_codes(frame, with_base=False)
        size = (used + sum(each.nbytes for each in (codes.start, codes.grade, codes.reason, codes.outcome))) / n_rows
        del codes
        table = grading_numpy.columns(frame, keys)
        connection = grading_duckdb.connect()
        grading_duckdb.load(connection, frame)
        jobs: dict[str, Callable[[], object]] = {
            "ours": partial(grade_codes, frame, with_base=False),
            WHOLE: partial(grade_codes, frame),
            "numpy": partial(grading_numpy.grade, table, keys),
            "DuckDB, CASE": partial(grading_duckdb.grade, connection, keys),
            "DuckDB, bounds joined": partial(grading_duckdb.grade_joined, connection, keys),
        }
        rates[order] = {name: n_rows / seconds for name, seconds in fastest(jobs, runs).items()}
        connection.close()
    return {"rates": rates, "bytes": size}


def cost_of_rules(n_rows: int) -> list[dict[str, float]]:
    """Seconds with some of the ladders that the table meets, drawn at random, and the entries they give."""
    frame = grading_trial.frame(n_rows)
    met = [rules.ladders()[each.criterion // grading_peers.RUNGS] for key in grading_peers.rulebook(frame) for each in key.climbs]
    ladders = [each for each in rules.ladders() if each in met]
    drawn = np.random.default_rng(1).permutation(len(ladders)).tolist()
    found = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        kept = {ladders[each] for each in drawn[: round(share * len(ladders))]}
        with only(kept):
            codes, _ = grade_codes(frame, with_base=False)
            seconds = best(lambda: grade_codes(frame, with_base=False))
        found.append({"rules": len(kept), "seconds": seconds, "rows": n_rows, "entries": int((codes.outcome >> 19 > 0).sum())})
    return found


@contextmanager
def only(kept: set[rules.Ladder]) -> Iterator[None]:
    """With no other ladders than these."""
    whole = rules.ladders_of
    rules.ladders_of = lambda analyte: tuple(each for each in whole(analyte) if each in kept)  # type: ignore[assignment]
    try:
        yield
    finally:
        rules.ladders_of = whole


def growth(n_rows: int) -> dict[int, float]:
    """Rows per second in memory by number of rows."""
    found = {}
    for n in [each for each in (100_000, 1_000_000, 10_000_000, 30_000_000) if each <= n_rows]:
        frame = grading_trial.frame(n)
        found[n] = n / best(partial(grade_codes, frame, with_base=False))
    return found


def files(n_rows: int, more: int | None) -> list[dict[str, Any]]:
    """Rows per second and peak memory of ``grade-labs`` on files, each alone in its own process; DuckDB in this one."""
    found = []
    sizes = [each for each in (100_000, 1_000_000) if each < n_rows] + [n_rows] + ([more] if more else [])
    with tempfile.TemporaryDirectory() as folder:
        for kind, n in [("parquet", each) for each in sizes] + [("csv", max(1, n_rows // CSV_SHARE))]:
            source, out = Path(folder) / f"lb.{kind}", Path(folder) / f"graded.{kind}"
            write(source, n)
            run = subprocess.run([sys.executable, __file__, "--alone", str(source), str(out)], stdout=subprocess.PIPE, check=True)
            said = json.loads(run.stdout)
            told: dict[str, Any] = {"kind": kind, "rows": n, "rate": n / said["seconds"], "peak": said["peak"],
                                    "in": source.stat().st_size, "out": out.stat().st_size}  # fmt: skip
            out.unlink()
            if kind == "parquet" and n == n_rows:
                keys = grading_peers.rulebook(pl.read_parquet(source, columns=["LBTESTCD", "LBSPEC", "LBSTRESU"]))
                connection = grading_duckdb.connect()
                told["DuckDB"] = n / best(partial(grading_duckdb.grade_file, connection, keys, source, out), 1)
            found.append(told)
            source.unlink()
    return found


def write(source: Path, n_rows: int) -> None:
    """A file of results as one would get it: text and numbers."""
    strings = pl.col(grading_trial.STRINGS).cast(pl.String)
    with source.open("wb") as file:
        writer = None
        for number, part in enumerate(grading_trial.frames(n_rows)):
            if source.suffix == ".csv":
                part.write_csv(file, include_header=number == 0)
                continue
            table = part.with_columns(strings).to_arrow()
            table = table.cast(pa.schema([(each.name, pa.string() if each.name in grading_trial.STRINGS else each.type)
                                          for each in table.schema]))  # fmt: skip
            writer = writer or pq.ParquetWriter(file, table.schema, compression="snappy")
            writer.write_table(table)
        if writer:
            writer.close()


def alone(source: Path, out: Path) -> dict[str, float]:
    """Seconds of grading a file in this process, and the most memory it held; the compiled code is loaded before."""
    grade_codes(grading_trial.frame(1000), with_base=True)
    start = time.perf_counter()
    grade_file(source, out)
    return {"seconds": time.perf_counter() - start, "peak": peak()}


def peak() -> int:
    """The most bytes this process ever held. Not by ``getrusage``: that begins with what the process had that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) * 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def show(found: dict[str, Any]) -> None:
    """The numbers as tables."""
    same = found["compared"]
    console.print(f"\nOurs, numpy and DuckDB say the same of {same['rows']:,} rows, in {same['entries']:,} entries.")
    console.print(f"{found['rows']:,} rows, {same['entries'] / same['rows']:.2f} entries a row, {CORES} cores.\n")
    size, band = found["in memory"]["bytes"], max(found["bandwidth"].values())
    rates = found["in memory"]["rates"]
    table = Table("in memory, million rows/s", *rates, title_justify="left")
    for name in next(iter(rates.values())):
        table.add_row(name, *(f"{of[name] / 1e6:.2f}" for of in rates.values()))
    for peer in ("numpy", "DuckDB, CASE", "DuckDB, bounds joined"):
        table.add_row(f"ours / {peer}", *(f"{of['ours'] / of[peer]:.1f} ×" for of in rates.values()))
    table.add_row("limit of the memory", *[f"{band / size / 1e6:.0f}"] * len(rates))
    console.print(table)
    gb = {name: rate / 1e9 for name, rate in found["bandwidth"].items()}
    console.print(f"memory: copy {gb['copy']:.1f}, triad {gb['triad']:.1f} GB/s; a row takes {size:.0f} bytes in and out\n")
    table = Table("file to file", "rows", "million rows/s", "peak MB", "MB in", "MB out", "DuckDB, codes only")
    for each in found["files"]:
        table.add_row(each["kind"], f"{each['rows']:,}", f"{each['rate'] / 1e6:.2f}", *(f"{each[k] / 1e6:,.0f}" for k in
                      ("peak", "in", "out")), f"{each['DuckDB'] / 1e6:.2f}" if "DuckDB" in each else "")  # fmt: skip
    console.print(table)
    table = Table("rules", "entries a row", "ns a row", "ns more for each entry")
    base = found["rules"][0]
    for each in found["rules"]:
        more = (each["seconds"] - base["seconds"]) / each["entries"] * 1e9 if each["entries"] else None
        table.add_row(str(each["rules"]), f"{each['entries'] / each['rows']:.2f}", f"{each['seconds'] / each['rows'] * 1e9:.1f}",
                      "" if more is None else f"{more:.1f}")  # fmt: skip
    console.print(table)
    table = Table("rows in memory", "million rows/s")
    for n, rate in found["growth"].items():
        table.add_row(f"{n:,}", f"{rate / 1e6:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
