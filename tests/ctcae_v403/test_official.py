"""NCI's own wording: NCI's spreadsheet and exports of it are read; what is not CTCAE v4.03 is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import xlwt
from xlsxwriter import Workbook

import ctcae_v403
from ctcae_v403 import official
from ctcae_v403.official import Difference, OfficialFileError, Wording

# as NCI's sheet of 14 June 2010 names them, with the signs that follow the grades there
HEADER = ["MedDRA v12.0 Code", "CTCAE v4.0 SOC", "CTCAE v4.0 Term", "Grade 1 \x86", "Grade 2 \x86", "Grade 3 \x86",
          "Grade 4 \x86", "Grade 5 \x86", "CTCAE v4.0 AE Term Definition", "Errata"]  # fmt: skip


def rows() -> list[list[object]]:
    """A stand-in with our own text in the cells: which grades exist is what matters."""
    made: list[list[object]] = [HEADER]
    soc = ""
    for term in ctcae_v403.terms():
        if term.soc != soc:
            soc = term.soc
            made.append(["", soc, "", "", "", "", "", "", "", ""])
        cells = [f"text of grade {grade}; more" if term.has_grade(grade) else " -" for grade in range(1, 6)]
        made.append([float(term.meddra_code), term.soc, f"{term.name} ", *cells, f"What {term.name} is.", ""])
    return made


def write(path: Path, content: list[list[object]], encoding: str = "utf-8", delimiter: str = ",") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(content)
    return path


@pytest.mark.parametrize(("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ","), ("cp1252", ";")])
def test_an_export_is_read_whatever_its_dialect(tmp_path: Path, encoding: str, delimiter: str) -> None:
    content = [[str(cell).replace("\x86", "") for cell in row] for row in rows()]
    content[5][-2] = "naïve – text"
    found = official.read(write(tmp_path / "CTCAE_4.03.csv", content, encoding, delimiter))
    assert len(found) == 790
    assert official.differences(found) == ()


@pytest.mark.parametrize("suffix", [".xlsx", ".xls"])
def test_the_spreadsheet_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"CTCAE_4.03_2010-06-14{suffix}"
    if suffix == ".xls":
        workbook = xlwt.Workbook()
        sheet = workbook.add_sheet("CTCAE")
        for index, row in enumerate(rows()):
            for column, cell in enumerate(row):
                sheet.write(index, column, cell)
        workbook.save(str(path))
    else:
        with Workbook(str(path)) as book:
            book.add_worksheet("About").write(0, 0, "CTCAE v4.03")
            sheet = book.add_worksheet("CTCAE v4.03")
            for index, row in enumerate(rows()):
                sheet.write_row(index, 0, row)
    found = official.read(path)
    assert official.differences(found) == ()
    anemia = next(each for each in found if each.term == "Anemia")
    assert anemia == Wording(
        10002272, "Blood and lymphatic system disorders", "Anemia", "What Anemia is.",
        {grade: f"text of grade {grade}; more" for grade in range(1, 6)},
    )  # fmt: skip


def test_every_point_of_difference_is_reported(tmp_path: Path) -> None:
    content = rows()
    code = ctcae_v403.term("Pneumothorax").meddra_code
    row = next(each for each in content if each[0] == code)
    row[1], row[2], row[7] = "Cardiac disorders", "Pneumothorax spontaneous", "-"
    found = official.differences(official.read(write(tmp_path / "file.csv", content)))
    assert found == (
        Difference("Pneumothorax", "name", "Pneumothorax", "Pneumothorax spontaneous"),
        Difference("Pneumothorax", "class", "Respiratory, thoracic and mediastinal disorders", "Cardiac disorders"),
        Difference("Pneumothorax", "grades", "12345", "1234"),
    )


def test_another_version_is_refused(tmp_path: Path) -> None:
    content = [row for row in rows() if row[2] != "Pneumothorax "]
    content.append([10000001, "Eye disorders", "Eye strain of version 5", "x", "", "", "", "", "", ""])
    with pytest.raises(OfficialFileError) as refused:
        official.differences(official.read(write(tmp_path / "v5.csv", content)))
    assert "1 terms that v4.03 does not have, such as Eye strain of version 5" in str(refused.value)
    assert "1 terms missing, such as Pneumothorax" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("file.csv", "a,b\n1,2\n", "file.csv has no column"),
        ("file.xlsx", "no spreadsheet", "cannot be read as a spreadsheet"),
        ("file.pdf", "%PDF", "load .xls, .xlsx, .ods or .csv"),
    ],
)
def test_what_is_no_such_file_is_refused_with_what_to_load(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OfficialFileError, match=message):
        official.read(path)


def test_what_is_kept_is_what_was_read(tmp_path: Path) -> None:
    found = official.read(write(tmp_path / "in.csv", rows()))
    kept = tmp_path / official.FILE_NAME
    official.keep(found, kept)
    assert official.load(kept) == {each.meddra_code: each for each in found}
    assert official.load(tmp_path / "none.csv") == {}


def test_the_official_cells_agree_in_every_point(shared: Path) -> None:
    assert official.differences(official.read(shared / "reference" / "ctcae_v403" / "ctcae_v403.csv")) == ()
