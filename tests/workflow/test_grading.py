"""grade-labs from file to file: in parts, in either format, all or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import ctcae_v403
from safety_monitor.intake import UnreadableFile
from safety_monitor.workflow import grading
from safety_monitor.workflow.grading import grade_file


@pytest.fixture(scope="module")
def long_table() -> pl.DataFrame:
    """More rows than are read at a time; the baselines of the first subjects stand in the last part."""
    n = grading.PART * 2 + 1000
    draw = np.random.default_rng(403)
    tests = np.array(["ALT", "HGB", "CA", "ALB", "SODIUM", "PSA"])
    which = draw.integers(len(tests), size=n)
    at = np.arange(n)
    return pl.DataFrame({
        "USUBJID": pl.Series(at % 7000).cast(pl.String), "LBTESTCD": tests[which],
        "LBSTRESN": np.round(np.array([60, 11, 9, 3.5, 139, 4])[which] * draw.uniform(0.3, 2.5, size=n), 2),
        "LBSTRESU": np.array(["U/L", "g/dL", "mg/dL", "g/dL", "mmol/L", "ng/mL"])[which],
        "LBSTNRLO": np.array([7, 12, 8.5, 3.5, 135, 0.0])[which], "LBSTNRHI": np.array([40, 16, 10.5, 5, 145, 4.0])[which],
        "LBBLFL": pl.Series(np.where(at >= n - 40_000, "Y", "")), "LBDTC": pl.Series(at % 7000 % 28 + 1).cast(pl.String),
        "NOTE": pl.Series(np.where(at % 1000 == 0, 'a "word", and another', "")),
    }).with_columns(LBDTC="2026-02-" + pl.col("LBDTC").str.zfill(2))  # fmt: skip


@pytest.mark.parametrize("suffixes", [(".parquet", ".parquet"), (".csv", ".parquet"), (".parquet", ".csv"), (".csv", ".csv")])
def test_a_file_in_parts_is_graded_as_the_table_at_once(
    tmp_path: Path, long_table: pl.DataFrame, suffixes: tuple[str, str]
) -> None:
    source, out = tmp_path / f"lb{suffixes[0]}", tmp_path / f"graded{suffixes[1]}"
    long_table.write_parquet(source) if suffixes[0] == ".parquet" else long_table.write_csv(source)
    told: list[tuple[str, int, int | None]] = []
    tally = grade_file(source, out, progress=lambda *step: told.append(step))
    read = long_table if suffixes[0] == ".parquet" else pl.read_csv(source, infer_schema=False)
    expected = ctcae_v403.grade_frame(read)
    if suffixes[1] == ".parquet":
        found = pl.read_parquet(out)
    else:
        expected.write_csv(tmp_path / "expected.csv")
        expected, found = (pl.read_csv(path, infer_schema=False) for path in (tmp_path / "expected.csv", out))
    assert found.equals(expected)
    assert (tally.n_in, tally.n_out) == (long_table.height, expected.height)
    assert tally.n_out > tally.n_in > grading.PART
    assert told[-1] == ("grading", tally.n_in, tally.n_in)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
    assert tally.unread == [each for each in tally.unread if "PSA" in each]
    assert len(tally.unread) == 1


def test_what_stands_beside_decides_what_is_asked_of_the_day(tmp_path: Path) -> None:
    lb, vs, out = tmp_path / "lb.csv", tmp_path / "vs.csv", tmp_path / "graded.csv"
    lb.write_text("USUBJID,LBTESTCD,LBSTRESN,LBSTRESU,LBDTC\nA,NEUT,0.4,10^9/L,2026-02-05T07:00\nB,NEUT,0.4,10^9/L,2026-02-05\n")
    vs.write_text("USUBJID,VSTESTCD,VSSTRESN,VSSTRESU,VSDTC\nA,TEMP,101.3,F,2026-02-05T09:00\nB,TEMP,39.5,C,2026-02-06\n")
    grade_file(lb, out, beside=[vs])
    graded = pl.read_csv(out).filter(ATOXDSC="Febrile neutropenia")
    assert graded.select("USUBJID", "ATOXGR", "REASON").rows() == [("A", 3, None), ("B", None, "NO_CONTEXT")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("lb.csv", b"", "is empty"),
        ("lb.csv", b"A,B\n1,2\n", "LBTESTCD with LBSTRESN"),
        ("lb.parquet", b"no parquet", "cannot be read"),
        ("lb.xlsx", b"x", "is not known"),
    ],
)
def test_a_file_that_cannot_be_graded_is_refused_and_leaves_nothing(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    source, out = tmp_path / name, tmp_path / "out.csv"
    source.write_bytes(content)
    with pytest.raises(UnreadableFile, match=said):
        grade_file(source, out)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    source = tmp_path / "lb.csv"
    source.write_text("USUBJID,LBTESTCD,LBSTRESN\n")
    for out in (tmp_path / "graded.csv", tmp_path / "graded.parquet"):
        assert grade_file(source, out).n_out == 0
    assert pl.read_csv(tmp_path / "graded.csv").columns == pl.read_parquet(tmp_path / "graded.parquet").columns
