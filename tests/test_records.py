"""The values between the layers: partial dates, reported events, and the snapshot as bytes."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from safety_monitor.records import AdverseEvent, PartialDate, Snapshot
from safety_monitor.vocabulary import ActionTaken, Outcome, Seriousness


@pytest.mark.parametrize(
    ("text", "precision", "earliest", "latest"),
    [
        ("2026", "year", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-02", "month", date(2026, 2, 1), date(2026, 2, 28)),
        ("2024-02", "month", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-12-", "month", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-02-11", "day", date(2026, 2, 11), date(2026, 2, 11)),
        ("2026-02-11T08:57", "day", date(2026, 2, 11), date(2026, 2, 11)),
        ("2026-02-11T08:57:38+08:00", "day", date(2026, 2, 11), date(2026, 2, 11)),
        (" 2026-02-11 ", "day", date(2026, 2, 11), date(2026, 2, 11)),
    ],
)
def test_partial_dates(text: str, precision: str, earliest: date, latest: date) -> None:
    found = PartialDate.parse(text)
    assert (found.precision, found.earliest, found.latest, found.text) == (precision, earliest, latest, text)
    assert found.day == (earliest if precision == "day" else None)


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-00", "2026-02-30", "2025-02-29", "11.02.2026", "02/11/2026", "26", "UNK", "2026-2-1", "--02-11"]
)
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        PartialDate.parse(text)


@given(st.dates(date(1000, 1, 1), date(9998, 12, 31)))
def test_less_said_is_never_narrower(day: date) -> None:
    said = [PartialDate.parse(day.isoformat()[:length]) for length in (10, 7, 4)]
    for narrow, wide in pairwise(said):
        assert wide.earliest <= narrow.earliest <= narrow.latest <= wide.latest


def event(**fields: Any) -> AdverseEvent:
    return AdverseEvent.model_validate({"study_id": "S", "usubjid": "1", "aeseq": 1, "aeterm": "t", **fields})


@pytest.mark.parametrize("fields", [{"grade": 6}, {"grade": -1}, {"usubjid": ""}, {"aestdtc": "2026-02-30"}, {"aeendtc": "soon"}])
def test_an_event_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event(**fields)


def test_criteria_met_are_those_reported_as_met() -> None:
    found = event(aesdth=True, aeslife=False, aesmie=True).criteria_met()
    assert found == (Seriousness.DEATH, Seriousness.MEDICALLY_IMPORTANT)
    assert event().criteria_met() == ()


@pytest.mark.parametrize(
    ("codelist", "text", "member"),
    [
        (Outcome, " fatal ", Outcome.FATAL), (Outcome, "Recovering/Resolving", Outcome.RECOVERING),
        (Outcome, "DIED", None), (Outcome, None, None), (Outcome, "", None),
        (ActionTaken, "Drug Withdrawn", ActionTaken.DRUG_WITHDRAWN),
    ],
)  # fmt: skip
def test_controlled_words(codelist: Any, text: str | None, member: Any) -> None:
    assert codelist.of(text) is member


COLUMNS = {
    "text": (pl.String, st.text(st.characters(exclude_categories=["Cs"]), max_size=8)),
    "whole": (pl.Int64, st.integers(-(2**53), 2**53)),
    "real": (pl.Float64, st.floats(allow_nan=False, allow_infinity=False)), "truth": (pl.Boolean, st.booleans()),
    "on": (pl.Date, st.dates(date(1900, 1, 1), date(2100, 1, 1))),
}  # fmt: skip


@st.composite
def snapshots(draw: Any) -> Snapshot:
    height = draw(st.integers(0, 5))
    columns = draw(st.permutations(list(COLUMNS)))
    frame = pl.DataFrame(
        [pl.Series(name, draw(st.lists(COLUMNS[name][1] | st.none(), min_size=height, max_size=height)), dtype=COLUMNS[name][0])
         for name in columns]
    )  # fmt: skip
    return Snapshot({"study": {"id": "S"}, "a": [1, None, "x"]}, draw(st.none() | st.dates()), {"events": frame}, {"v": "1"})


@settings(max_examples=80, deadline=None)
@given(snapshots())
def test_a_snapshot_and_its_bytes_are_one(snapshot: Snapshot) -> None:
    again = Snapshot.from_bytes(snapshot.to_bytes())
    assert again.cutoff == snapshot.cutoff
    assert again.study == snapshot.study
    assert again.frames["events"].equals(snapshot.frames["events"], null_equal=True)
    assert again.frames["events"].schema == snapshot.frames["events"].schema
    assert (again.sha256, again.to_bytes()) == (snapshot.sha256, snapshot.to_bytes())


FRAME = pl.DataFrame({"a": [1, None], "b": ["x", ""], "d": [date(2026, 1, 1), None], "f": [0.1, -0.0]})


@pytest.mark.parametrize(
    "other",
    [
        FRAME.with_columns(a=pl.lit(1, dtype=pl.Int64)), FRAME.with_columns(b=pl.lit(None, dtype=pl.String)),
        FRAME.with_columns(a=pl.col("a").cast(pl.Float64)),
        FRAME.reverse(), FRAME.select("b", "a", "d", "f"), FRAME.head(1), FRAME.with_columns(d=pl.col("d") + timedelta(days=1)),
    ],
    ids=["value", "blank is not missing", "type", "order of rows", "order of columns", "fewer rows", "date"],
)  # fmt: skip
def test_what_differs_has_another_hash(other: pl.DataFrame) -> None:
    one = Snapshot({}, None, {"events": FRAME}, {})
    assert one.sha256 == Snapshot({}, None, {"events": FRAME.clone()}, {}).sha256
    assert one.sha256 != Snapshot({}, None, {"events": other}, {}).sha256


def test_an_absent_frame_is_not_an_empty_one() -> None:
    assert Snapshot({}, None, {}, {}).sha256 != Snapshot({}, None, {"labs": FRAME.clear()}, {}).sha256
