"""Freezing: nothing later than the cut-off, nothing lost before it, and a snapshot that is a value."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_monitor import intake, store
from safety_monitor.attribution.record import subject_records
from safety_monitor.config import Config, load_study
from safety_monitor.records import AdverseEvent, ComponentOpinion, PartialDate, Snapshot, Subject
from safety_monitor.reporting.tables import all_tables
from safety_monitor.rules import assembly, normalise
from safety_monitor.rules.assembly import Exposure
from safety_monitor.rules.assessment import assess
from safety_monitor.rules.liver_questions import hbv_rises
from safety_monitor.simulate import simulate
from safety_monitor.study import StudySettings
from safety_monitor.version import VERSIONS
from safety_monitor.workflow.freezing import AssessedEvent, Collected, freeze
from safety_monitor.workflow.importing import code_to_ctcae, import_paths, opinions_on
from safety_monitor.workflow.laboratory import graded_results, results_of_events
from safety_monitor.workflow.studies import freeze_study

STUDY = StudySettings.of({"study": {"id": "S"}, "components": [{"name": "pd1", "relatedness": "RELPD1"}], "related": ["Y"]})
DAY = date(2025, 3, 1)
DAYS = st.integers(-40, 400).map(lambda n: DAY + timedelta(days=n))
DATES = DAYS | st.none()


def text(day: date | None) -> str | None:
    return day.isoformat() if day else None


@st.composite
def collections(draw: Callable[[Any], Any]) -> Collected:
    """A small study with every date known, partial or missing."""
    people = [
        Subject(study_id="S", usubjid=f"S-{k}", siteid=draw(st.sampled_from(["01", "02", None])), treated=first is not None,
                first_treatment_on=first, last_treatment_on=first and first + timedelta(days=draw(st.integers(0, 200))),
                death_on=(died := draw(DATES)), dthfl=died is not None)
        for k in range(draw(st.integers(0, 3)))
        for first in [draw(DATES)]
    ]  # fmt: skip
    events = []
    for number in range(draw(st.integers(0, 6))):
        start = draw(DATES)
        cut = draw(st.sampled_from([4, 7, 10]))
        event = AdverseEvent(
            study_id="S", usubjid=f"S-{draw(st.integers(0, 3))}", aeseq=number, aeterm="t",
            aedecod=draw(st.sampled_from(["Rash", None])),
            grade=draw(st.sampled_from([1, 3, 5, None])), aeser=draw(st.sampled_from([True, False, None])),
            aestdtc=start and start.isoformat()[:cut],
        )  # fmt: skip
        subject = next((p for p in people if p.usubjid == event.usubjid), None)
        share = draw(st.floats(0, 1))
        opinions = [ComponentOpinion(component=name, author="system", level="POSSIBLE", share=part)
                    for name, part in (("pd1", share), ("other", 1 - share))]  # fmt: skip
        events.append(AssessedEvent(event, assess(event, subject, STUDY), opinions))
    given_ = [
        Exposure(f"S-{draw(st.integers(0, 3))}", "EX", number, "DRUG", "pd1", 8.0, None, None, None, (start := draw(DATES)),
                 start and start + timedelta(days=draw(st.integers(0, 90))))
        for number in range(draw(st.integers(0, 4)))
    ]  # fmt: skip
    ds = pl.DataFrame(
        [{"USUBJID": f"S-{k}", "DSSEQ": str(k), "DSDECOD": "DEATH", "DSSTDTC": text(draw(DATES))} for k in range(3)],
        schema=dict.fromkeys(("USUBJID", "DSSEQ", "DSDECOD", "DSSTDTC"), pl.String),
    )
    vs = ds.select("USUBJID", VSDTC="DSSTDTC")
    return Collected(STUDY, people, events, given_, {"DS": ds, "VS": vs})


LAW = settings(max_examples=60, deadline=None)


@LAW
@given(collections(), DAYS, DAYS)
def test_an_earlier_cut_off_never_has_more(found: Collected, one: date, other: date) -> None:
    early, late, everything = (freeze(found, cutoff, {}) for cutoff in (min(one, other), max(one, other), None))
    for name, frame in early.frames.items():
        assert frame.height <= late.frames[name].height <= everything.frames[name].height, name
    key = ["usubjid", "aeseq"]
    kept = [set(snapshot.frames["events"].select(key).rows()) for snapshot in (early, late, everything)]
    assert kept[0] <= kept[1] <= kept[2]
    assert early.frames["subjects"].height == everything.frames["subjects"].height == len(found.subjects)
    assert early.frames["subjects"]["treated"].sum() <= late.frames["subjects"]["treated"].sum()
    assert early.frames["subjects"]["dthfl"].sum() <= late.frames["subjects"]["dthfl"].sum()


@LAW
@given(collections(), DAYS)
def test_nothing_after_the_cut_off_and_nothing_lost_before_it(found: Collected, cutoff: date) -> None:
    frames = freeze(found, cutoff, {}).frames
    for name, frame in frames.items():
        for column in frame.columns:
            if frame.schema[column] == pl.Date and column != "consented_on":
                assert frame.filter(pl.col(column) > cutoff).is_empty(), (name, column)
    expected = {e.event.key for e in found.events if e.assessment.onset_on is None or e.assessment.onset_on <= cutoff}
    assert set(frames["events"].select("usubjid", "aeseq").rows()) == expected
    collected = found.domains["VS"].filter(pl.col("VSDTC").is_null() | (pl.col("VSDTC") <= cutoff.isoformat()))
    assert frames["vs"].height == collected.height


@LAW
@given(collections(), st.none() | DAYS)
def test_a_snapshot_is_its_bytes(found: Collected, cutoff: date | None) -> None:
    snapshot = freeze(found, cutoff, {"software": "1"})
    again = Snapshot.from_bytes(snapshot.to_bytes())
    assert (again.study, again.cutoff, again.versions) == (snapshot.study, snapshot.cutoff, snapshot.versions)
    assert again.frames.keys() == snapshot.frames.keys()
    for name, frame in snapshot.frames.items():
        assert again.frames[name].schema == frame.schema
        assert again.frames[name].rows() == frame.rows()
    assert again.to_bytes() == snapshot.to_bytes()
    assert again.sha256 == snapshot.sha256


@LAW
@given(collections(), st.randoms(use_true_random=False))
def test_the_order_in_which_records_came_changes_nothing(found: Collected, random: Any) -> None:
    shuffled = replace(
        found,
        **{
            name: random.sample(list(getattr(found, name)), len(getattr(found, name)))
            for name in ("subjects", "events", "exposures")
        },
    )
    assert freeze(shuffled, None, {}).sha256 == freeze(found, None, {}).sha256


def event(**fields: Any) -> AssessedEvent:
    reported = AdverseEvent.model_validate(
        {"study_id": "S", "usubjid": "S-0", "aeseq": 1, "aeterm": "rash", "grade": 2, "aestdtc": "2025-03-05", **fields}
    )
    return AssessedEvent(reported, assess(reported, None, STUDY))


@pytest.mark.parametrize(
    "change", [{"grade": 3}, {"aeser": True}, {"aeterm": "Rash"}, {"aestdtc": "2025-03-06"}, {"relatedness": {"pd1": "Y"}}]
)
def test_another_record_is_another_hash(change: dict[str, Any]) -> None:
    before, after = (freeze(Collected(STUDY, [], [event(**c)], []), None, {}) for c in ({}, change))
    assert before.sha256 != after.sha256


def test_settings_cut_off_and_versions_are_part_of_the_snapshot() -> None:
    plain = Collected(STUDY, [], [event()], [])
    hashes = {
        freeze(plain, None, {}).sha256,
        freeze(plain, date(2026, 1, 1), {}).sha256,
        freeze(plain, None, {"software": "2"}).sha256,
        freeze(replace(plain, settings=STUDY.model_copy(update={"related": ("N",)})), None, {}).sha256,
    }
    assert len(hashes) == 4


def test_the_studys_own_cut_off_holds_unless_another_is_asked_for() -> None:
    own = StudySettings.of({"study": {"id": "S", "cutoff": "2025-03-04"}})
    found = Collected(own, [], [event()], [])
    assert (freeze(found, None, {}).cutoff, freeze(found, None, {}).frames["events"].height) == (date(2025, 3, 4), 0)
    assert freeze(found, date(2025, 3, 5), {}).frames["events"].height == 1


def test_what_was_not_imported_has_no_frame() -> None:
    assert set(freeze(Collected(STUDY, [], [], []), None, {}).frames) == {
        "subjects", "events", "exposures", "queries", "criteria", "weighing", "decisions"
    }  # fmt: skip


def test_an_event_that_could_not_be_coded_is_kept_under_its_words() -> None:
    [row] = freeze(Collected(STUDY, [], [event()], []), None, {}).frames["events"].to_dicts()
    assert (row["aedecod"], row["aebodsys"], row["treated"]) == ("[not coded] rash", "[not coded]", False)


def test_an_exposure_that_runs_on_is_cut_at_the_cut_off() -> None:
    given_ = [Exposure("S-0", "EX", 1, "DRUG", "pd1", 8.0, None, None, None, DAY, DAY + timedelta(days=90))]
    [row] = freeze(Collected(STUDY, [], [], given_), DAY + timedelta(days=9), {}).frames["exposures"].to_dicts()
    assert (row["start_on"], row["end_on"]) == (DAY, DAY + timedelta(days=9))


def straight(folder: Path) -> Snapshot:
    """The snapshot of the files in *folder* by the pure steps, without a database."""
    study = load_study(folder)
    assert study is not None
    rows: dict[str, list[Any]] = {}
    seen: dict[str, dict[str, Any]] = {}
    for path in intake.files_in([folder]):
        table = intake.read(path, study.encoding)
        numbered = zip(table.rows, table.frame.iter_rows(named=True), strict=True)
        numbers = {number: row for number, row in zip(table.rows, table.frame.iter_rows(named=True), strict=True)}
        for record in normalise.read_rows(table.domain, path.name, numbered, study, seen.setdefault(table.domain, {})):
            assert isinstance(record, normalise.SourceRecord), record
            rows.setdefault(table.domain, []).append(numbers[record.row])
    given_ = assembly.exposures(rows["EX"], rows.get("PR", []), study)
    subjects = assembly.subjects(rows["DM"], given_, study)
    known = {subject.usubjid: subject for subject in subjects}
    domains = {name: pl.DataFrame(rows[name], infer_schema_length=None) for name in ("DS", "LB")}
    reported = assembly.events(rows["AE"], rows["SUPPAE"], study, code_to_ctcae)
    graded = graded_results(domains, subjects, study)
    results = results_of_events(graded, reported) if study.terminology == "ctcae" else {}
    rises = hbv_rises(graded, subjects, assembly.procedures(given_))
    on_record = subject_records(given_, reported, results, {"DS": rows["DS"]}, rises)
    events = []
    for found in reported:
        opinions = opinions_on(found, on_record[found.usubjid], study, rows.keys())
        events.append(AssessedEvent(found, assess(found, known.get(found.usubjid), study), opinions))
    return freeze(Collected(study, subjects, events, given_, domains), None, VERSIONS)


@pytest.mark.parametrize("name", ["hcc_synth_demo", "pilot_low", "onc_rcd_armB"])
def test_the_database_neither_adds_nor_loses(shared: Path, frozen: Callable[[str], Snapshot], name: str) -> None:
    found = frozen(name)
    assert found.frames["queries"]["opened_on"].null_count() == 0
    kept, made = _apart_from_the_database(found), _apart_from_the_database(straight(shared / "data" / name))
    assert kept.frames.keys() == made.frames.keys()
    for frame in kept.frames:
        assert kept.frames[frame].schema == made.frames[frame].schema, frame
        assert kept.frames[frame].rows() == made.frames[frame].rows(), frame
    assert kept.sha256 == made.sha256


def _apart_from_the_database(snapshot: Snapshot) -> Snapshot:
    """*snapshot* without what only a database knows: since when a question is open, and what an import decided on reporting."""
    frames = dict(snapshot.frames)
    frames["queries"] = frames["queries"].with_columns(opened_on=pl.lit(None, pl.Date))
    frames["events"] = frames["events"].with_columns(susar=pl.lit(None, pl.String))
    return replace(snapshot, frames=frames)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [("2025-02", date(2025, 2, 1), date(2025, 2, 28)), ("2024", date(2024, 1, 1), date(2024, 12, 31))],
)
def test_a_partial_collection_date_counts_from_its_first_day(written: str, first: date, last: date) -> None:
    assert (PartialDate.parse(written).earliest, PartialDate.parse(written).latest) == (first, last)
    ds = pl.DataFrame({"USUBJID": ["S-0"], "DSSEQ": ["1"], "DSDECOD": ["X"], "DSSTDTC": [written]})
    found = Collected(STUDY, [], [], [], {"DS": ds})
    assert freeze(found, first, {}).frames["dispositions"].height == 1
    assert freeze(found, first - timedelta(days=1), {}).frames["dispositions"].height == 0


def test_actions_with_each_component_are_counted_as_the_files_say(sqlite_template: Path, tmp_path: Path) -> None:
    simulate(tmp_path, subjects=12, sites=2)
    engine = store.connect(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'study.db')}")
    found = import_paths(engine, Config(), [tmp_path], actor="tester", at=datetime(2027, 1, 1, tzinfo=UTC))
    snapshot = freeze_study(engine, found.study_id, None)
    engine.dispose()
    events = snapshot.frames["events"].filter("treatment_emergent", "treated")
    emergent = {(row["usubjid"], str(row["aeseq"])) for row in events.iter_rows(named=True)}
    with (tmp_path / "suppae.csv").open(encoding="utf-8", newline="") as file:
        said = [row for row in csv.DictReader(file) if (row["USUBJID"], row["IDVARVAL"]) in emergent]
    shown = all_tables(snapshot)["ae_actions_soc_pt"].frame.filter(level=0)
    assert shown["component"].to_list() == ["lenvatinib", "pd1"]
    columns = {"withdrawn_n": "DRUG WITHDRAWN", "interrupted_n": "DRUG INTERRUPTED", "reduced_n": "DOSE REDUCED"}
    for component, variable in (("lenvatinib", "ACNLEN"), ("pd1", "ACNPD1")):
        (row,) = shown.filter(component=component).to_dicts()
        for column, action in columns.items():
            assert row[column] == len({each["USUBJID"] for each in said if (each["QNAM"], each["QVAL"]) == (variable, action)})
    assert shown["interrupted_n"].min() > 0
