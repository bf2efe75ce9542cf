"""Grading on Spark: a real session on two local cores gives cell for cell what the polars engine gives."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ctcae_v403
from safety_monitor.workflow.grading import grade_file


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """Spark on local[2]; it needs Java, which ``make test`` installs."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    made = (
        SparkSession.builder.master("local[2]").appName("tests").config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "3").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1").getOrCreate()
    )  # fmt: skip
    yield made
    made.stop()


def _table(shared: Path, study: str) -> pl.DataFrame:
    return pl.read_csv(shared / "data" / study / "lb.csv", infer_schema_length=None)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("policy", ["standard", "literal"])
def test_spark_gives_what_polars_gives(session: Any, shared: Path, tmp_path: Path, policy: str) -> None:
    table = _table(shared, "hcc_synth_demo")
    source = tmp_path / "lb.parquet"
    table.write_parquet(source)
    on_spark = ctcae_v403.grade_frame(session.read.parquet(str(source)), policy)
    collected = pl.DataFrame(pl.from_arrow(on_spark.toArrow()))
    expected = ctcae_v403.grade_frame(table, policy)
    keys = ["ROW", "ATOXDSC"]
    assert collected.columns == expected.columns
    assert collected.height == expected.height > 6000
    assert collected.sort(keys).equals(expected.sort(keys))


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_command_writes_a_folder_of_parts(session: Any, shared: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "lb.csv", tmp_path / "graded.parquet"
    _table(shared, "hcc_synth_demo").head(500).write_csv(source)
    tally = grade_file(source, out, engine="spark")
    graded = pl.read_parquet(out / "*.parquet").sort("ROW", "ATOXDSC")
    expected = ctcae_v403.grade_frame(pl.read_csv(source, infer_schema=False)).sort("ROW", "ATOXDSC")
    assert (tally.n_in, tally.n_out, tally.n_graded) == (500, expected.height, expected["ATOXGR"].count())
    assert graded.equals(expected)
