"""Cuts of the data, one after the other: episodes change in place, cases and questions follow, nothing is told twice."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.store import audit
from safety_monitor.store import episodes as episode_store
from safety_monitor.store import queries as query_store
from safety_monitor.store.episodes import StoredEpisode
from safety_monitor.vocabulary import CaseState, QueryState
from safety_monitor.workflow.deciding import DecisionError, answer_query, close_query, decide_case, listed_queries
from safety_monitor.workflow.importing import ImportResult, import_paths
from safety_monitor.workflow.studies import freeze_study

AT = datetime(2026, 7, 1, 7, 0, tzinfo=UTC)
STUDY = "study: {id: S1, timezone: Asia/Shanghai}\ncomponents:\n  - {name: lenvatinib, match: [LENVATINIB]}\n"
DM = [{"STUDYID": "S1", "USUBJID": s, "SITEID": s[-1], "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-06-01"}
      for s in ("S1-1", "S1-2")]  # fmt: skip
EX = [{"STUDYID": "S1", "USUBJID": s, "EXSEQ": "1", "EXTRT": "LENVATINIB", "EXDOSE": "8", "EXSTDTC": "2026-01-05",
       "EXENDTC": "2026-06-01"} for s in ("S1-1", "S1-2")]  # fmt: skip
CONFIG = Config.model_validate({"people": [
    {"name": "Officer", "email": "officer@example.org", "role": "safety_officer"},
    {"name": "One", "email": "one@example.org", "role": "investigator", "sites": ["1"]},
    {"name": "Two", "email": "two@example.org", "role": "investigator", "sites": ["2"]},
    {"name": "Data", "email": "data@example.org", "role": "data_manager"},
]})  # fmt: skip
COURSE = {"2026-01-02": "30", "2026-02-01": "90", "2026-02-15": "250", "2026-03-01": "35"}


def lb(course: dict[str, str], bilirubin: str = "10") -> list[dict[str, str]]:
    """ALT by day, with the same bilirubin on each."""
    return [
        {"STUDYID": "S1", "USUBJID": "S1-1", "LBSEQ": str(2 * number + second), "LBTESTCD": test, "LBSTRESN": value,
         "LBSTRESU": unit, "LBSTNRLO": low, "LBSTNRHI": high, "LBBLFL": "" if number else "Y", "LBDTC": on}
        for number, (on, result) in enumerate(course.items())
        for second, (test, value, unit, low, high) in enumerate(
            [("ALT", result, "U/L", "7", "40"), ("BILI", bilirubin, "umol/L", "3", "20")]
        )
    ]  # fmt: skip


def ae(grade: str, first: str = "2026-02-03", last: str = "2026-03-01", aeseq: str = "1", **more: str) -> dict[str, str]:
    return {"STUDYID": "S1", "USUBJID": "S1-1", "AESEQ": aeseq, "AETERM": "ALT increased", "AEDECOD": "", "AETOXGR": grade,
            "AESER": "N", "AEREL": "Y", "AESTDTC": first, "AEENDTC": last, "AEOUT": "RECOVERED/RESOLVED", **more}  # fmt: skip


class Cuts:
    """Imports one cut of the data after another, an hour apart."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.n = engine, folder, 0
        folder.mkdir()
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")
        self.put(DM=DM, EX=EX)

    def put(self, **domains: list[dict[str, str]]) -> None:
        for domain, rows in domains.items():
            with (self.folder / f"{domain.lower()}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
                writer.writeheader()
                writer.writerows(rows)

    def __call__(self, complete: tuple[str, ...] = (), **domains: list[dict[str, str]]) -> ImportResult:
        self.put(**domains)
        self.n += 1
        return import_paths(
            self.engine, CONFIG, [self.folder], actor="a", at=AT + timedelta(hours=self.n), reason="cut", complete=complete
        )

    @property
    def at(self) -> datetime:
        return AT + timedelta(hours=self.n, minutes=30)

    def episodes(self) -> list[StoredEpisode]:
        with store.reading(self.engine) as session:
            return episode_store.stored_episodes(session, "S1")

    def queries(self, state: QueryState | None = None) -> list[query_store.StoredQuery]:
        with store.reading(self.engine) as session:
            return listed_queries(session, "S1", state=state)

    def asked(self) -> list[str]:
        return [each.query.check_id for each in self.queries()]

    def mails(self) -> list[tuple[str, str, str]]:
        with self.engine.connect() as connection:
            rows = connection.execute(text("SELECT kind, rule_id, recipient_name FROM alert ORDER BY id"))
            return [(row.kind, row.rule_id, row.recipient_name) for row in rows]

    def n_audited(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text("SELECT count(*) FROM audit")).scalar_one())


def decide(cuts: Cuts, number: int, who: str, reason: str = "r", **more: Any) -> StoredEpisode:
    state = CaseState.CONFIRMED if more else CaseState.DISMISSED
    return decide_case(cuts.engine, CONFIG, number, case_state=state, actor=who, reason=reason, at=cuts.at, **more)


@pytest.fixture
def cuts(database_url: str, tmp_path: Path) -> Iterator[Cuts]:
    engine = store.connect(database_url)
    yield Cuts(engine, tmp_path / "data")
    with store.reading(engine) as session:
        assert audit.verify(session) == []
    engine.dispose()


def test_a_case_opens_with_its_question_and_its_mails(cuts: Cuts) -> None:
    result = cuts(LB=lb(COURSE))
    [stored] = cuts.episodes()
    assert (stored.episode.case_state, stored.episode.worst_grade, stored.version) == (CaseState.DRAFT, 3, 1)
    assert cuts.asked() == ["NOT_REPORTED"]
    assert cuts.mails() == [
        ("lab_unreported", "results_without_report", "Officer"), ("lab_unreported", "results_without_report", "One"),
    ]  # fmt: skip
    assert (result.episodes["new"], result.n_queries, result.n_alerts) == (1, 1, 2)


def test_the_same_cut_changes_nothing(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE), AE=[ae("", aeseq="2", first="2026-05")])
    before = cuts.n_audited()
    result = cuts()
    assert not result.changed
    assert (result.n_alerts, cuts.n_audited()) == (0, before)


def test_more_results_change_the_episode_in_place(cuts: Cuts) -> None:
    cuts(LB=lb({"2026-01-02": "30", "2026-02-01": "90"}))
    [first] = cuts.episodes()
    assert (first.episode.ended.value, first.episode.case_state) == ("ongoing", CaseState.NONE)
    cuts(LB=lb(COURSE))
    [second] = cuts.episodes()
    assert (second.id, second.episode.ended.value, second.episode.case_state) == (first.id, "resolved", CaseState.DRAFT)
    cuts(LB=lb(COURSE | {"2026-02-15": "900"}))
    [third] = cuts.episodes()
    assert (third.id, third.episode.worst_grade) == (first.id, 4)
    assert [rule for _, rule, who in cuts.mails() if who == "One"] == ["results_without_report", "unreported_results_worse"]
    assert len(cuts.queries()) == 1


def test_an_earlier_onset_is_the_same_episode(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    [before] = cuts.episodes()
    cuts(LB=lb({"2026-01-02": "30", "2026-01-20": "60", **COURSE}))
    [after] = cuts.episodes()
    assert after.id == before.id
    assert (str(after.episode.onset_on), str(after.episode.opened_on)) == ("2026-01-20", "2026-02-01")
    assert len(cuts.queries()) == 1  # the same question, in new words
    assert "from 2026-01-20 on" in cuts.queries()[0].query.text


def test_a_corrected_result_withdraws_case_question_and_alert(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    cuts(LB=lb(COURSE | {"2026-02-01": "30", "2026-02-15": "25"}))
    [stored] = cuts.episodes()
    assert (stored.is_withdrawn, stored.episode.case_state) == (True, CaseState.WITHDRAWN)
    assert cuts.queries() == []
    [closed] = cuts.queries(QueryState.CLOSED)
    assert (closed.closed_by, closed.close_reason) == ("data", "the data no longer give a reason to ask")
    assert [mail[:2] for mail in cuts.mails() if mail[2] == "One"] == [
        ("lab_unreported", "results_without_report"), ("lab_withdrawn", "results_corrected"),
    ]  # fmt: skip


def test_a_question_reopens_where_the_data_regress_and_is_not_asked_twice(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    cuts(LB=lb(COURSE | {"2026-02-15": "80"}))
    assert cuts.asked() == []
    assert cuts.episodes()[0].episode.case_state is CaseState.WITHDRAWN  # still an episode, no longer a case
    cuts(LB=lb(COURSE))
    [query] = cuts.queries()
    assert (query.state, query.n_reopened) == (QueryState.OPEN, 1)
    assert len(cuts.queries(QueryState.CLOSED)) == 0
    assert [rule for _, rule, who in cuts.mails() if who == "One"] == [
        "results_without_report", "results_corrected", "results_without_report",
    ]  # fmt: skip


def test_a_report_that_comes_later_closes_the_question(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    cuts(AE=[ae("3")])
    [stored] = cuts.episodes()
    assert (stored.episode.link.value, stored.episode.aeseq, stored.episode.case_state) == ("matched", 1, CaseState.NONE)
    assert cuts.asked() == []
    assert "lab_withdrawn" not in {kind for kind, *_ in cuts.mails()}


def test_a_report_that_is_deleted_leaves_the_results_without_one(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE), AE=[ae("3"), ae("1", "2026-05-01", "2026-05-02", aeseq="2", AETERM="fatigue")])
    assert cuts.mails() == []
    cuts(complete=("AE",), AE=[ae("1", "2026-05-01", "2026-05-02", aeseq="2", AETERM="fatigue")])
    assert cuts.asked() == ["NOT_REPORTED"]
    assert len(cuts.mails()) == 2


def test_the_grade_of_a_report_against_its_results(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE), AE=[ae("2")])
    assert cuts.asked() == ["GRADE_AGAINST_FINDINGS"]
    assert "250 U/L on 2026-02-15" in cuts.queries()[0].query.text
    cuts(AE=[ae("3")])
    assert cuts.asked() == []
    cuts(AE=[ae("2")])
    [query] = cuts.queries()
    assert (query.n_reopened, query.since) == (1, AT + timedelta(hours=3))


def test_a_liver_signal_is_told_once_and_withdrawn_where_the_results_were_wrong(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE, bilirubin="30"))
    assert {kind for kind, *_ in cuts.mails()} == {"lab_unreported"}
    cuts(LB=lb(COURSE, bilirubin="45"))
    assert cuts().n_alerts == 0
    assert [mail for mail in cuts.mails() if mail[0] == "hys_law"] == [
        ("hys_law", "hys_law_candidate", "Officer"), ("hys_law", "hys_law_candidate", "One"),
    ]  # fmt: skip
    cuts(LB=lb(COURSE))
    assert cuts.mails()[-1] == ("lab_withdrawn", "hys_law_withdrawn", "One")
    assert "HYS_LAW_CANDIDATE" not in cuts.asked()


# --- what people decide


def test_a_dismissed_case_stays_dismissed_until_it_is_worse(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    [stored] = cuts.episodes()
    decide(cuts, stored.id, "One", reason="hemolysed sample")
    assert cuts.asked() == []
    assert cuts().changed is False
    assert cuts.episodes()[0].episode.case_state is CaseState.DISMISSED
    cuts(LB=lb(COURSE | {"2026-02-15": "300"}))  # grade 3 as before
    assert cuts.asked() == []
    cuts(LB=lb(COURSE | {"2026-02-15": "900"}))
    assert cuts.episodes()[0].episode.case_state is CaseState.DRAFT
    assert cuts.asked() == ["NOT_REPORTED"]


def test_a_confirmed_case_still_wants_its_report(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE))
    [stored] = cuts.episodes()
    done = decide_case(cuts.engine, CONFIG, stored.id, case_state=CaseState.CONFIRMED, actor="Officer", reason="real", at=cuts.at)
    assert (done.episode.case_state, done.decided_by, done.decision) == (CaseState.CONFIRMED, "Officer", "real")
    assert cuts.asked() == ["NOT_REPORTED"]
    assert len(cuts.mails()) == 2  # who decided need not be told


def test_a_person_says_which_report_it_is(cuts: Cuts) -> None:
    far = ae("3", "2026-05-01", "2026-05-20")
    cuts(LB=lb(COURSE), AE=[far])
    [stored] = cuts.episodes()
    assert stored.episode.case_state is CaseState.DRAFT
    done = decide_case(
        cuts.engine, CONFIG, stored.id, case_state=CaseState.CONFIRMED, actor="One", reason="dates are wrong", at=cuts.at, aeseq=1
    )
    assert (done.episode.link.value, done.episode.aeseq, done.episode.case_state) == ("matched", 1, CaseState.NONE)
    assert "NOT_REPORTED" not in cuts.asked()
    assert cuts().changed is False


def test_a_question_that_a_person_closed_stays_closed_until_it_says_something_else(cuts: Cuts) -> None:
    cuts(AE=[ae("", first="2026-05-01", last="2026-05-09")])
    [query] = cuts.queries()
    answer_query(cuts.engine, CONFIG, query.id, "source lost", actor="One", at=cuts.at)
    assert cuts.queries()[0].state is QueryState.ANSWERED
    close_query(cuts.engine, CONFIG, query.id, actor="Data", reason="cannot be had", at=cuts.at)
    assert cuts().changed is False
    assert cuts.queries() == []
    assert freeze_study(cuts.engine, "S1", None).frames["queries"].height == 0
    [closed] = cuts.queries(QueryState.CLOSED)
    assert (closed.closed_by, closed.close_reason, closed.answer) == ("Data", "cannot be had", "source lost")
    cuts(AE=[ae("3", first="2026-05-01", last="2026-05-09")])
    cuts(AE=[ae("", first="2026-05-01", last="2026-05-09")])
    assert cuts.asked() == []  # a person said so, and the question is the same


@pytest.mark.parametrize(
    ("attempt", "why"),
    [
        (lambda c, e, q: decide(c, e, "Two"), "Two answers for site 2, this is of site 1"),
        (lambda c, e, q: decide(c, e, "Data"),
         "Data is a data manager and may not decide case; roles that may: investigator, safety officer, medical monitor"),
        (lambda c, e, q: decide(c, e, "Eve"),
         "'Eve' is not a person of the configuration, which has Officer, One, Two, Data"),
        (lambda c, e, q: decide(c, 99, "One"), "no episode has the number 99"),
        (lambda c, e, q: decide(c, e, "One", aeseq=7), "S1-1 has no event with AESEQ 7"),
        (lambda c, e, q: close_query(c.engine, CONFIG, q, actor="One", reason="r", at=c.at),
         "One is an investigator and may not close"),
        (lambda c, e, q: answer_query(c.engine, CONFIG, 99, "x", actor="One", at=c.at), "no question has the number 99"),
    ],
)  # fmt: skip
def test_a_decision_that_may_not_be_taken_changes_nothing(cuts: Cuts, attempt: Callable[..., Any], why: str) -> None:
    cuts(LB=lb(COURSE))
    [stored], [query], before = cuts.episodes(), cuts.queries(), cuts.n_audited()
    with pytest.raises(DecisionError, match=why):
        attempt(cuts, stored.id, query.id)
    assert cuts.n_audited() == before


def test_history_without_mails_has_its_cases_and_questions(cuts: Cuts) -> None:
    cuts.put(LB=lb(COURSE))
    result = import_paths(cuts.engine, CONFIG, [cuts.folder], actor="a", at=AT, reason="history", backfill=True)
    assert (result.n_alerts, result.n_queries, cuts.mails()) == (0, 1, [])


def test_a_snapshot_sees_the_episodes_of_its_cut_off(cuts: Cuts) -> None:
    cuts(LB=lb(COURSE), AE=[ae("3")])
    early = freeze_study(cuts.engine, "S1", datetime(2026, 2, 10).date()).frames["episodes"]
    assert early.select("worst_grade", "ended", "link").rows() == [(1, "ongoing", "matched")]
    late = freeze_study(cuts.engine, "S1", None).frames["episodes"]
    assert late.select("worst_grade", "ended", "link", "changes").rows() == [
        (3, "resolved", "matched", "2026-02-01 grade 1; 2026-02-15 grade 3")
    ]
