"""The fault campaign: ``python -m torture [--seed S] [--kills N] [--databases sqlite,postgresql] [--short] [--report FILE]``."""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

from safety_monitor import store
from torture import scenarios
from torture.installation import Counts, Installation
from torture.postgresql import Cluster, programs
from torture.sink import Sink
from torture.trial import Trial

_COLUMNS = [field.name for field in fields(Counts)]


class Campaign:
    """Everything in one temporary folder; servers are stopped by their process when it ends."""

    def __init__(self, seed: int, kills: int, short: bool) -> None:
        self.seed, self.kills, self.short = seed, kills, short
        self.folder = Path(tempfile.mkdtemp(prefix="sm-torture-"))
        self.sinks: list[Sink] = []
        self.numbers = itertools.count()

    def run(self, databases: list[str]) -> Iterator[Counts]:
        cluster = Cluster(programs()) if "postgresql" in databases else None
        try:
            for database in databases:
                yield from self._on(database, cluster)
        finally:
            for sink in self.sinks:
                sink.stop()
            if cluster is not None:
                cluster.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _on(self, database: str, cluster: Cluster | None) -> Iterator[Counts]:
        random = Random(f"{self.seed} {database}")

        def make(folder: Path | None = None, certificate: Any = None, **more: Any) -> Installation:
            own = self.folder / f"{database}-{next(self.numbers)}"
            own.mkdir()
            if database == "sqlite":
                url = f"sqlite:///{(folder or own) / 'monitor.db'}"
                store.upgrade(url)
            else:
                assert cluster is not None
                url = cluster.fresh()
            self.sinks.append(Sink(own / "sink", certificate))
            return Installation(url, own, self.sinks[-1], Trial(own / "data", Random(random.random())), **more)

        n, seconds = self.kills, 0.8 if self.short else 4
        yield scenarios.kills(make, random, n)
        yield scenarios.kills_without_journal(make, random, max(n // 5, 3))
        if database == "sqlite" or not self.short:  # what mail servers do has nothing to do with the database
            yield from scenarios.smtp_faults(make, random, seconds, self.short)
            yield scenarios.tls_failure(make, random, self.folder)
        if database == "sqlite":
            try:
                yield scenarios.full_disk(make, random)
            except PermissionError as error:
                print(f"left out: a full disk cannot be made here ({error})", file=sys.stderr)
            yield scenarios.locked(make, random, 1 if self.short else 33)
        else:
            assert cluster is not None
            yield scenarios.restarted(make, random, cluster.restart, 2 if self.short else 8)
        yield scenarios.clock_jumps(make, random, 40 if self.short else 400)
        yield scenarios.two_schedulers(make, random, 20 if self.short else 200)
        yield scenarios.ten_days_off(make, random)


def table(found: list[Counts]) -> str:
    """The counts as Markdown, with a line of sums."""
    head = "| " + " | ".join(name.replace("_", " ") for name in _COLUMNS) + " |\n|" + "---|" * len(_COLUMNS)
    lines = ["| " + " | ".join(str(getattr(each, name)) for name in _COLUMNS) + " |" for each in found]
    sums = [
        sum(getattr(each, name) for each in found) if name not in ("scenario", "database", "note") else "" for name in _COLUMNS
    ]
    return "\n".join([head, *lines, "| **all** | " + " | ".join(map(str, sums[1:])) + " |"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261124)
    parser.add_argument("--kills", type=int, default=150, help="kills of imports and deliveries on each database")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    began, found = time.monotonic(), []
    for counts in Campaign(options.seed, options.kills, options.short).run(options.databases.split(",")):
        found.append(counts)
        wrong = [f"{name}={getattr(counts, name)}" for name in Counts.MUST_BE_0 if getattr(counts, name)]
        told = f"owed {counts.owed:4} accepted {counts.accepted:4} kills {counts.kills:3} repeats {counts.repeats:2}"
        print(f"{counts.database:10} {counts.scenario:52} {told} {' '.join(wrong) and 'FAILED: ' + ' '.join(wrong)}", flush=True)
    minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} minutes, seed {options.seed}")
    if options.report:
        text = Path(__file__).with_name("report.md").read_text("utf-8")
        command = f"make torture SEED={options.seed} KILLS={options.kills} DATABASES={options.databases}"
        made = f"Made by `{command}` in {minutes:.0f} minutes."
        options.report.write_text(text.format(made=made, table=table(found)), encoding="utf-8")
    return 0 if all(each.good for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
