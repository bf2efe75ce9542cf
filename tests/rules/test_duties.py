"""Serious, related, unexpected: what has to be reported by which rule, and what people may decide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.records import AdverseEvent, CaseDecision, ComponentOpinion
from safety_monitor.rules.assessment import assess
from safety_monitor.rules.duties import Reporting, pack, packs, reporting_of
from safety_monitor.study import SettingsError, StudySettings
from safety_monitor.vocabulary import Matter, Role

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
COMPONENTS = [
    {"name": "ablation", "kind": "procedure", "profile": "ablation"}, {"name": "lenvatinib", "profile": "lenvatinib"},
    {"name": "pd1", "profile": "pd1"},
]  # fmt: skip


def study(*jurisdictions: str, **more: object) -> StudySettings:
    return StudySettings.of({"study": {"id": "S"}, "components": COMPONENTS, "jurisdictions": jurisdictions, **more})


def reporting(
    settings: StudySettings, related: dict[str, str], decisions: list[CaseDecision] = [], **event: Any  # noqa: B006
) -> Reporting:
    facts = {"aedecod": "Pneumonitis", "grade": 3, "aeser": True, "aeshosp": True, "aestdtc": "2026-03-01"} | event
    found = AdverseEvent(study_id="S", usubjid="S-01", aeseq=1, aeterm="x", **facts)
    opinions = [ComponentOpinion(component=name, author="investigator", level=level) for name, level in related.items()]
    return reporting_of(found, assess(found, None, settings), opinions, decisions, settings, {})


def rules(found: Reporting) -> set[tuple[str, str]]:
    return {(duty.rule.id, duty.component) for duty in found.duties}


def said(matter: Matter, value: str | None, component: str = "", at: datetime = AT) -> CaseDecision:
    return CaseDecision(
        subject_matter=matter, component=component, value=value, reason="why", given_by="Dr Wang",
        role=Role.SPONSOR_REVIEWER, at=at,
    )


ALL_NO = {"ablation": "N", "lenvatinib": "N", "pd1": "N"}
# Pneumonitis is listed for PD-1 up to grade 3, and not for lenvatinib.
WHO = [
    # related, event, SUSAR to, rules of NMPA
    (ALL_NO, {}, set(), {("NMPA-SITE-24H", "")}),
    (ALL_NO | {"pd1": "Y"}, {}, set(), {("NMPA-SITE-24H", "")}),  # expected
    (ALL_NO | {"pd1": "Y"}, {"grade": 4}, {"pd1"}, {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-15D", "pd1")}),
    (ALL_NO | {"lenvatinib": "Y"}, {}, {"lenvatinib"}, {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-15D", "lenvatinib")}),
    (
        ALL_NO | {"pd1": "Y"}, {"grade": 4, "aeslife": True}, {"pd1"},
        {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-7D", "pd1"), ("NMPA-SUSAR-7D-FOLLOW-UP", "pd1")},
    ),
    (
        ALL_NO | {"pd1": "Y"}, {"grade": 3, "aeout": "FATAL"}, {"pd1"},
        {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-7D", "pd1"), ("NMPA-SUSAR-7D-FOLLOW-UP", "pd1")},
    ),
    # a serious event whose criterion nobody gave may be life-threatening: both rules hold
    (
        ALL_NO | {"lenvatinib": "Y"}, {"aeshosp": None}, {"lenvatinib"},
        {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-7D", "lenvatinib"), ("NMPA-SUSAR-7D-FOLLOW-UP", "lenvatinib"),
         ("NMPA-SUSAR-15D", "lenvatinib")},
    ),
    ({"ablation": "N", "pd1": "N"}, {}, {"lenvatinib"}, {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-15D", "lenvatinib")}),  # silence
    (ALL_NO | {"ablation": "Y"}, {"aedecod": "Stroke"}, set(), {("NMPA-SITE-24H", "")}),  # a procedure has no SUSAR
    (ALL_NO | {"pd1": "Y"}, {"grade": None}, {"pd1"}, {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-15D", "pd1")}),
    (ALL_NO | {"pd1": "Y"}, {"grade": 5, "aeser": False, "aeshosp": None, "aedecod": "Stroke"}, {"pd1"},
     {("NMPA-SITE-24H", ""), ("NMPA-SUSAR-7D", "pd1"), ("NMPA-SUSAR-7D-FOLLOW-UP", "pd1")}),  # fatal, not flagged
    (dict.fromkeys(ALL_NO, "Y"), {"aeser": False, "aeshosp": None, "grade": 2}, set(), set()),  # not serious
]  # fmt: skip


@pytest.mark.parametrize(("related", "event", "susar", "duties"), WHO)
def test_duties_in_china(related: dict[str, str], event: dict[str, Any], susar: set[str], duties: set[tuple[str, str]]) -> None:
    found = reporting(study("NMPA"), related, **event)
    assert {each.component for each in found.judgements if each.susar} == susar
    assert rules(found) == duties


@pytest.mark.parametrize(
    ("name", "event", "more", "duties"),
    [
        ("EU_CTR", {}, {}, {("EU-SITE-24H", ""), ("EU-SUSAR-15D", "lenvatinib")}),
        ("FDA_IND", {}, {}, {("FDA-SUSAR-15D", "lenvatinib")}),
        ("FDA_IND", {"aeslife": True}, {}, {("FDA-SUSAR-7D", "lenvatinib"), ("FDA-SUSAR-15D", "lenvatinib")}),
        ("NCI_CTEP", {}, {"phase": 2}, {("CTEP-10D-HOSPITAL", "")}),
        ("NCI_CTEP", {"grade": 4}, {"phase": 2}, {("CTEP-24H", "lenvatinib"), ("CTEP-5D", "lenvatinib")}),
        ("NCI_CTEP", {"grade": 4}, {"phase": 1}, {("CTEP-P1-24H", ""), ("CTEP-P1-5D", "")}),
        ("NCI_CTEP", {}, {"phase": 1}, {("CTEP-P1-24H-HOSPITAL", "lenvatinib"), ("CTEP-P1-5D-HOSPITAL", "lenvatinib")}),
        ("NCI_CTEP", {"grade": 2, "aeser": False, "aeshosp": None}, {"phase": 1}, {("CTEP-P1-10D-UNEXPECTED", "lenvatinib")}),
        ("NCI_CTEP", {"grade": 2, "aeser": False, "aeshosp": None}, {"phase": 3}, set()),
        ("NCI_CTEP", {"grade": 4}, {}, {("CTEP-24H", "lenvatinib"), ("CTEP-5D", "lenvatinib"), ("CTEP-P1-24H", ""),
                                        ("CTEP-P1-5D", "")}),  # phase not configured: the rules of every phase
    ],
)  # fmt: skip
def test_duties_elsewhere(name: str, event: dict[str, Any], more: dict[str, Any], duties: set[tuple[str, str]]) -> None:
    assert rules(reporting(study(name, **more), ALL_NO | {"lenvatinib": "Y"}, **event)) == duties


@pytest.mark.parametrize(
    ("status", "event", "related", "duties"),
    [
        ("investigational", {}, "Y", {"NMPA-SITE-24H", "NMPA-DEVICE-SITE-24H", "NMPA-DEVICE-15D", "FDA-UADE-10WD"}),
        ("investigational", {"aeslife": True}, "Y", {"NMPA-SITE-24H", "NMPA-DEVICE-SITE-24H", "NMPA-DEVICE-7D", "FDA-UADE-10WD"}),
        ("investigational", {"aedecod": "Pneumothorax"}, "Y", {"NMPA-SITE-24H", "NMPA-DEVICE-SITE-24H", "NMPA-DEVICE-15D"}),
        ("investigational", {}, "N", {"NMPA-SITE-24H", "NMPA-DEVICE-SITE-24H"}),
        ("approved", {}, "Y", {"NMPA-SITE-24H"}),
        (None, {}, "Y", {"NMPA-SITE-24H"}),
    ],
)
def test_an_ablation_goes_the_way_of_devices(status: str | None, event: dict[str, Any], related: str, duties: set[str]) -> None:
    found = reporting(study("NMPA", "FDA_IND", device_status=status), ALL_NO | {"ablation": related}, **event)
    assert {rule for rule, _ in rules(found)} == duties


@pytest.mark.parametrize(
    ("decisions", "susar", "serious"),
    [
        ([said(Matter.EXPECTEDNESS, "yes", "lenvatinib")], False, True),
        ([said(Matter.SUSAR, "no", "lenvatinib")], False, True),
        ([said(Matter.SUSAR, "no", "pd1")], True, True),
        ([said(Matter.SUSAR, "no", "lenvatinib"), said(Matter.SUSAR, None, "lenvatinib", AT.replace(hour=9))], True, True),
        ([said(Matter.SUSAR, None, "lenvatinib"), said(Matter.SUSAR, "no", "lenvatinib", AT.replace(hour=9))], False, True),
        ([said(Matter.SERIOUSNESS, "no")], True, True),  # what a site reports as serious, nobody here makes light of
    ],
)
def test_what_people_decide(decisions: list[CaseDecision], susar: bool, serious: bool) -> None:
    found = reporting(study("NMPA"), ALL_NO | {"lenvatinib": "Y"}, decisions)
    assert (found.susar, found.serious) == (susar, serious)
    assert "lenvatinib" not in {duty.component for duty in found.duties} or susar


def test_a_person_may_call_an_event_serious_and_a_grade_worse_but_not_better() -> None:
    light = {"aeser": False, "aeshosp": None, "grade": 3}
    settings = study("NMPA")
    assert reporting(settings, ALL_NO | {"pd1": "Y"}, [said(Matter.SERIOUSNESS, "yes")], **light).serious
    worse = reporting(settings, ALL_NO | {"pd1": "Y"}, [said(Matter.GRADE, "4")])
    assert (worse.susar, worse.facts["grade"]) == (True, 4)
    better = reporting(settings, ALL_NO | {"pd1": "Y"}, [said(Matter.GRADE, "2")], grade=4)
    assert (better.susar, better.facts["grade"]) == (True, 4)


def test_the_reasons_name_every_input() -> None:
    (judged,) = [each for each in reporting(study("NMPA"), {"lenvatinib": "Y"}).judgements if each.component == "lenvatinib"]
    assert judged.why == "serious; related (investigator: Y); unexpected (not listed)"
    assert judged.expected.lists == ("shipped, lenvatinib, from 2018-08-20",)


@given(st.data())
def test_more_suspicion_never_takes_a_duty_away(data: st.DataObject) -> None:
    """Severity, relation and silence only ever add SUSARs."""
    settings = study("NMPA", "FDA_IND", "EU_CTR")
    words = data.draw(st.fixed_dictionaries({name: st.sampled_from(["N", "Y"]) for name in ALL_NO}))
    grade = data.draw(st.sampled_from([1, 2, 3, 4]))
    before = reporting(settings, words, grade=grade)
    name = data.draw(st.sampled_from(sorted(words)))
    suspicious = {**words, name: "Y"} if data.draw(st.booleans()) else {k: v for k, v in words.items() if k != name}
    after = reporting(settings, suspicious, grade=data.draw(st.integers(grade, 4)))
    assert {j.component for j in before.judgements if j.susar} <= {j.component for j in after.judgements if j.susar}


def test_packs_are_whole() -> None:
    ids = [rule.id for rules in packs().values() for rule in rules]
    assert len(ids) == len(set(ids))
    for rules in packs().values():
        for rule in rules:
            assert {"en", "zh"} == set(rule.says)
            assert sum(length is not None for length in (rule.days, rule.working_days, rule.hours)) == 1
            assert rule.source


def test_an_unknown_pack_names_the_nearest() -> None:
    assert pack("nci ctep") == packs()["NCI_CTEP"]
    with pytest.raises(SettingsError, match="no pack 'NMPR'; did you mean 'NMPA'"):
        pack("NMPR")
