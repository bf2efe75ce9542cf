"""Which rows can be read, and what a refusal says: tables that a data manager could check."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import PartialDate, Rejection
from safety_monitor.rules.normalise import SourceRecord, canonical, flag, looks_serious, read_rows
from safety_monitor.study import StudySettings

SETTINGS = StudySettings.of({"study": {"id": "S1"}})
BY_WORD = StudySettings.of({"study": {"id": "S1"}, "grade": {"source": "AESEV", "map": {"MILD": 1, "SEVERE": 3}}})
EVENT = {"STUDYID": "S1", "DOMAIN": "AE", "USUBJID": "S1-01", "AESEQ": "1", "AETERM": "headache"}


def outcome_of(domain: str, row: dict[str, Any], settings: StudySettings = SETTINGS) -> Any:
    return next(read_rows(domain, "file.csv", [(2, row)], settings, {}))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="plain"),
        pytest.param({"AESTDTC": "2026-02"}, id="month only"),
        pytest.param({"AESTDTC": "2026"}, id="year only"),
        pytest.param({"AESTDTC": "2026-02-11T08:57:38"}, id="with a time"),
        pytest.param({"AESTDTC": None}, id="no date"),
        pytest.param({"AESEQ": "1.0"}, id="number written as a float"),
        pytest.param({"AESER": "U"}, id="seriousness unknown"),
        pytest.param({"AEOUT": "GOT BETTER", "AEXYZ": "anything"}, id="unknown code and column"),
        pytest.param({"AETOXGR": None}, id="grade missing"),
        pytest.param({"AETERM": "头痛"}, id="Chinese verbatim"),
        pytest.param({"STUDYID": None}, id="no study named"),
    ],
)
def test_readable(change: dict[str, Any]) -> None:
    found = outcome_of("AE", EVENT | change)
    assert isinstance(found, SourceRecord)
    assert found.key == "S1-01|1"


@pytest.mark.parametrize(
    ("domain", "row", "field", "value", "why"),
    [
        ("AE", EVENT | {"AESTDTC": "2026-02-30"}, "AESTDTC", "2026-02-30", "is not a date that exists"),
        ("AE", EVENT | {"AEENDTC": "30.06.2026"}, "AEENDTC", "30.06.2026", "is not an ISO 8601 date"),
        ("AE", EVENT | {"AETOXGR": "3A"}, "AETOXGR", "3A", "is not a CTCAE grade"),
        ("AE", EVENT | {"AETOXGR": "6"}, "AETOXGR", "6", "is not a CTCAE grade"),
        ("AE", EVENT | {"AETOXGR": "2.5"}, "AETOXGR", "2.5", "is not a CTCAE grade"),
        ("AE", EVENT | {"AESER": "yes"}, "AESER", "yes", "is not Y, N, U, NA or blank"),
        ("AE", EVENT | {"AESDTH": "1"}, "AESDTH", "1", "is not Y, N, U, NA or blank"),
        ("AE", EVENT | {"USUBJID": None}, "USUBJID", "", "is blank"),
        ("AE", EVENT | {"AESEQ": "one"}, "AESEQ", "one", "is not a whole number"),
        ("AE", EVENT | {"AESEQ": None}, "AESEQ", "", "is not a whole number"),
        ("AE", EVENT | {"AESEQ": "inf"}, "AESEQ", "inf", "is not a whole number"),
        ("AE", EVENT | {"AESEQ": "-1"}, "AESEQ", "-1", "is not a whole number"),
        ("AE", EVENT | {"AESEQ": "9" * 20}, "AESEQ", "9" * 20, "is not a whole number"),
        ("DM", {"USUBJID": "S1-01", "AGE": "inf"}, "AGE", "inf", "is not a number"),
        ("CM", {"USUBJID": "S1-01", "CMSEQ": "1", "CMDTC": "31/01/2025"}, "CMDTC", "31/01/2025", "is not an ISO 8601 date"),
        ("AE", EVENT | {"AETERM": None}, "AETERM", "", "is blank"),
        ("AE", EVENT | {"STUDYID": "S2"}, "STUDYID", "S2", "is not S1"),
        ("EX", {"USUBJID": "S1-01", "EXSEQ": "1", "EXDOSE": "two"}, "EXDOSE", "two", "is not a number"),
        ("DM", {"USUBJID": "S1-01", "AGE": "old"}, "AGE", "old", "is not a number"),
        ("LB", {"USUBJID": "S1-01", "LBSEQ": "1", "LBDTC": "2026-13-01"}, "LBDTC", "2026-13-01", "not a date that exists"),
        ("SUPPAE", {"USUBJID": "S1-01", "IDVAR": "AESEQ", "IDVARVAL": "1"}, "QNAM", "", "is blank"),
    ],
)
def test_refused(domain: str, row: dict[str, Any], field: str, value: str, why: str) -> None:
    rejection, content = outcome_of(domain, row)
    assert (rejection.file, rejection.row, rejection.field, rejection.value) == ("file.csv", 2, field, value)
    assert why in rejection.why
    assert rejection.remedy
    assert content == row


def test_large_sequence_numbers_stay_apart() -> None:
    keys = {outcome_of("AE", EVENT | {"AESEQ": text}).key for text in ("900719925474099", "900719925474098")}
    assert len(keys) == 2


def test_padded_identifiers_are_the_same_subject() -> None:
    assert outcome_of("AE", EVENT | {"USUBJID": "S1-01 ", "STUDYID": " S1"}).key == "S1-01|1"


def test_a_grade_in_words_comes_from_the_settings() -> None:
    assert isinstance(outcome_of("AE", EVENT | {"AESEV": "mild"}, BY_WORD), SourceRecord)
    rejection, _ = outcome_of("AE", EVENT | {"AESEV": "AWFUL"}, BY_WORD)
    assert (rejection.field, rejection.why) == ("AESEV", "is not one of MILD, SEVERE (grade.map of the study settings)")


def test_one_bad_row_loses_no_other() -> None:
    rows = [(n, EVENT | {"AESEQ": str(n), "AETOXGR": "x" if n == 3 else "2"}) for n in range(1, 6)]
    found = list(read_rows("AE", "ae.csv", rows, SETTINGS, {}))
    assert [record.key for record in found if isinstance(record, SourceRecord)] == ["S1-01|1", "S1-01|2", "S1-01|4", "S1-01|5"]


@pytest.mark.parametrize(
    ("second", "refused"),
    [
        pytest.param({}, False, id="the same row twice is one"),
        pytest.param({"AEOUT": None}, False, id="an extract of it adds nothing"),
        pytest.param({"AETOXGR": "4"}, True, id="other content under the same key"),
    ],
)
def test_a_key_twice(second: dict[str, Any], refused: bool) -> None:
    first = EVENT | {"AETOXGR": "3", "AEOUT": "FATAL"}
    found = list(read_rows("AE", "ae.csv", [(2, first), (3, first | second)], SETTINGS, {}))
    assert isinstance(found[0], SourceRecord)
    assert len(found) == 1 + refused
    if refused:
        rejection = found[1][0]  # type: ignore[index]
        assert isinstance(rejection, Rejection)
        assert "already used by ae.csv row 2" in rejection.why


@pytest.mark.parametrize(
    ("row", "serious"),
    [
        ({"AESER": "Y"}, True),
        ({"AESER": "SAE"}, True),
        ({"AESHOSP": "X"}, True),
        ({"AETOXGR": "5"}, True),
        ({"AETOXGR": "3A"}, False),
        ({"AESER": "no", "AESDTH": "0"}, False),
        ({"AESER": "yes"}, True),
        ({"AESER": "是"}, True),
        ({"AESHOSP": "1"}, True),
        ({"AEOUT": "fatal"}, True),
        ({"AESER": "N", "AESDTH": "N"}, False),
        ({}, False),
    ],
)
def test_a_refused_row_may_still_look_serious(row: dict[str, str], serious: bool) -> None:
    assert looks_serious(row, SETTINGS) is serious


@given(st.sampled_from(["Y", "N", "y", "n", " Y ", "U", "NA", "", None]))
def test_flags_never_turn_unknown_into_no(text: str | None) -> None:
    known = (text or "").strip().upper()
    assert flag(text) is ({"Y": True, "N": False}.get(known))


@given(st.dictionaries(st.text("ABC", min_size=1, max_size=3), st.one_of(st.none(), st.text(max_size=5)), max_size=5))
def test_equal_content_gives_equal_text(row: dict[str, str | None]) -> None:
    assert canonical(row) == canonical(dict(reversed(row.items())))


@given(st.dates(), st.sampled_from(["year", "month", "day"]))
def test_a_partial_date_holds_every_day_that_it_may_mean(day: Any, precision: str) -> None:
    text = day.isoformat()[: {"year": 4, "month": 7, "day": 10}[precision]]
    parsed = PartialDate.parse(text)
    assert parsed.precision == precision
    assert parsed.earliest <= day <= parsed.latest
    assert (parsed.day == day) is (precision == "day") or parsed.day is None
