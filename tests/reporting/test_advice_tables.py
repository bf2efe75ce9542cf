"""The tables of advice and of immune-mediated events: who is listed, and the same answers as the mails of the import."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import Table, all_tables
from safety_monitor.study import StudySettings
from safety_monitor.workflow.freezing import Collected, freeze


@pytest.fixture(scope="module")
def hcc(frozen: Callable[[str], Snapshot]) -> Snapshot:
    return frozen("hcc_synth_demo")


@pytest.fixture(scope="module")
def made(hcc: Snapshot) -> dict[str, Table]:
    return all_tables(hcc)


def test_every_line_is_labelled_and_names_its_source(made: dict[str, Table]) -> None:
    frame = made["dose_advice"].frame
    assert frame.height > 0
    assert frame.filter(~pl.col("line").str.starts_with("Advice, not an order - ")).is_empty()
    assert frame.filter(~pl.col("line").str.ends_with("[" + pl.col("source") + "]")).is_empty()
    assert set(frame["tier"]) <= {"verified", "recalled", "inference", "house"}
    assert made["dose_advice"].rule.startswith("Advice, not an order")


def test_fatal_events_have_no_advice(hcc: Snapshot, made: dict[str, Table]) -> None:
    fatal = hcc.frames["events"].filter("fatal")
    assert fatal.height > 0
    assert made["dose_advice"].frame.join(fatal, on=["usubjid", "aeseq"], how="semi").is_empty()


def test_immune_events_have_all_that_the_investigators_report(hcc: Snapshot, made: dict[str, Table]) -> None:
    reported = hcc.frames["events"].filter(pl.col("immune").fill_null(False)).select("usubjid", "aeseq")
    frame = made["immune_events"].frame
    assert reported.height > 0
    assert frame.filter(pl.col("immune") == "reported").select("usubjid", "aeseq").sort("usubjid", "aeseq").equals(
        reported.sort("usubjid", "aeseq")
    )
    assert set(frame["immune"]) == {"reported", "candidate"}


def test_mails_say_what_the_table_says(imported: Callable[[str], Path], hcc: Snapshot, made: dict[str, Table]) -> None:
    """Without a cut-off between them, what an alert advises is in the table, word for word."""
    with sqlite3.connect(imported("hcc_synth_demo")) as connection:
        payloads = [json.loads(text) for (text,) in connection.execute("select payload from alert")]
    mailed = {(p["usubjid"], p["aeseq"], line) for p in payloads for line in p.get("advice", {}).get("en", ())}
    table = set(made["dose_advice"].frame.select("usubjid", "aeseq", "line").iter_rows())
    frozen_events = set(hcc.frames["events"].select("usubjid", "aeseq").iter_rows())
    assert {each for each in mailed if each[:2] in frozen_events} <= table
    assert mailed


def test_switched_off_says_so() -> None:
    settings = StudySettings.of({"study": {"id": "S"}, "advice": {"off": True}})
    snapshot = freeze(Collected(settings, [], [], []), None, {"software": "0", "dictionary": "4.03"})
    assert "switched off" in (all_tables(snapshot)["dose_advice"].not_collected or "")
