"""File to file: the columns of the contract, and no row lost for the fault of another."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from safety_monitor.intake import UnreadableFile
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind
from safety_monitor.workflow.attributing import AttributionFileError, attribute_file

HCC = (
    Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation"),
    Component(name="lenvatinib", profile="lenvatinib"),
    Component(name="pd1", profile="pd1"),
)
EXPOSURE = ("EXPOSED", "DAYS_SINCE_FIRST", "DAYS_SINCE_LAST", "ONGOING", "DECHALLENGE", "RECHALLENGE")
COLUMNS = [
    "CASEID", "AEDECOD", "AETERM", "AETOXGR", "ABLATION_SITE", "ABLATION_MODALITY", "PD1_DRUG",
    *(f"{name}_{column}" for name in ("ABLATION", "LENVATINIB", "PD1") for column in EXPOSURE),
    "STEROID_RESPONSE", "IMMUNE_BIOPSY", "INFECTION_CONFIRMED", "PROGRESSION_CONFIRMED", "OTHER_CAUSE",
]  # fmt: skip
OUTPUT = [
    "CASEID",
    "ABLATION_LEVEL", "ABLATION_SHARE", "LENVATINIB_LEVEL", "LENVATINIB_SHARE", "PD1_LEVEL", "PD1_SHARE",
    "DISEASE_LEVEL", "DISEASE_SHARE", "OTHER_LEVEL", "OTHER_SHARE",
    "LEADING", "RATIONALE",
]  # fmt: skip
PNEUMOTHORAX = {
    "CASEID": "A", "AEDECOD": "Pneumothorax", "AETOXGR": "2",
    "ABLATION_SITE": "LUNG", "ABLATION_EXPOSED": "Y",
    "ABLATION_DAYS_SINCE_FIRST": "1", "ABLATION_DAYS_SINCE_LAST": "1",
    "LENVATINIB_EXPOSED": "N", "PD1_EXPOSED": "N",
}  # fmt: skip
RCCEP = {
    "CASEID": "B", "AETERM": "RCCEP, trunk",
    "AEDECOD": "Skin and subcutaneous tissue disorders - Other, specify",
    "PD1_DRUG": "camrelizumab", "PD1_EXPOSED": "y", "PD1_DAYS_SINCE_FIRST": "40", "PD1_ONGOING": "Y",
    "LENVATINIB_EXPOSED": "Y", "LENVATINIB_DAYS_SINCE_FIRST": "-3.0", "LENVATINIB_DECHALLENGE": "not_done",
}  # fmt: skip
UNKNOWN = {"CASEID": "C", "AEDECOD": "Fatigue"}


def write(path: Path, rows: list[dict[str, str]], columns: list[str] = COLUMNS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("components", [HCC, None], ids=["from the study", "from the header"])
def test_one_row_out_per_event_with_the_columns_of_the_contract(
    tmp_path: Path, components: tuple[Component, ...] | None
) -> None:
    src, out = write(tmp_path / "in.csv", [PNEUMOTHORAX, RCCEP, UNKNOWN]), tmp_path / "out.csv"
    done = attribute_file(src, out, components=components)
    assert (done.n_read, done.n_written, done.rejections) == (3, 3, ())
    rows = read(out)
    assert list(rows[0]) == OUTPUT
    assert [row["CASEID"] for row in rows] == ["A", "B", "C"]
    assert [row["LEADING"] for row in rows] == ["ABLATION", "PD1", "DISEASE"]
    for row in rows:
        shares = [float(row[column]) for column in OUTPUT if column.endswith("_SHARE")]
        assert sum(shares) == pytest.approx(1, abs=1e-12)
    assert (rows[0]["PD1_LEVEL"], rows[0]["PD1_SHARE"]) == ("UNRELATED", "0.0")
    assert rows[1]["LENVATINIB_LEVEL"] == "UNRELATED"
    assert "onset 3 d before the first exposure" in rows[1]["RATIONALE"]
    assert {rows[2][f"{name}_LEVEL"] for name in ("ABLATION", "LENVATINIB", "PD1")} <= {
        "UNLIKELY",
        "POSSIBLE",
    }
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("PD1_EXPOSED", "perhaps"),
        ("PD1_DAYS_SINCE_FIRST", "soon"),
        ("PD1_DAYS_SINCE_LAST", "NaN"),
        ("LENVATINIB_DAYS_SINCE_FIRST", "inf"),
        ("ABLATION_DECHALLENGE", "BETTER"),
        ("ABLATION_SITE", "KNEE"),
        ("ABLATION_MODALITY", "LASER"),
        ("AETOXGR", "0"),
        ("AETOXGR", "2.5"),
        ("IMMUNE_BIOPSY", "1"),
        ("CASEID", ""),
        ("AEDECOD", ""),
    ],
)
def test_a_row_that_cannot_be_read_is_named_and_the_others_are_answered(
    tmp_path: Path, column: str, value: str
) -> None:
    src = write(tmp_path / "in.csv", [PNEUMOTHORAX, {**UNKNOWN, column: value}, RCCEP])
    done = attribute_file(src, tmp_path / "out.csv", components=HCC)
    assert [row["CASEID"] for row in read(tmp_path / "out.csv")] == ["A", "B"]
    assert (done.n_read, done.n_written) == (3, 2)
    (rejection,) = done.rejections
    assert (rejection.file, rejection.row, rejection.field, rejection.value) == ("in.csv", 2, column, value)
    assert rejection.why
    assert rejection.remedy


def test_every_fault_of_a_row_is_named(tmp_path: Path) -> None:
    src = write(tmp_path / "in.csv", [{**UNKNOWN, "AETOXGR": "9", "PD1_ONGOING": "?"}])
    done = attribute_file(src, tmp_path / "out.csv", components=HCC)
    assert [rejection.field for rejection in done.rejections] == ["AETOXGR", "PD1_ONGOING"]
    assert read(tmp_path / "out.csv") == []


def test_a_row_of_the_wrong_width_is_named(tmp_path: Path) -> None:
    src = tmp_path / "in.csv"
    src.write_text("CASEID,AEDECOD\nA,Fever\nB,Fever, high\n", encoding="utf-8")
    done = attribute_file(src, tmp_path / "out.csv", components=HCC)
    assert [(rejection.row, rejection.field) for rejection in done.rejections] == [(2, "(row)")]


def test_columns_in_any_case_and_the_verbatim_where_there_is_no_term(tmp_path: Path) -> None:
    src = tmp_path / "in.csv"
    src.write_text("\ufeffcaseid,aedecod,aeterm\nA,,Fever\n", encoding="utf-8")
    attribute_file(src, tmp_path / "out.csv", components=HCC)
    assert read(tmp_path / "out.csv")[0]["RATIONALE"].startswith("Fever (grade not known)")


def test_another_trial_has_its_own_columns(tmp_path: Path) -> None:
    src = write(
        tmp_path / "in.csv",
        [{"CASEID": "A", "AEDECOD": "Fever", "NEW_DRUG_EXPOSED": "Y"}],
        ["CASEID", "AEDECOD", "NEW_DRUG_EXPOSED"],
    )
    attribute_file(src, tmp_path / "out.csv")
    (row,) = read(tmp_path / "out.csv")
    assert list(row)[1:3] == ["NEW_DRUG_LEVEL", "NEW_DRUG_SHARE"]
    assert "no profile configured" in row["RATIONALE"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"CASEID,TERM\n1,Fever\n", "AEDECOD missing"),
        (b"CASEID,AEDECOD,AEDECOD\n1,Fever,Fever\n", "AEDECOD appears twice"),
        (b"CASEID,AEDECOD\n1,Fi\xe8vre\n", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, content: bytes, said: str
) -> None:
    src = tmp_path / "in.csv"
    src.write_bytes(content)
    with pytest.raises((AttributionFileError, UnreadableFile), match=said):
        attribute_file(src, tmp_path / "out.csv", components=HCC)
    assert not (tmp_path / "out.csv").exists()
