"""grade-labs: results in, grades out, without a database."""

from __future__ import annotations

import csv

import polars as pl
import pytest

ADDED = ["ATOXDSC", "ATOXDIR", "ATOXGR", "REASON", "CRITERION", "BASIS", "BTOXGR", "FLAGS", "WORSENED", "R2A1HI", "R2BASE"]
ROWS = [
    {"USUBJID": "1", "LBTESTCD": "ALT", "LBSTRESN": "250", "LBSTRESU": "U/L", "LBSTNRLO": "0", "LBSTNRHI": "40", "MINE": "a"},
    {"USUBJID": "1", "LBTESTCD": "HGB", "LBSTRESN": "90", "LBSTRESU": "g/L", "LBSTNRLO": "120", "LBSTNRHI": "160", "MINE": ""},
    {"USUBJID": "2", "LBTESTCD": "ALT", "LBSTRESN": "", "LBSTRESU": "U/L", "LBSTNRLO": "0", "LBSTNRHI": "40", "MINE": "c"},
    {"USUBJID": "2", "LBTESTCD": "COLOUR", "LBSTRESN": "1", "LBSTRESU": "", "LBSTNRLO": "", "LBSTNRHI": "", "MINE": "d"},
]


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_columns_and_grades(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "lb.csv", ROWS)
    answer = monitor("grade-labs", "lb.csv", "--out", "out/graded.csv", "--json")
    assert answer.code == 0, answer.err
    graded = read(tmp_path / "out" / "graded.csv")
    assert list(graded[0]) == ["ROW", *ROWS[0], *ADDED]
    assert [int(row["ROW"]) for row in graded] == sorted(int(row["ROW"]) for row in graded)
    for row in graded:
        assert {name: row[name] for name in ROWS[0]} == ROWS[int(row["ROW"]) - 1]
    alt = next(row for row in graded if row["ROW"] == "1")
    assert (alt["ATOXDSC"], alt["ATOXDIR"], alt["ATOXGR"], alt["BASIS"]) == (
        "Alanine aminotransferase increased", "H", "3", "uln",
    )  # fmt: skip
    assert "5" in alt["CRITERION"]
    anaemia = next(row for row in graded if row["ROW"] == "2" and row["ATOXDIR"] == "L")
    assert (anaemia["ATOXDSC"], anaemia["ATOXGR"]) == ("Anemia", "2")
    assert next(row for row in graded if row["ROW"] == "3")["REASON"] == "NO_VALUE"
    [unknown] = [row for row in graded if row["ROW"] == "4"]
    assert (unknown["ATOXDSC"], unknown["ATOXGR"], unknown["REASON"]) == ("", "", "UNKNOWN_TEST")
    assert (answer.json["rows_in"], answer.json["rows_out"]) == (4, len(graded))


def test_parquet_and_csv_say_the_same(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "lb.csv", ROWS)
    pl.read_csv(tmp_path / "lb.csv", infer_schema=False).write_parquet(tmp_path / "lb.parquet")
    assert monitor("grade-labs", "lb.csv", "--out", "a.csv").code == 0
    assert monitor("grade-labs", "lb.parquet", "--out", "b.parquet").code == 0
    pl.read_parquet(tmp_path / "b.parquet").write_csv(tmp_path / "b.csv")
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.csv")


def test_a_shared_study(monitor, tmp_path, shared):
    source = shared / "data" / "hcc_synth_demo" / "lb.csv"
    answer = monitor("grade-labs", source, "--out", tmp_path / "graded.csv")
    assert answer.code == 0
    assert len({row["ROW"] for row in read(tmp_path / "graded.csv")}) == len(read(source))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("lb.csv", b"", "is empty"),
        ("lb.csv", b"A,B\n1,2\n", "lb.csv"),
        ("lb.csv", b"USUBJID,LBTESTCD,LBSTRESN\n1,ALT\n1,ALT,3,4\n", "cannot be read"),
        ("lb.parquet", b"PAR1 no", "cannot be read"),
        ("lb.txt", b"x", "format '.txt' is not known"),
        ("lb.csv", None, "is a folder"),
        ("absent.csv", "absent", "cannot be opened"),
    ],
)
def test_files_that_are_not_what_they_say(monitor, tmp_path, name, content, said):
    if content is None:
        (tmp_path / name).mkdir()
    elif content != "absent":
        (tmp_path / name).write_bytes(content)
    answer = monitor("grade-labs", name, "--out", "out.csv")
    assert answer.code == 1
    assert name in answer.err
    assert said in answer.err
    assert not (tmp_path / "out.csv").exists()


def test_usage(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "lb.csv", ROWS)
    assert monitor("grade-labs", "lb.csv").code == 2
    assert monitor("grade-labs", "lb.csv", "--out", "o.csv", "--policy", "mine").code == 2
    wrong = monitor("grade-labs", "lb.csv", "--out", "o.xlsx")
    assert wrong.code == 1
    assert "'.xlsx' is not known" in wrong.err
