"""attribute: one row of shares, levels and reasons for each row of cases."""

from __future__ import annotations

import csv

import pytest

CASE = {
    "CASEID": "c1", "AEDECOD": "Pneumothorax", "AETOXGR": "2", "ABLATION_SITE": "LUNG", "ABLATION_MODALITY": "MWA",
    "ABLATION_EXPOSED": "Y", "ABLATION_DAYS_SINCE_FIRST": "0", "ABLATION_DAYS_SINCE_LAST": "0", "ABLATION_ONGOING": "N",
    "LENVATINIB_EXPOSED": "N", "PD1_EXPOSED": "N",
}  # fmt: skip
CAUSES = ("ABLATION", "LENVATINIB", "PD1", "DISEASE", "OTHER")


def test_columns_shares_and_reason(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "cases.csv", [CASE, dict.fromkeys(CASE, "") | {"CASEID": "c2", "AEDECOD": "Hypertension"}])
    answer = monitor("attribute", "cases.csv", "--out", "out.csv")
    assert answer.code == 0, answer.err
    assert "2 of 2 events weighed" in answer.out
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [f"{cause}_{what}" for cause in CAUSES for what in ("LEVEL", "SHARE")]
    assert list(rows[0]) == ["CASEID", *columns, "LEADING", "RATIONALE"]
    for row in rows:
        shares = {cause: float(row[f"{cause}_SHARE"]) for cause in CAUSES}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
        assert shares[row["LEADING"]] == max(shares.values())
        assert {row[f"{cause}_LEVEL"] for cause in CAUSES} <= {"UNRELATED", "UNLIKELY", "POSSIBLE", "PROBABLE", "DEFINITE"}
    assert rows[0]["LEADING"] == "ABLATION"
    assert rows[0]["LENVATINIB_LEVEL"] == "UNRELATED"
    assert "ablation" in rows[0]["RATIONALE"].lower()


def test_a_row_that_cannot_be_read_is_named_and_the_others_answered(monitor, tmp_path, put_csv):
    put_csv(tmp_path / "cases.csv", [CASE, CASE | {"CASEID": "c2", "ABLATION_EXPOSED": "maybe"}])
    said = monitor("attribute", "cases.csv", "--out", "out.csv", "--json").json
    assert (said["rows_in"], said["rows_out"]) == (2, 1)
    [refused] = said["refused"]
    assert (refused["row"], refused["field"], refused["value"]) == (2, "ABLATION_EXPOSED", "maybe")
    answer = monitor("attribute", "cases.csv", "--out", "out.csv")
    assert "row 2, ABLATION_EXPOSED 'maybe'" in answer.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"A,B\n1,2\n", "column CASEID and AEDECOD missing"),
        ("CASEID,AEDECOD\n1,高血压\n".encode("gb18030"), "not UTF-8"),
        (None, "is a folder"),
        ("absent", "cannot be opened"),
    ],
)
def test_a_file_that_cannot_be_used(monitor, tmp_path, content, said):
    if content is None:
        (tmp_path / "cases.csv").mkdir()
    elif content != "absent":
        (tmp_path / "cases.csv").write_bytes(content)
    answer = monitor("attribute", "cases.csv", "--out", "out.csv")
    assert answer.code == 1
    assert "cases.csv" in answer.err
    assert said in answer.err
    assert not (tmp_path / "out.csv").exists()
