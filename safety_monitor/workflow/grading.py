"""``grade-labs``: a file of results to a file of grades, CSV or Parquet by suffix, without a database.

A file is read twice, in parts, so that one larger than memory is graded: once for the baselines and the results of the same
day that grades refer to, once to grade. The answer appears under its name only when it is whole.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import ctcae_v403
from ctcae_v403.frame import Grader
from safety_monitor.intake import UnreadableFile
from safety_monitor.study import SettingsError

PART = 1 << 18  # rows read at a time
SUFFIXES = (".csv", ".parquet")
Progress = Callable[[str, int, int | None], None]  # what is being done, rows done, rows in all where that is known


@dataclass(frozen=True)
class GradingTally:
    """What came of a file. ``reasons``: how many rows have no grade, by reason, most frequent first; ``unread``: why, in
    words, for each test or unit that is not known.
    """

    n_in: int
    n_out: int
    n_graded: int
    reasons: dict[str, int]
    unread: list[str] = field(default_factory=list)


def grade_file(
    source: Path, out: Path, *, policy: str = "standard", engine: str = "polars", beside: Sequence[Path] = (),
    progress: Progress = lambda *_: None,
) -> GradingTally:  # fmt: skip
    """Grades *source* under *policy* into *out*.

    *beside*: further files of the same subjects, from which come results of the same day (VS for febrile neutropenia) and
    baselines. Raises UnreadableFile where a file is not what its suffix says or has no usable columns, SettingsError for an
    engine that is not installed.
    """
    for path in (source, out, *beside):
        if path.suffix.lower() not in SUFFIXES:
            raise UnreadableFile(path, f"format {path.suffix!r} is not known", "Use .csv or .parquet")
    if engine == "spark":
        return _on_spark(source, out, policy, beside)
    table = _Table(source)
    try:
        grader = Grader(table.names, policy, pl.Categorical if out.suffix.lower() == ".parquet" else pl.String)
        for path in beside:
            other = _Table(path)
            for part in other.parts():
                grader.learn_beside(part)
        done = 0
        for part in table.parts(grader.roles.used()):
            grader.learn(part, done)
            done += len(part)
            progress("reading", done, table.n_rows)
        grader.settle()
    except ctcae_v403.ColumnsError as error:
        raise UnreadableFile(source, str(error), "See the columns of grade-labs in docs/interface.md") from None
    n_in, n_out, n_graded, reasons = 0, 0, 0, Counter[str]()
    with _Writer(out) as writer:
        for n_read, graded in _graded(grader, table):
            writer.write(graded)
            n_in, n_out = n_in + n_read, n_out + len(graded)
            n_graded += len(graded) - graded["ATOXGR"].null_count()
            for reason, count in graded["REASON"].drop_nulls().value_counts().iter_rows():
                reasons[str(reason)] += count
            progress("grading", n_in, done)
    by_number = dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0])))
    return GradingTally(n_in, n_out, n_graded, by_number, grader.plan.unread())


def _graded(grader: Grader, table: _Table) -> Iterator[tuple[int, pl.DataFrame]]:
    """Every part graded, in order, on every core; only as many parts as are being worked on are in memory."""
    cores = os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        waiting: deque[tuple[int, Future[pl.DataFrame]]] = deque()
        first = 0
        for part in table.parts():
            waiting.append((len(part), pool.submit(grader.grade, part, first)))
            first += len(part)
            if len(waiting) > cores:
                n_rows, future = waiting.popleft()
                yield n_rows, future.result()
        for n_rows, future in waiting:
            yield n_rows, future.result()


class _Table:
    """A file as parts of ``PART`` rows; text as it stands, in Parquet by distinct value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_rows: int | None = None
        if path.is_dir():
            raise UnreadableFile(path, "is a folder, not a file", "Name the files")
        try:
            with path.open("rb"):
                pass
        except OSError as error:
            raise UnreadableFile(path, f"cannot be opened: {error.strerror}", "Check the name and the permissions") from error
        try:
            if path.suffix.lower() == ".parquet":
                with pq.ParquetFile(path) as file:
                    schema = file.schema_arrow
                    self.n_rows = file.metadata.num_rows
                self.names = list(schema.names)
                self._texts = [each.name for each in schema if pa.types.is_string(each.type) or pa.types.is_large_string(
                    each.type)]  # fmt: skip
            else:
                if not path.stat().st_size:
                    raise UnreadableFile(path, "is empty", "Export it again; a table without rows still has its header")
                self.names = pl.scan_csv(path, infer_schema=False).collect_schema().names()
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            raise UnreadableFile(path, f"cannot be read: {error}", "Export it again") from error

    def parts(self, names: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The rows, at least one part, of all columns or those named."""
        try:
            if self.path.suffix.lower() == ".parquet":
                yield from self._parquet(names)
            else:
                scan = pl.scan_csv(self.path, infer_schema=False)
                scan = scan if names is None else scan.select(names)
                batches = scan.collect_batches(chunk_size=PART, maintain_order=True)
                n = 0
                for n, part in enumerate(batches, start=1):  # noqa: B007
                    yield part
                if not n:
                    yield scan.head(0).collect()
        except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
            raise UnreadableFile(self.path, f"cannot be read: {error}", "Export it again") from error

    def _parquet(self, names: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        with pq.ParquetFile(self.path, read_dictionary=self._texts, memory_map=True, pre_buffer=False) as file:
            n = 0
            for n, batch in enumerate(file.iter_batches(PART, columns=list(names) if names else None), start=1):  # noqa: B007
                yield _frame(pa.Table.from_batches([batch]))
            if not n:
                yield _frame(file.schema_arrow.empty_table().select(list(names) if names else self.names))


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)  # a table has rows and columns
    return frame


def _arrow(frame: pl.DataFrame) -> pa.Table:
    """For the Parquet writer, which takes words by number as they are only in its own types."""
    table = frame.to_arrow().combine_chunks()
    for at, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            chunks = [
                pa.DictionaryArray.from_arrays(chunk.indices.cast(pa.int32()), chunk.dictionary.cast(pa.string()))
                for chunk in column.chunks
            ]
            kind = pa.dictionary(pa.int32(), pa.string())
            table = table.set_column(at, table.field(at).name, pa.chunked_array(chunks, kind))
    return table


class _Writer:
    """Writes frames one after another into a file that appears when it is whole."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._unfinished = out.with_name(f".{out.name}.{os.getpid()}.part")
        self._parquet: pq.ParquetWriter | None = None

    def __enter__(self) -> _Writer:
        self._out.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = self._unfinished.open("wb")
        except OSError as error:
            raise UnreadableFile(self._out, f"cannot be written: {error.strerror}", "Check the folder") from error
        self._first = True
        return self

    def write(self, frame: pl.DataFrame) -> None:
        if self._out.suffix.lower() == ".csv":
            frame.write_csv(self._file, include_header=self._first)
        else:
            table = _arrow(frame)
            if self._parquet is None:
                texts = [each.name for each in table.schema if pa.types.is_dictionary(each.type)]
                self._parquet = pq.ParquetWriter(self._file, table.schema, compression="lz4", use_dictionary=texts,
                                                 write_statistics=False, store_schema=False)  # fmt: skip
            self._parquet.write_table(table)
        self._first = False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._file.close()
        if kind is None:
            self._unfinished.replace(self._out)
        else:
            self._unfinished.unlink(missing_ok=True)


def _on_spark(source: Path, out: Path, policy: str, beside: Sequence[Path]) -> GradingTally:
    try:
        from ctcae_v403 import spark
    except ImportError as error:
        raise SettingsError(f"--engine spark needs pyspark ({error}); install safety-monitor[spark]") from error
    if beside:
        raise SettingsError("--engine spark takes one table; join what stands beside it first, or use polars")
    return GradingTally(*spark.grade_file(source, out, policy))
