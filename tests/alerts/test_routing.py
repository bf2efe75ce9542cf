"""Who is told: by role, site, study and grade; never nobody. And the key that makes a mail recognisable."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from safety_monitor.alerts.routing import (
    UNADDRESSED,
    Owed,
    address,
    copy_for,
    default_routes,
    next_contacts,
    readdressed,
    recipients,
    site_hours,
)
from safety_monitor.config import Config, MailSettings, Route
from safety_monitor.rules.escalation import AlertDecision, decide_alerts
from safety_monitor.vocabulary import AlertKind, Role

INVESTIGATOR, OFFICER, MONITOR = Role.INVESTIGATOR, Role.SAFETY_OFFICER, Role.MEDICAL_MONITOR


@pytest.fixture
def staff(person):
    return (
        person("Inv01", "investigator", sites=("01", "03")),
        person("Inv02", "investigator", sites=("02",)),
        person("Chen", "safety_officer"),
        person("Elsewhere", "safety_officer", studies=("S9",)),
        person("Wang", "medical_monitor"),
        person("Li", "sponsor_reviewer"),
        person("Zhao", "data_manager", sites=("02",)),
        person("Board", "dsmb_member"),
    )


def decision(kind):
    return AlertDecision(AlertKind(kind), "a_rule", "why")


def names(people):
    return [person.name for person in people]


@pytest.mark.parametrize(
    ("kind", "siteid", "expected"),
    [
        ("sae_new", "01", ["Inv01", "Chen", "Wang"]),
        ("sae_upgraded", "02", ["Inv02", "Chen", "Wang"]),
        ("sae_changed", "03", ["Inv01", "Chen", "Wang"]),
        ("sae_new", "77", ["Chen", "Wang"]),  # a site without an investigator
        ("sae_new", None, ["Chen", "Wang"]),  # site not known: no investigator may see it
        ("sae_downgraded", "01", ["Inv01", "Chen", "Wang", "Li"]),
        ("sae_deleted", "01", ["Inv01", "Chen", "Wang", "Li"]),
        ("sae_row_rejected", "01", ["Inv01", "Chen"]),
        ("sae_row_rejected", "02", ["Inv02", "Chen", "Zhao"]),
        ("sae_row_rejected", None, ["Chen", "Zhao"]),
        ("alert_undelivered", "01", ["Chen", "Wang"]),
    ],
)
def test_default_routes(staff, event, kind, siteid, expected):
    assert names(recipients(decision(kind), event(siteid=siteid), "S1", staff, ())) == expected


def test_every_kind_has_a_default_route():
    by_the_job, by_delivery = AlertKind.REPORT, AlertKind.DIGEST  # to the recipients of a job, and of what a digest tells
    assert {kind for route in default_routes() for kind in route.kinds} | {by_the_job, by_delivery} == set(AlertKind)
    assert site_hours() == 24


@pytest.mark.parametrize(
    ("grade", "fatal", "expected"),
    [
        (3, False, ["Inv01"]),
        (4, False, ["Inv01", "Wang"]),
        (5, True, ["Inv01", "Wang"]),
        (2, True, ["Inv01", "Wang"]),  # a death is never filtered out
        (None, False, ["Inv01", "Wang"]),  # nor is a grade that nobody knows
    ],
)
def test_a_route_can_ask_for_a_grade(staff, event, grade, fatal, expected):
    routes = (Route(roles=(MONITOR,), min_grade=4), Route(kinds=(AlertKind.SAE_NEW,), roles=(INVESTIGATOR,)))
    found = recipients(decision("sae_new"), event(grade=grade, fatal=fatal), "S1", staff, routes)
    assert names(found) == expected


def test_whom_no_route_fits_goes_to_the_safety_officers(staff, event):
    routes = (Route(kinds=(AlertKind.SAE_NEW,), roles=(Role.DSMB_MEMBER,)),)
    assert names(recipients(decision("sae_deleted"), event(), "S1", staff, routes)) == ["Chen"]
    only_elsewhere = [p for p in staff if p.name != "Chen"]
    assert names(recipients(decision("sae_deleted"), event(), "S1", only_elsewhere, routes)) == ["Elsewhere"]
    assert recipients(decision("sae_deleted"), event(), "S1", [staff[-1]], routes) == ()


def test_an_address_is_written_to_once_whatever_roles_it_has(person, event):
    same = person("Chen", "medical_monitor").model_copy(update={"email": "CHEN@example.org"})
    people = (person("Chen", "safety_officer"), same)
    assert names(recipients(decision("sae_new"), event(), "S1", people, ())) == ["Chen"]


def owed(event):
    (new,) = decide_alerts(None, event)
    return Owed(new, event, 17)


def test_a_row_for_each_recipient_with_its_own_key(staff, event, study, at):
    alerts = address([owed(event())], study, Config(people=staff), at)
    assert [alert.recipient_email for alert in alerts] == [
        "inv01@example.org", "chen@example.org", "wang@example.org"
    ]  # fmt: skip
    first = alerts[0]
    assert first.unique_key == "S1|S1-01-003|4|1|new_serious_event|inv01@example.org"
    digest = hashlib.sha256(first.unique_key.encode()).hexdigest()
    assert first.message_id == f"<{digest[:40]}@localhost>"
    assert len({alert.message_id for alert in alerts}) == len({alert.ack_code for alert in alerts}) == 3
    assert (first.event_id, first.event_version, first.created_at, first.next_attempt_at) == (17, 1, at, at)


@pytest.mark.parametrize("changes", [{"version": 2}, {"aeseq": 5}, {"usubjid": "S1-01-004"}])
def test_another_event_or_version_is_another_mail(staff, event, study, at, changes):
    both = address([owed(event()), owed(event(**changes))], study, Config(people=staff[2:3]), at)
    assert len({alert.unique_key for alert in both}) == 2


def test_the_same_again_is_the_same_mail_whenever_it_is_decided(staff, event, study, at):
    config = Config(people=staff[2:3], mail=MailSettings(sender="S <s@sponsor.org>"))
    first, again = (
        address([owed(event())], study, config, moment)[0] for moment in (at, at.replace(year=2027))
    )
    assert (first.unique_key, first.message_id, first.ack_code) == (
        again.unique_key, again.message_id, again.ack_code
    )  # fmt: skip
    assert first.message_id.endswith("@sponsor.org>")


def test_no_narrative_reaches_the_outbox(staff, event, study, at):
    secret = event(verbatim="Zhang San fell at home", queries=("Which?",), relatedness={"pd1": "Y"})
    for alert in address([owed(secret)], study, Config(people=staff), at):
        assert "Zhang" not in alert.model_dump_json()


def test_nothing_is_lost_where_nobody_is_configured(person, staff, event, study, at):
    (alert,) = address([owed(event())], study, Config(), at)
    assert alert.recipient_email == UNADDRESSED
    assert readdressed(alert, Config()) == ()
    found = readdressed(alert, Config(people=staff))
    assert names(found) == ["Inv01", "Chen", "Wang"]
    copies = [copy_for(alert, someone, MailSettings(), at) for someone in found]
    assert len({copy.unique_key for copy in copies} | {alert.unique_key}) == 4
    assert [copy.payload["role"] for copy in copies] == ["investigator", "safety_officer", "medical_monitor"]


@pytest.mark.parametrize(
    ("failing", "step", "expected"),
    [
        ("inv01@example.org", 1, ["Chen"]),
        ("inv01@example.org", 2, ["Wang"]),
        ("inv01@example.org", 3, ["Li"]),
        ("inv01@example.org", 4, []),
        ("Chen@Example.org", 1, ["Wang"]),  # never to the address that fails
        ("wang@example.org", 2, ["Li"]),
    ],
)
def test_the_next_contact(staff, failing, step, expected):
    assert names(next_contacts(staff, "S1", failing, step)) == expected


def test_a_refused_row_is_its_own_mail_by_its_content(staff, event, study, at):
    refused = AlertDecision(
        AlertKind.SAE_ROW_REJECTED, "refused_row_looks_serious", "why", where="x", distinct="h1"
    )
    state = event(version=0, aeseq=None)
    items = [Owed(refused, state, None), Owed(replace(refused, distinct="h2"), state, None)]
    first, second = address(items, study, Config(people=staff[2:3]), at)
    assert first.unique_key == "S1|S1-01-003||h1|refused_row_looks_serious|chen@example.org"
    assert first.unique_key != second.unique_key
    assert first.event_version is None
