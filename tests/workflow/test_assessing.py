"""Opinions on one event from cut to cut: the site's follow its data, people's stand beside them, questions come and go."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.rules.causality import ReportedCausality
from safety_monitor.store import audit
from safety_monitor.vocabulary import Level
from safety_monitor.workflow.deciding import DecisionError, assess_causality, close_query, listed_queries
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import freeze_study

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)
STUDY = """
study: {id: S1}
components:
  - {name: ablation, kind: procedure, profile: ablation, match: [MICROWAVE ABLATION], relatedness: RELABL}
"""
DM = {"STUDYID": "S1", "USUBJID": "S1-1", "SITEID": "1", "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-06-01"}
PR = {"STUDYID": "S1", "USUBJID": "S1-1", "PRSEQ": "1", "PRTRT": "MICROWAVE ABLATION", "PRLOC": "LUNG", "PRSTDTC": "2026-01-05"}
AE = {"STUDYID": "S1", "USUBJID": "S1-1", "AESEQ": "1", "AETERM": "Pneumothorax", "AEDECOD": "Pneumothorax", "AETOXGR": "3",
      "AESER": "Y", "AESHOSP": "Y", "AESTDTC": "2026-01-05"}  # fmt: skip
CONFIG = Config.model_validate({"people": [
    {"name": "One", "email": "one@example.org", "role": "investigator", "sites": ["1"]},
    {"name": "Two", "email": "two@example.org", "role": "investigator", "sites": ["2"]},
    {"name": "Rev", "email": "rev@example.org", "role": "sponsor_reviewer"},
    {"name": "Data", "email": "data@example.org", "role": "data_manager"},
]})  # fmt: skip
FAR, DUE, AGAIN = "CAUSALITY_FAR_APART", "CAUSALITY_REVIEW_DUE", "CAUSALITY_LOOK_AGAIN"
OTHERWISE = "CAUSALITY_STATED_OTHERWISE"


class Desk:
    """One serious event on ablation; what the site says of it, import after import."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.n = engine, folder, 0
        folder.mkdir()
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")

    @property
    def at(self) -> datetime:
        self.n += 1
        return AT + timedelta(minutes=self.n)

    def site_says(self, word: str, overall: str = "") -> set[str]:
        """Imports the site's data; what is asked about opinions then."""
        for domain, row in (("dm", DM), ("pr", PR), ("ae", {**AE, "AEREL": overall, "RELABL": word})):
            with (self.folder / f"{domain}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
                writer.writerow(row)
        import_paths(self.engine, CONFIG, [self.folder], actor="a", at=self.at, reason="cut")
        return self.asked()

    def says(self, who: str, level: Level, component: str = "ablation", aeseq: int = 1) -> ReportedCausality:
        return assess_causality(
            self.engine, CONFIG, ("S1-1", aeseq), component, level, study_id="S1", actor=who, reason=f"by {who}", at=self.at
        )

    def asked(self) -> set[str]:
        with store.reading(self.engine) as session:
            found = listed_queries(session, "S1")
            return {each.query.check_id for each in found if each.query.check_id.startswith("CAUSALITY")}

    def opinions(self) -> dict[str, tuple[str | None, str | None, str]]:
        """Level, person and reason by author, of people."""
        query = "SELECT author, level, given_by, rationale FROM component_opinion WHERE author <> 'system'"
        with self.engine.connect() as connection:
            return {row.author: (row.level, row.given_by, row.rationale) for row in connection.execute(text(query))}

    def audited(self) -> list[tuple[str, str, str]]:
        """Actor, reason and action of every change of an opinion."""
        query = "SELECT actor, reason, action FROM audit WHERE table_name = 'component_opinion' ORDER BY seq"
        with self.engine.connect() as connection:
            return [(row.actor, row.reason, row.action) for row in connection.execute(text(query))]


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Iterator[Desk]:
    engine = store.connect(database_url)
    yield Desk(engine, tmp_path / "data")
    with store.reading(engine) as session:
        assert audit.verify(session) == []
    engine.dispose()


def test_questions_follow_the_data(desk: Desk) -> None:
    assert desk.site_says("N") == {FAR, DUE}
    assert desk.site_says("N") == {FAR, DUE}
    assert desk.site_says("Y") == {DUE}  # nearer: the disagreement is gone, a reviewer still has not looked
    assert desk.site_says("N") == {FAR, DUE}
    with store.reading(desk.engine) as session:
        reopened = {each.query.check_id: each.n_reopened for each in listed_queries(session, "S1")}
    assert (reopened[FAR], reopened[DUE]) == (1, 0)


def test_a_reviewer_settles_a_disagreement_and_is_asked_again_where_nobody_sees_a_relation(desk: Desk) -> None:
    desk.site_says("N")
    before = len(desk.audited())
    counted = desk.says("Rev", Level.UNLIKELY)
    assert (counted.related, counted.decided_by) == (False, "investigator and sponsor reviewer Rev")
    assert desk.audited()[before:] == [("Rev", "by Rev", "insert")]  # the system's own opinion has not moved
    assert desk.asked() == {AGAIN}
    with store.reading(desk.engine) as session:
        [again] = [each for each in listed_queries(session, "S1") if each.query.check_id == AGAIN]
    close_query(desk.engine, CONFIG, again.id, actor="Rev", reason="seen, and so it is", at=desk.at)
    assert desk.site_says("N") == set()
    assert desk.says("Rev", Level.POSSIBLE).related is True
    assert desk.asked() == set()
    assert desk.opinions()["sponsor_reviewer"] == ("POSSIBLE", "Rev", "by Rev")


def test_what_an_investigator_states_here_stands_beside_what_the_site_reports(desk: Desk) -> None:
    desk.site_says("N")
    counted = desk.says("One", Level.PROBABLE)
    assert (counted.related, counted.decided_by) == (True, "investigator One")
    assert desk.opinions() == {"investigator": ("N", None, ""), "investigator_stated": ("PROBABLE", "One", "by One")}
    assert desk.asked() == {FAR, DUE, OTHERWISE}
    assert desk.site_says("PROBABLE") == {DUE}
    assert desk.opinions()["investigator"] == ("PROBABLE", None, "")
    assert desk.opinions()["investigator_stated"] == ("PROBABLE", "One", "by One")


def test_a_word_that_the_site_takes_back_counts_no_longer(desk: Desk) -> None:
    desk.site_says("N")
    assert desk.says("Rev", Level.UNLIKELY).related is False
    desk.site_says("")
    assert desk.opinions()["investigator"] == (None, None, "withdrawn: the data no longer say")
    assert desk.says("Rev", Level.UNRELATED).related is None  # treated as related until the site says
    desk.site_says("", overall="N")
    assert desk.opinions()["investigator"] == ("N", None, "AEREL, of all treatment")
    assert desk.says("Rev", Level.UNLIKELY).related is False


@pytest.mark.parametrize(
    ("who", "component", "aeseq", "why"),
    [
        ("Data", "ablation", 1, "Data is a data manager and may not assess causality; roles that may: investigator, sponsor "
                                "reviewer, medical monitor"),
        ("Two", "ablation", 1, "Two answers for site 2, this is of site 1"),
        ("Rev", "aspirin", 1, "'aspirin' is no component of study S1; it has ablation"),
        ("Rev", "ablation", 9, "S1-1 has no event with AESEQ 9 in study S1"),
    ],
)  # fmt: skip
def test_an_opinion_that_may_not_be_given_changes_nothing(
    desk: Desk, who: str, component: str, aeseq: int, why: str
) -> None:
    desk.site_says("N")
    before = desk.audited()
    with pytest.raises(DecisionError, match=why):
        desk.says(who, Level.POSSIBLE, component, aeseq)
    assert desk.audited() == before


def test_a_snapshot_holds_the_reviewer_s_level(desk: Desk) -> None:
    desk.site_says("N")
    desk.says("Rev", Level.UNLIKELY)
    frames = freeze_study(desk.engine, "S1", None).frames
    [row] = frames["events"].select("investigator_ablation", "reviewer_ablation", "level_ablation").rows()
    assert row == ("N", "UNLIKELY", "PROBABLE")
    assert AGAIN in frames["queries"]["check_id"].to_list()
