"""A serious event from the first import to the last report: SUSAR, clocks, people's decisions, drafts, and who is told."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from safety_monitor import store
from safety_monitor.config import Config
from safety_monitor.records import SaeDraft
from safety_monitor.reporting.tables import all_tables
from safety_monitor.rules.clocks import due_text
from safety_monitor.store import audit, clocks, outbox
from safety_monitor.store.queries import stored_queries
from safety_monitor.vocabulary import DraftState, Level, Matter
from safety_monitor.workflow import deciding
from safety_monitor.workflow.deciding import DecisionError
from safety_monitor.workflow.importing import import_paths
from safety_monitor.workflow.studies import freeze_study
from safety_monitor.workflow.watching import watch

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # 09:00 in Shanghai
STUDY = """
study: {id: S1, timezone: Asia/Shanghai}
related: [Y]
components:
  - {name: lenvatinib, profile: lenvatinib, match: [LENVATINIB], relatedness: RELLEN}
  - {name: pd1, profile: pd1, match: [SINTILIMAB], relatedness: RELPD1}
jurisdictions: [NMPA]
"""
CONFIG = Config.model_validate({"timezone": "Asia/Shanghai", "people": [
    {"name": "One", "email": "one@example.org", "role": "investigator", "sites": ["01"]},
    {"name": "Two", "email": "two@example.org", "role": "investigator", "sites": ["02"]},
    {"name": "Officer", "email": "officer@example.org", "role": "safety_officer"},
    {"name": "Monitor", "email": "monitor@example.org", "role": "medical_monitor"},
    {"name": "Rev", "email": "rev@example.org", "role": "sponsor_reviewer"},
]})  # fmt: skip
DM = {"STUDYID": "S1", "USUBJID": "S1-1", "SITEID": "01", "RFXSTDTC": "2026-01-05", "RFXENDTC": "2026-06-01"}
# Stroke is listed for neither drug.
AE = {"STUDYID": "S1", "USUBJID": "S1-1", "AESEQ": "1", "AETERM": "Stroke", "AEDECOD": "Stroke", "AETOXGR": "3", "AESER": "Y",
      "AESHOSP": "Y", "AESLIFE": "N", "AEOUT": "NOT RECOVERED/NOT RESOLVED", "AESTDTC": "2026-02-20"}  # fmt: skip
EVENT = ("S1-1", 1)


class Site:
    """One subject of site 01, import after import; time passes between."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self.folder, self.at = engine, folder, T0
        folder.mkdir()
        (folder / "study.yaml").write_text(STUDY, encoding="utf-8")

    def cut(self, days: float = 0, receipt: dict[str, str] | None = None, backfill: bool = False, **changes: str) -> None:
        """An import *days* after the last; *changes* of the event (RELLEN, RELPD1 are the opinions), none: it is gone."""
        self.at += timedelta(days=days)
        told = {"RELLEN": "N", "RELPD1": "N"} | changes
        rows = {"dm": [DM], "ae": [{**AE, **told}] if "GONE" not in changes else []}
        if receipt is not None:
            rows["sae_receipt"] = [{"USUBJID": "S1-1", "AESEQ": "1", **receipt}]
        for name, found in rows.items():
            columns = list(found[0]) if found else list(AE)
            with (self.folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, columns)
                writer.writeheader()
                writer.writerows(found)
        import_paths(self.engine, CONFIG, [self.folder], actor="tester", at=self.at, complete=["AE"], backfill=backfill)

    def clocks(self) -> list[tuple[str, str, str, str]]:
        """(rule and component, why, state, due) of every clock, in the order in which they were opened."""
        with store.reading(self.engine) as session:
            found = sorted(clocks.clocks(session, "S1"), key=lambda each: each.id)
        return [
            (
                f"{each.clock.rule_id} {each.clock.component}".strip(),
                each.clock.cause.value,
                each.clock.state.value,
                due_text(each.clock),
            )
            for each in found
        ]

    def told(self, since: int = 0) -> Counter[tuple[str, str, str]]:
        """(kind, rule, whom) of the alerts after the first *since*."""
        with store.reading(self.engine) as session:
            rows = [row for row in outbox.listing(session) if row["id"] > since]
        return Counter((row["kind"].value, row["rule_id"], row["recipient_name"]) for row in rows)

    def n_alerts(self) -> int:
        return self.told().total()

    def says(self, matter: Matter, value: str | None, component: str = "", actor: str = "Rev", days: float = 0.1) -> Any:
        self.at += timedelta(days=days)
        return deciding.override(
            self.engine, CONFIG, EVENT, matter, value, component=component, study_id="S1", actor=actor, reason="why", at=self.at
        )


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    engine = store.connect(database_url)
    yield Site(engine, tmp_path / "data")
    with store.reading(engine) as session:
        assert not audit.verify(session)
    engine.dispose()


SPONSOR = ("Officer", "Monitor", "Rev")
NEW = [("sae_new", "new_serious_event", name) for name in ("One", "Officer", "Monitor")]


def test_an_event_that_nobody_relates_has_no_clock(site: Site) -> None:
    site.cut()
    assert site.clocks() == []
    assert site.told() == Counter(NEW)


def test_a_susar_is_told_to_the_sponsor_with_its_clock_and_the_receipt_says_day_zero(site: Site) -> None:
    site.cut(RELPD1="Y", receipt={"SITE_AWARE_AT": "2026-02-28T10:00", "SPONSOR_AWARE_AT": "2026-03-01T09:30"})
    assert site.clocks() == [
        ("NMPA-SITE-24H", "initial", "met", "2026-03-01 10:00"), ("NMPA-SUSAR-15D pd1", "initial", "running", "2026-03-16"),
    ]  # fmt: skip
    assert site.told() == Counter(NEW + [("susar", "susar_suspected", name) for name in SPONSOR])
    site.cut(days=1, RELPD1="Y")
    assert site.n_alerts() == 6


def test_a_person_decides_and_every_investigator_hears(site: Site) -> None:
    site.cut(RELPD1="Y")
    site.says(Matter.SUSAR, "yes", "pd1")
    assert site.told(since=6) == Counter([("susar", "susar_decided", name) for name in ("One", "Two", *SPONSOR)])
    assert [state for _, _, state, _ in site.clocks()] == ["running"]


def test_a_susar_that_a_person_denies_ends_its_clock_on_record(site: Site) -> None:
    site.cut(RELPD1="Y")
    site.says(Matter.EXPECTEDNESS, "yes", "pd1")
    assert site.clocks() == [("NMPA-SUSAR-15D pd1", "initial", "cancelled", "2026-03-17")]
    assert site.told(since=6) == Counter([("clock_changed", "clock_cancelled", name) for name in ("Officer", "Monitor")])
    site.says(Matter.EXPECTEDNESS, None, "pd1", days=2)
    assert site.clocks()[1:] == [("NMPA-SUSAR-15D pd1", "reopened", "running", "2026-03-17")]


def test_the_reviewer_suspects_what_the_investigator_does_not(site: Site) -> None:
    site.cut()
    site.at += timedelta(days=3)
    deciding.assess_causality(
        site.engine, CONFIG, EVENT, "pd1", Level.POSSIBLE, study_id="S1", actor="Rev", reason="time fits", at=site.at
    )
    assert site.clocks() == [("NMPA-SUSAR-15D pd1", "initial", "running", "2026-03-20")]  # Day 0 is the day of the opinion


def test_death_after_five_days_starts_the_short_clock_and_a_follow_up(site: Site) -> None:
    site.cut(RELPD1="Y")
    site.cut(days=5, RELPD1="Y", AETOXGR="5", AEOUT="FATAL", AESDTH="Y")
    assert site.clocks() == [
        ("NMPA-SUSAR-15D pd1", "initial", "cancelled", "2026-03-17"),
        ("NMPA-SUSAR-7D pd1", "initial", "running", "2026-03-14"),
        ("NMPA-SUSAR-7D-FOLLOW-UP pd1", "initial", "running", "2026-03-22"),
    ]  # fmt: skip
    assert ("sae_changed", "became_fatal", "One") in site.told(since=6)
    assert ("clock_changed", "clock_started", "Officer") in site.told(since=6)


def test_a_receipt_that_comes_later_moves_nothing_silently(site: Site) -> None:
    site.cut(RELPD1="Y")
    site.cut(days=1, RELPD1="Y", receipt={"SPONSOR_AWARE_AT": "2026-02-25T22:00+00:00"})
    assert site.clocks() == [
        ("NMPA-SUSAR-15D pd1", "initial", "superseded", "2026-03-17"),
        ("NMPA-SUSAR-15D pd1", "awareness", "running", "2026-03-13"),
    ]  # fmt: skip
    assert site.told(since=6) == Counter([("clock_changed", "clock_superseded", name) for name in ("Officer", "Monitor")])


def test_a_deleted_event_ends_its_clocks(site: Site) -> None:
    site.cut(RELPD1="Y")
    site.cut(days=1, GONE="")
    assert [state for _, _, state, _ in site.clocks()] == ["cancelled"]
    assert {(kind, rule) for kind, rule, _ in site.told(since=6)} == {
        ("sae_deleted", "serious_event_deleted"), ("clock_changed", "clock_cancelled"),
    }  # fmt: skip


def test_backfill_raises_nothing_now_or_later(site: Site) -> None:
    site.cut(RELPD1="Y", backfill=True)
    site.cut(days=1, RELPD1="Y")
    assert site.n_alerts() == 0
    assert [state for _, _, state, _ in site.clocks()] == ["not_monitored"]
    assert watch(site.engine, CONFIG, site.at + timedelta(days=60)) == 0


def test_a_report_is_recorded_once_with_its_time(site: Site) -> None:
    site.cut(RELPD1="Y")
    with store.reading(site.engine) as session:
        (clock,) = clocks.clocks(session, "S1")
    at = T0 + timedelta(days=20)

    def meet(actor: str = "Officer", made: datetime | None = None) -> Any:
        return deciding.meet_clock(site.engine, CONFIG, clock.id, met_at=made, actor=actor, reason="CDE no. 7", at=at)

    for made, actor, message in (
        (at + timedelta(days=1), "Officer", "still to come"), (T0 - timedelta(days=1), "Officer", "before the sponsor was aware"),
        (None, "One", "One is an investigator and may not meet clock"),
    ):  # fmt: skip
        with pytest.raises(DecisionError, match=message):
            meet(actor, made)
    done = meet(made=T0 + timedelta(days=3))
    assert (done.clock.met_at, done.clock.closed_by, done.clock.close_reason) == (T0 + timedelta(days=3), "Officer", "CDE no. 7")
    with pytest.raises(DecisionError, match="does not run: it is met"):
        meet()


@pytest.mark.parametrize(
    "change", ["due_at = '2027-01-01 00:00:00+00:00'", "aware_at = '2025-01-01 00:00:00+00:00'", "rule_id = 'x'"]
)
def test_not_even_the_database_moves_a_due_date(site: Site, change: str) -> None:
    site.cut(RELPD1="Y")
    for statement in (f"UPDATE clock SET {change}", "DELETE FROM clock"):
        with (
            pytest.raises(SQLAlchemyError, match="a clock is never moved or removed"),
            store.transaction(site.engine, actor="somebody", reason="why not", at=T0) as session,
        ):
            session.connection().execute(text(statement))


@pytest.mark.parametrize(
    ("matter", "value", "component", "actor", "message"),
    [
        (Matter.SUSAR, "no", "pd1", "One", "One is an investigator and may not override case"),
        (Matter.SUSAR, "no", "", "Rev", "is of one component; name it with --component: lenvatinib, pd1"),
        (Matter.SERIOUSNESS, "no", "", "Rev", "only the site can correct that"),
        (Matter.SUSAR, "no", "pd1", "Nobody", "'Nobody' is not a person"),
    ],
)
def test_decisions_that_are_refused(site: Site, matter: Matter, value: str, component: str, actor: str, message: str) -> None:
    site.cut(RELPD1="Y")
    with pytest.raises(DecisionError, match=message):
        site.says(matter, value, component, actor)
    assert [state for _, _, state, _ in site.clocks()] == ["running"]


def test_what_a_person_decided_stands_in_the_listing_of_the_board(site: Site) -> None:
    def listed() -> list[dict[str, Any]]:
        tables = all_tables(freeze_study(site.engine, "S1", None))
        assert tables["overview"].frame.filter(row="Any SAE (AESER=Y or any criterion)")["n"].to_list() == [0]
        return tables["sae_listing"].frame.to_dicts()

    site.cut(RELPD1="Y", AESER="N", AESHOSP="N")
    assert listed() == []
    site.says(Matter.SERIOUSNESS, "yes")
    (row,) = listed()
    assert (row["ser_any"], row["ser_decided"]) == (False, True)
    for value, expected in (("yes", True), ("no", False)):
        site.says(Matter.EXPECTEDNESS, value, "pd1")
        (row,) = listed()
        assert (row["expected_pd1"], row["expected_why_pd1"]) == (expected, "Rev: why")
        assert row["expected_why_lenvatinib"] != "Rev: why"
    site.says(Matter.EXPECTEDNESS, None, "pd1")
    assert listed()[0]["expected_why_pd1"] != "Rev: why"
    site.says(Matter.SERIOUSNESS, None)
    assert listed() == []


def test_a_person_calls_serious_what_the_site_does_not(site: Site) -> None:
    site.cut(RELPD1="Y", AESER="N", AESHOSP="N")
    assert site.n_alerts() == 0
    found = site.says(Matter.SERIOUSNESS, "yes")
    assert found.serious
    assert {(kind, rule) for kind, rule, _ in site.told()} == {
        ("sae_upgraded", "upgraded_to_serious"),
        ("susar", "susar_suspected"),
    }
    n_alerts = site.n_alerts()
    site.cut(days=1, RELPD1="Y", AESER="N", AESHOSP="N")
    assert site.n_alerts() == n_alerts
    site.says(Matter.SERIOUSNESS, None)
    assert ("sae_downgraded", "no_longer_serious", "One") in site.told(since=n_alerts)


def test_reminders_and_overdue_are_owed_once_each(site: Site) -> None:
    site.cut(RELPD1="Y")
    due_at = datetime(2026, 3, 17, 16, 0, tzinfo=UTC)
    points = {"three days": -71, "one day": -23, "the hour after": 1, "a day later": 25, "after a week off": 24 * 8}
    found = {}
    for name, hours in points.items():
        at = due_at + timedelta(hours=hours)
        found[name] = (watch(site.engine, CONFIG, at), watch(site.engine, CONFIG, at))
    assert found == {
        "three days": (2, 0),
        "one day": (2, 0),
        "the hour after": (3, 0),
        "a day later": (3, 0),
        "after a week off": (3, 0),
    }
    kinds = Counter(kind for kind, _, _ in site.told(since=6).elements())
    assert kinds == {"clock_reminder": 4, "clock_overdue": 9}


DRAFT = SaeDraft(
    study_id="S1", usubjid="S1-1", term="Stroke", grade=4, criteria=("LIFE_THREATENING",), aware_at=T0 - timedelta(days=2),
    opened_at=T0 - timedelta(days=1), opened_by="officer", reason="phoned by the site",
)  # fmt: skip


def test_a_draft_gives_its_awareness_to_the_record_and_ends_with_it(site: Site) -> None:
    site.cut(GONE="")
    deciding.draft_case(site.engine, CONFIG, DRAFT)
    site.cut(days=1, RELPD1="Y")
    assert site.clocks() == [("NMPA-SUSAR-15D pd1", "initial", "running", "2026-03-15")]
    with store.reading(site.engine) as session:
        (found,) = clocks.drafts(session, "S1")
    assert (found.draft.state, found.draft.aeseq, found.draft.closed_by) == (DraftState.REPORTED, 1, "import")


def test_a_draft_that_waits_is_told_each_day_until_it_is_closed(site: Site) -> None:
    site.cut(GONE="")
    number = deciding.draft_case(site.engine, CONFIG, DRAFT)
    opened = DRAFT.opened_at
    owed = [watch(site.engine, CONFIG, opened + timedelta(hours=hours)) for hours in (23, 24, 30, 47, 48, 49)]
    assert owed == [0, 2, 0, 0, 2, 0]
    assert {name for _, _, name in site.told()} == {"One", "Officer"}
    with pytest.raises(DecisionError, match="no event with AESEQ 9"):
        deciding.close_draft(site.engine, CONFIG, number, aeseq=9, actor="Officer", reason="x", at=T0)
    deciding.close_draft(site.engine, CONFIG, number, aeseq=None, actor="Officer", reason="a mistake", at=T0)
    assert watch(site.engine, CONFIG, opened + timedelta(days=9)) == 0
    with pytest.raises(DecisionError, match="no open draft has the number"):
        deciding.close_draft(site.engine, CONFIG, number, aeseq=None, actor="Officer", reason="x", at=T0)


def test_drafts_that_are_refused(site: Site) -> None:
    site.cut(GONE="")
    for change, message in (
        ({"usubjid": "S1-9"}, "has no subject S1-9"), ({"opened_by": "Two"}, "Two answers for site 02"),
        ({"aware_at": T0 + timedelta(days=9)}, "still to come"),
    ):  # fmt: skip
        with pytest.raises(DecisionError, match=message):
            deciding.draft_case(site.engine, CONFIG, DRAFT.model_copy(update=change))


def test_a_receipt_that_names_a_later_time_is_asked_about_and_moves_nothing(site: Site) -> None:
    site.cut(RELPD1="Y", receipt={"SPONSOR_AWARE_AT": "2026-03-01T09:30"})
    site.cut(days=1, RELPD1="Y", receipt={"SPONSOR_AWARE_AT": "2026-03-05"})
    assert site.clocks() == [("NMPA-SUSAR-15D pd1", "initial", "running", "2026-03-16")]
    with store.reading(site.engine) as session:
        asked = {each.query.check_id for each in stored_queries(session, "S1")}
    assert "AWARENESS_MOVED_LATER" in asked


def test_backfill_ends_no_clock_that_runs(site: Site) -> None:
    site.cut(RELPD1="Y")
    n_alerts = site.n_alerts()
    site.cut(days=1, GONE="", backfill=True)
    assert ([state for _, _, state, _ in site.clocks()], site.n_alerts()) == (["running"], n_alerts)
    site.cut(days=1, GONE="")
    assert [state for _, _, state, _ in site.clocks()] == ["cancelled"]
    assert {rule for _, rule, _ in site.told(since=n_alerts)} == {"clock_cancelled"}
    again = site.n_alerts()
    site.cut(days=1, GONE="")
    assert site.n_alerts() == again


def test_a_clock_alone_is_reason_enough_to_commit(site: Site) -> None:
    """The same data under new rules: jurisdictions are configured later, and history is recorded without a mail."""
    (site.folder / "study.yaml").write_text(STUDY.replace("jurisdictions: [NMPA]", ""), encoding="utf-8")
    site.cut(RELPD1="Y")
    assert site.clocks() == []
    (site.folder / "study.yaml").write_text(STUDY, encoding="utf-8")
    site.cut(days=1, RELPD1="Y", backfill=True)
    assert [state for _, _, state, _ in site.clocks()] == ["not_monitored"]
