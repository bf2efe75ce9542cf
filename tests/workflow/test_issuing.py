"""Issuing: what was handed out is kept, and can be made again byte for byte."""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from safety_monitor import store
from safety_monitor.config import Config, Person
from safety_monitor.records import Snapshot
from safety_monitor.reporting.tables import all_tables
from safety_monitor.store import snapshots
from safety_monitor.store.snapshots import ReportOnRecord
from safety_monitor.study import SettingsError
from safety_monitor.vocabulary import Mark, Role
from safety_monitor.workflow.actions import add_action, close_action, listed_actions
from safety_monitor.workflow.deciding import DecisionError
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.interval import freeze_dsmb
from safety_monitor.workflow.issuing import Issued, identify, issue_dsmb, listed, rebuild, sign, write_tables
from safety_monitor.workflow.standing import safety_snapshot
from safety_monitor.workflow.studies import freeze_study

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)


def put(folder: Path, grade: int) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "study.yaml").write_text("study: {id: S1}\ncomponents: [{name: pd1, match: [DRUG]}]\n", encoding="utf-8")
    (folder / "dm.csv").write_text("USUBJID,RFXSTDTC,RFXENDTC\nS1-1,2026-01-05,2026-03-01\n", encoding="utf-8")
    (folder / "ex.csv").write_text("USUBJID,EXSEQ,EXTRT,EXDOSE,EXSTDTC\nS1-1,1,DRUG,8,2026-01-05\n", encoding="utf-8")
    event = f"S1-1,1,low platelets,{grade},Y,2026-01-09"
    (folder / "ae.csv").write_text(f"USUBJID,AESEQ,AETERM,AETOXGR,AESER,AESTDTC\n{event}\n", encoding="utf-8")
    return folder


@pytest.fixture
def engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = store.connect(f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'test.db')}")
    import_paths(engine, Config(), [put(tmp_path / "data", 3)], actor="tester", at=AT)
    yield engine
    engine.dispose()


def issue(engine: Engine, out: Path, cutoff: date | None = None) -> Issued:
    return issue_dsmb(engine, Config(organisation="X"), "S1", cutoff, out, actor="Wu", at=AT)


def kept(engine: Engine, query: str) -> list[tuple[object, ...]]:
    with store.reading(engine) as session:
        return [tuple(row) for row in session.connection().execute(text(query))]


def test_an_issued_report_is_recorded_and_made_again(engine: Engine, tmp_path: Path) -> None:
    issued = issue(engine, tmp_path / "new" / "report.pdf", date(2026, 2, 1))
    content = issued.path.read_bytes()
    assert (issued.sha256, issued.n_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (issued.study_id, issued.cutoff) == ("S1", date(2026, 2, 1))
    assert kept(engine, "SELECT kind, sha256, path FROM issued_report") == [("dsmb", issued.sha256, str(issued.path))]
    assert kept(engine, "SELECT sha256 FROM snapshot") == [(issued.snapshot_sha256,)]
    import_paths(engine, Config(), [put(tmp_path / "data", 4)], actor="tester", at=AT.replace(hour=9))
    assert freeze_study(engine, "S1", date(2026, 2, 1)).sha256 != issued.snapshot_sha256
    again = rebuild(engine, Config(organisation="X"), issued.snapshot_sha256[:12], tmp_path / "again.pdf")
    assert again.path.read_bytes() == content
    assert (again.snapshot_sha256, again.cutoff, again.study_id) == (issued.snapshot_sha256, issued.cutoff, "S1")


def test_what_cannot_be_written_is_not_recorded(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        issue(engine, tmp_path / "taken" / "report.pdf")
    assert kept(engine, "SELECT count(*) FROM issued_report") == [(0,)]
    assert kept(engine, "SELECT count(*) FROM snapshot") == [(0,)]


@pytest.mark.parametrize("wanted", ["ffff", "zz"])
def test_no_such_snapshot(engine: Engine, tmp_path: Path, wanted: str) -> None:
    with pytest.raises(SettingsError, match=f"begins with '{wanted}'"):
        rebuild(engine, Config(), wanted, tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()


def test_tables_on_disk_are_the_tables(engine: Engine, tmp_path: Path) -> None:
    snapshot: Snapshot = freeze_study(engine, "S1", None)
    written = write_tables(snapshot, tmp_path / "deep" / "tables")
    tables = all_tables(snapshot)
    assert [path.stem for path in written] == [*(table.name for table in tables.values()), "queries"]
    for path in written[:-1]:
        assert path.read_text(encoding="utf-8") == tables[path.stem].to_csv()
    with written[-1].open(encoding="utf-8", newline="") as file:
        queries = list(csv.DictReader(file))
    assert [(row["usubjid"], row["aeseq"]) for row in queries] == snapshot.frames["queries"].select(
        "usubjid", snapshot.frames["queries"]["aeseq"].cast(str)
    ).rows()
    assert queries


PEOPLE = Config(
    organisation="X",
    people=(
        Person(name="Chen", email="chen@example.org", role=Role.DSMB_MEMBER),
        Person(name="Wu", email="wu@example.org", role=Role.DATA_MANAGER),
    ),
)
PROGRAM = """
import sys
from pathlib import Path
from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.workflow.issuing import rebuild
done = rebuild(store.connect(sys.argv[1]), Config(organisation="Another"), sys.argv[2], Path(sys.argv[3]))
print(done.report, done.language, done.page_size, done.mark)
"""


def test_a_new_process_makes_the_same_bytes_with_all_that_the_issue_had(engine: Engine, tmp_path: Path) -> None:
    issued = issue_dsmb(
        engine, PEOPLE, "S1", None, tmp_path / "a.pdf", actor="Wu", at=AT, language="zh", page_size="Letter", mark=Mark.DRAFT
    )
    arguments = [str(engine.url), issued.snapshot_sha256, str(tmp_path / "b.pdf")]
    elsewhere = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Pacific/Auckland", "LC_ALL": "C",
                 "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=elsewhere, capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stdout.split() == [str(issued.report), "zh", "Letter", "draft"]
    assert (tmp_path / "b.pdf").read_bytes() == issued.path.read_bytes()
    english = rebuild(engine, PEOPLE, issued.snapshot_sha256, tmp_path / "c.pdf", language="en")
    assert (english.report, english.language, english.page_size) == (None, "en", "Letter")  # nobody issued this


def handed_out(
    engine: Engine, snapshot: Snapshot, path: Path, *, kind: str = "dsmb", at: datetime = AT, mark: Mark = Mark.FINAL
) -> ReportOnRecord:
    """Records an issue as ``issue`` does, of a file whose content does not matter here: printing takes seconds."""
    path.write_bytes(f"{kind} {snapshot.sha256} {mark}".encode())
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with store.transaction(engine, actor="Wu", reason="issued", at=at) as session:
        snapshots.record_issue(
            session, snapshots.keep_snapshot(session, snapshot, at), "S1", kind, at, sha256, str(path), "sm", by="Wu",
            language="en", page_size="A4", organisation="X", mark=mark,
        )  # fmt: skip
    return listed(engine, "S1")[-1]


def test_what_stood_in_the_last_report_goes_with_the_next(engine: Engine, tmp_path: Path) -> None:
    def frames(cutoff: date, at: datetime = AT) -> dict[str, list[dict[str, object]]]:
        found = freeze_dsmb(engine, "S1", cutoff, at).frames
        return {name: found[name].to_dicts() for name in ("previous", "last_report") if name in found}

    january, february = date(2026, 1, 31), date(2026, 2, 28)
    assert frames(february) == {}
    first = handed_out(engine, freeze_dsmb(engine, "S1", january, AT), tmp_path / "1.pdf")
    handed_out(engine, freeze_dsmb(engine, "S1", date(2026, 2, 10), AT), tmp_path / "d.pdf", mark=Mark.DRAFT)
    assert frames(january) == {}  # made again at the same cut-off: it is no last report to itself
    import_paths(engine, Config(), [put(tmp_path / "data", 4)], actor="tester", at=AT + timedelta(days=1))
    assert frames(february) == {
        "previous": [{"usubjid": "S1-1", "aeseq": 1, "grade": 3, "serious": True, "fatal": False, "aeout": None, "related": True,
                      "aedecod": "Platelet count decreased"}],
        "last_report": [{"issued_on": AT.date(), "cutoff": january, "snapshot": first.snapshot_sha256, "n_treated": 1,
                         "n_deaths": 0, "number": 1}],
    }  # fmt: skip
    second = handed_out(engine, freeze_dsmb(engine, "S1", february, AT), tmp_path / "2.pdf")
    assert freeze_dsmb(engine, "S1", february, AT).sha256 == second.snapshot_sha256 != first.snapshot_sha256
    assert [each.number for each in listed(engine, "S1")] == [1, None, 2]
    later = frames(date(2026, 3, 1))
    assert [(row["grade"]) for row in later["previous"]] == [4]
    assert later["last_report"][0]["number"] == 2


def test_the_weekly_report_looks_back_at_the_last_weekly_one(engine: Engine, tmp_path: Path) -> None:
    week = timedelta(days=7)
    handed_out(engine, freeze_dsmb(engine, "S1", date(2026, 1, 31), AT), tmp_path / "board.pdf")
    first = safety_snapshot(engine, PEOPLE, "S1", AT - week, AT)
    assert "previous" not in first.frames  # the board's report is another kind
    handed_out(engine, first, tmp_path / "1.pdf", kind="safety")
    assert "previous" not in safety_snapshot(engine, PEOPLE, "S1", AT - week, AT).frames  # the same day
    second = safety_snapshot(engine, PEOPLE, "S1", AT, AT + week)
    assert second.frames["last_report"]["snapshot"].to_list() == [first.sha256]
    assert second.frames["questions"]["age_days"].to_list() == [7] * second.frames["questions"].height != []


def test_action_items_are_carried_over_until_closed_and_then_shown_once(engine: Engine, tmp_path: Path) -> None:
    def shown(cutoff: date, at: datetime) -> list[tuple[object, ...]]:
        frame = freeze_dsmb(engine, "S1", cutoff, at).frames["actions"]
        return frame.select("number", "overdue", "report", "resolution").rows()

    days = [AT + timedelta(days=30 * n) for n in range(4)]
    cutoffs = [date(2026, n, 28) for n in (1, 2, 3, 4)]
    first = handed_out(engine, freeze_dsmb(engine, "S1", cutoffs[0], days[0]), tmp_path / "1.pdf", at=days[0])
    for asked in ("Narratives", "Thyroid function"):
        add_action(engine, PEOPLE, "S1", asked, owner="Li", due_on=days[1].date(), actor="Chen", at=days[0], report=first.id)
    assert shown(cutoffs[1], days[1]) == [(1, False, 1, None), (2, False, 1, None)]
    assert shown(cutoffs[1], days[2]) == [(1, True, 1, None), (2, True, 1, None)]
    close_action(engine, PEOPLE, 1, resolution="Sent", actor="chen", at=days[1])
    assert shown(cutoffs[1], days[2]) == [(1, False, 1, "Sent"), (2, True, 1, None)]
    handed_out(engine, freeze_dsmb(engine, "S1", cutoffs[1], days[2]), tmp_path / "2.pdf", at=days[2])
    assert shown(cutoffs[1], days[2]) == [(1, False, 1, "Sent"), (2, True, 1, None)]  # made again: as it was
    assert shown(cutoffs[2], days[3]) == [(2, True, 1, None)]
    assert [each.id for each in listed_actions(engine, "S1")] == [2]
    assert [each.id for each in listed_actions(engine, "S1", closed_too=True)] == [1, 2]


def test_signed_by_those_who_may_and_only_the_bytes_that_were_issued(engine: Engine, tmp_path: Path) -> None:
    snapshot = freeze_dsmb(engine, "S1", date(2026, 1, 31), AT)
    final = handed_out(engine, snapshot, path := tmp_path / "final.pdf")
    draft = handed_out(engine, snapshot, tmp_path / "d.pdf", mark=Mark.DRAFT)
    content = path.read_bytes()

    def refused(said: str, report: int, actor: str = "Chen", meaning: str = "approved", file: Path | None = None) -> None:
        with pytest.raises(DecisionError, match=said):
            sign(engine, PEOPLE, report, meaning=meaning, actor=actor, at=AT, file=file)

    refused("no issued report has the number 99", 99)
    refused("Wu is a data manager and may not sign report", final.id, actor="Wu")
    refused("'Lu' is not a person", final.id, actor="Lu")
    refused("is a draft", draft.id)
    refused("says what it means", final.id, meaning=" ")
    path.write_bytes(content + b" ")
    refused("is not the file that was issued", final.id)
    path.rename(tmp_path / "moved.pdf")
    refused("is not there", final.id)
    refused("is not the file that was issued", final.id, file=tmp_path / "d.pdf")
    assert kept(engine, "SELECT count(*) FROM report_signature") == [(0,)]
    (tmp_path / "copy.pdf").write_bytes(content)
    found, signature = sign(engine, PEOPLE, final.id, meaning="approved", actor="chen", at=AT, file=tmp_path / "copy.pdf")
    assert (found.id, signature.name, signature.role) == (final.id, "Chen", Role.DSMB_MEMBER)
    assert signature.sha256 == hashlib.sha256(content).hexdigest() == final.sha256
    refused("has signed report 1 as 'approved' already", final.id, file=tmp_path / "copy.pdf")
    sha256, reports = identify(engine, tmp_path / "copy.pdf")
    assert [(each.id, each.sha256, each.signatures) for each in reports] == [(final.id, sha256, (signature,))]
    assert identify(engine, tmp_path / "moved.pdf")[1] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: add_action(e, PEOPLE, "S1", " ", owner="Li", due_on=AT.date(), actor="Chen", at=AT), "must not be blank"),
        (lambda e: add_action(e, PEOPLE, "S1", "Ask", owner="Li", due_on=AT.date(), actor="Wu", at=AT), "may not keep actions"),
        (lambda e: add_action(e, PEOPLE, "S1", "Ask", owner="Li", due_on=AT.date(), actor="Chen", at=AT, report=5), "number 5"),
        (lambda e: close_action(e, PEOPLE, 7, resolution="done", actor="Chen", at=AT), "no action item has the number 7"),
        (lambda e: close_action(e, PEOPLE, 7, resolution=" ", actor="Chen", at=AT), "say what became of it"),
    ],
)
def test_refused_action_items(engine: Engine, change: Callable[[Engine], object], said: str) -> None:
    with pytest.raises(DecisionError, match=said):
        change(engine)
    assert listed_actions(engine, "S1", closed_too=True) == []


def test_what_was_closed_is_not_closed_again(engine: Engine) -> None:
    done = add_action(engine, PEOPLE, "S1", "Ask", owner="Li", due_on=AT.date(), actor="Chen", at=AT)
    close_action(engine, PEOPLE, done.id, resolution="asked", actor="Chen", at=AT)
    with pytest.raises(DecisionError, match="was closed by Chen: asked"):
        close_action(engine, PEOPLE, done.id, resolution="again", actor="Chen", at=AT)
