"""Grading on a Spark cluster: each worker runs the same code as ``frame`` on Arrow batches of whole subjects.

The table is partitioned by study and subject, so that baselines and results of the same day are where they are asked for; a
worker holds one partition at a time. Cell for cell the answer is that of ``frame.grade_frame``, in no order: sort by ``ROW``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from ctcae_v403 import columns
from ctcae_v403.frame import OUTPUT
from ctcae_v403.rules import Policy

_PLACE = "__row"  # the number of a row, through the shuffle


def grade_frame(frame: DataFrame, policy: str | Mapping[str, str] | Policy | None = "standard") -> DataFrame:
    """Grades a PySpark frame; see ``frame.grade_frame`` for what comes back.

    ROW counts the rows in the order of the partitions. Raises ``ColumnsError``, ``ValueError``.
    """
    settled = Policy.of(policy)
    roles = columns.detect(frame.columns)
    numbered = _numbered(frame)
    owners = [name for name in (roles.study, roles.subject) if name is not None]
    spread = numbered.repartition(*(F.col(name) for name in owners)) if owners else numbered
    return spread.mapInArrow(partial(_grade_partition, switches=settled.switches()), _schema(frame))


def _numbered(frame: DataFrame) -> DataFrame:
    """Adds the number of each row, from 1: by the place in its partition and the sizes of the partitions before."""
    placed = frame.withColumn(_PLACE, F.monotonically_increasing_id())
    counted = frame.groupBy(F.spark_partition_id().alias("p")).agg(F.count("*").alias("n"))
    sizes = {row["p"]: row["n"] for row in counted.collect()}
    before, total = {}, 0
    for partition in range(max(sizes, default=0) + 1):
        before[partition] = total
        total += sizes.get(partition, 0)
    # monotonically_increasing_id: the partition above the 33rd bit, the place in it below
    starts = F.create_map(*(F.lit(each) for pair in before.items() for each in pair))
    place = F.col(_PLACE)
    return placed.withColumn(
        _PLACE, starts[F.shiftright(place, 33).cast("int")] + place.bitwiseAND(F.lit((1 << 33) - 1)) + F.lit(1)
    )


def _schema(frame: DataFrame) -> T.StructType:
    taken = ("ROW", *OUTPUT)
    kinds = {"ATOXGR": T.LongType(), "BTOXGR": T.LongType(), "R2A1HI": T.DoubleType(), "R2BASE": T.DoubleType()}
    passed = [T.StructField(f"{each.name}_INPUT" if each.name in taken else each.name, each.dataType) for each in frame.schema]
    said = [T.StructField(name, kinds.get(name, T.StringType())) for name in OUTPUT]
    return T.StructType([T.StructField("ROW", T.LongType()), *passed, *said])


def _grade_partition(batches: Iterator[pa.RecordBatch], switches: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    """The rows of whole subjects, graded."""
    import polars as pl

    from ctcae_v403 import frame

    held = list(batches)
    if not held:
        return
    table = pa.Table.from_batches(held)
    data = pl.from_arrow(table)
    assert isinstance(data, pl.DataFrame)  # a table has rows and columns
    data = data.sort(_PLACE)
    graded = frame.grade_frame(data.drop(_PLACE), dict(switches))
    rows = graded["ROW"] - 1
    answer = graded.with_columns(ROW=data[_PLACE].gather(rows)).to_arrow()
    kinds = {each.name: each.type for each in table.schema if each.name != _PLACE}
    wanted = [
        pa.field(each.name, kinds.get(each.name.removesuffix("_INPUT"), pa.string() if pa.types.is_large_string(each.type) or
                                      pa.types.is_string_view(each.type) else each.type))
        for each in answer.schema
    ]  # fmt: skip
    yield from answer.cast(pa.schema(wanted)).to_batches()


def grade_file(source: Path, out: Path, policy: str) -> tuple[int, int, int, dict[str, int]]:
    """Grades a CSV or Parquet file, or a folder of them, into a folder *out* of part files: rows read, rows written, rows
    graded, and the number without a grade by reason. The session is the one that is running, or one made by Spark's own
    settings.
    """
    session = SparkSession.builder.appName("grade-labs").getOrCreate()
    session.conf.set("spark.sql.execution.arrow.pyspark.enabled", "true")
    if source.suffix.lower() == ".parquet":
        frame = session.read.parquet(str(source))
    else:
        frame = session.read.option("header", True).csv(str(source))
    graded = grade_frame(frame, policy).persist()
    writer = graded.sort("ROW").write.mode("overwrite")
    if out.suffix.lower() == ".parquet":
        writer.parquet(str(out))
    else:
        writer.option("header", True).csv(str(out))
    by_reason = Counter({row["REASON"]: row["n"] for row in graded.groupBy("REASON").agg(F.count("*").alias("n")).collect()})
    n_graded = by_reason.pop(None, 0)
    n_in = graded.select("ROW").distinct().count()
    graded.unpersist()
    return n_in, n_graded + sum(by_reason.values()), n_graded, dict(by_reason.most_common())
