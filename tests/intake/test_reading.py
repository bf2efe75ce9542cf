"""A file is read whole and verbatim, or refused with the file, the fault and the remedy."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyreadstat
import pytest

from safety_monitor import intake
from safety_monitor.intake import UnreadableFile

AE = "STUDYID,DOMAIN,USUBJID,AESEQ,AETERM\nS1,AE,S1-01,1,headache\nS1,AE,S1-01,2,\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def xpt(tmp_path: Path) -> Path:
    frame = pl.DataFrame(
        {"DOMAIN": ["AE"] * 7, "USUBJID": ["S1-01"] * 7, "AESEQ": [float(n) for n in range(1, 8)],
         "AETERM": ["headache"] * 6 + [""], "AEDOSE": [1.5, None, 2.0, 3.0, 4.0, 5.0, 6.0]}
    )  # fmt: skip
    path = tmp_path / "ae.xpt"
    pyreadstat.write_xport(frame, path, file_format_version=5, table_name="AE")
    return path


def test_csv_is_read_verbatim_with_its_lines(tmp_path: Path) -> None:
    table = intake.read(write(tmp_path, "ae.csv", AE))
    assert (table.domain, table.format, table.encoding) == ("AE", "csv", "utf-8")
    assert table.frame.rows() == [("S1", "AE", "S1-01", "1", "headache"), ("S1", "AE", "S1-01", "2", None)]
    assert list(table.rows) == [2, 3]


@pytest.mark.parametrize(
    ("content", "encoding", "used"),
    [
        pytest.param(b"\xef\xbb\xbf" + AE.encode(), None, "utf-8-sig", id="UTF-8 with mark"),
        pytest.param(AE.replace("headache", "头痛").encode(), None, "utf-8", id="UTF-8"),
        pytest.param(AE.replace("headache", "头痛").encode("gb18030"), "GB18030", "GB18030", id="GB18030, declared"),
        pytest.param(b"\xef\xbb\xbf" + AE.encode(), "GB18030", "utf-8-sig", id="a mark says more than the setting"),
        pytest.param(AE.replace("\n", "\r\n").encode(), None, "utf-8", id="Windows line ends"),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str | None, used: str) -> None:
    table = intake.read(write(tmp_path, "ae.csv", content), encoding)
    assert table.encoding == used
    assert table.frame["AETERM"][0] in {"headache", "头痛"}


def test_quoted_line_breaks_keep_the_line_numbers(tmp_path: Path) -> None:
    content = 'USUBJID,AESEQ,AETERM\nA,1,"two\nlines"\nA,2,"a, b"\n'
    table = intake.read(write(tmp_path, "ae.csv", content))
    assert list(table.rows) == [2, 4]
    assert table.frame["AETERM"].to_list() == ["two\nlines", "a, b"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("ae.csv", "", "is empty", id="empty"),
        pytest.param("ae.csv", "  \n \n", "is empty", id="blank"),
        pytest.param("ae.csv", AE + "S1,AE,S1-02,3\n", "line 4 has 4 fields where the header has 5", id="short row"),
        pytest.param("ae.csv", AE + "S1,AE,S1-02,3,x,y\n", "line 4 has 6 fields", id="long row"),
        pytest.param("ae.csv", AE + 'S1,AE,S1-02,3,"open\n', "line 4", id="quote never closed"),
        pytest.param("ae.csv", AE.replace("headache", "恶心").encode("gb18030"), "encoding: GB18030", id="wrong encoding"),
        pytest.param("ae.csv", AE.replace("AETERM", "AESEQ"), "repeated names: AESEQ", id="a column twice"),
        pytest.param("data.csv", "A,B\n1,2\n", "no DOMAIN column", id="no domain"),
        pytest.param("ae.csv", AE + "S1,LB,S1-01,1,x\n", "several domains (AE, LB)", id="two domains"),
        pytest.param("ae.doc", "x", "format '.doc' is not known", id="another format"),
        pytest.param("ae.xpt", AE, "is not a SAS transport file", id="CSV named xpt"),
        pytest.param("ae.json", AE, "is not Dataset-JSON", id="CSV named json"),
        pytest.param("ae.json", '{"columns": [{"name": "A"}, {"name": "A"}], "rows": []}', "same name twice", id="JSON twice"),
        pytest.param("ae.json", '{"columns": [{"name": 5}], "rows": []}', "without a name", id="JSON, no name"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(
    tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(UnreadableFile) as refusal:
        intake.read(path)
    assert says in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "ae.csv").mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        intake.read(tmp_path / "ae.csv")


def test_xpt_numbers_become_the_text_that_sdtm_means(xpt: Path) -> None:
    table = intake.read(xpt)
    assert table.domain == "AE"
    assert table.frame["AESEQ"].to_list() == ["1", "2", "3", "4", "5", "6", "7"]
    assert table.frame["AEDOSE"].to_list() == ["1.5", None, "2", "3", "4", "5", "6"]
    assert table.frame["AETERM"][-1] is None


def test_every_cut_inside_a_record_of_an_xpt_is_seen(xpt: Path, tmp_path: Path) -> None:
    content = xpt.read_bytes()
    whole_records = len(intake.read(xpt).rows)
    accepted = []
    for length in range(400, len(content), 40):
        path = write(tmp_path, "cut.xpt", content[:length])
        try:
            accepted.append(len(intake.read(path).rows))
        except UnreadableFile:
            continue
    # a cut between two records cannot be told from a shorter file; nothing else may pass
    assert all(n < whole_records for n in accepted)
    assert len(accepted) <= 2


def test_dataset_json(tmp_path: Path) -> None:
    content = (
        '{"datasetJSONVersion": "1.1.0", "name": "AE", "records": 2, "columns": [{"name": "DOMAIN"}, {"name": "USUBJID"}, '
        '{"name": "AESEQ"}, {"name": "AEDOSE"}], "rows": [["AE", "S1-01", 1, 0.1], ["AE", "S1-01", 2, null]]}'
    )
    table = intake.read(write(tmp_path, "ae.json", content))
    assert table.frame.rows() == [("AE", "S1-01", "1", "0.1"), ("AE", "S1-01", "2", None)]
    with pytest.raises(UnreadableFile, match="says 2 records and has 1"):
        intake.read(write(tmp_path, "cut.json", content.replace(', ["AE", "S1-01", 2, null]', "")))


def test_a_folder_stands_for_its_datasets_only(tmp_path: Path) -> None:
    for name in ("ae.csv", "dm.csv", "truth.csv", "README.txt", "study.yaml"):
        write(tmp_path, name, AE)
    assert [path.name for path in intake.files_in([tmp_path])] == ["ae.csv", "dm.csv"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnreadableFile, match="holds no dataset"):
        list(intake.files_in([empty]))
    with pytest.raises(UnreadableFile, match="does not exist"):
        list(intake.files_in([tmp_path / "nowhere"]))


def test_the_shared_copies_agree_with_their_csv(shared: Path) -> None:
    for folder in ("hcc_synth_demo", "pilot_low"):
        for xpt in sorted((shared / "data" / folder / "xpt").glob("*.xpt")):
            table = intake.read(xpt)
            csv = intake.read(shared / "data" / folder / f"{table.domain.lower()}.csv")
            assert set(table.frame.columns) <= set(csv.frame.columns)
            if table.domain != "LB":  # the copies lack most laboratory rows
                assert table.frame["USUBJID"].to_list() == csv.frame["USUBJID"].to_list()
