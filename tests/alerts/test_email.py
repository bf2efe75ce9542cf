"""The mail of every alert kind and rule, in both languages: headers, both parts, and what stays out."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pytest

from safety_monitor.alerts.email import compose, words_of
from safety_monitor.alerts.routing import owe
from safety_monitor.config import MailSettings
from safety_monitor.rules.escalation import WHY
from safety_monitor.vocabulary import AlertKind, Outcome, Seriousness

MAIL = MailSettings(sender="Safety Monitor 安全 <safety@sponsor.org>", link="https://sm.sponsor.org/alerts/")
LANGUAGES = ("en", "zh")


def parts(message):
    """The text part and the HTML part."""
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    return [text.replace("\r\n", "\n"), html]


class Text(HTMLParser):
    """The words of an HTML part; fails on tags that are not closed."""

    def __init__(self, html):
        super().__init__()
        self.found, self.open = [], []
        self.feed(html)
        assert self.open == []
        self.words = " ".join("".join(self.found).split())

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.found.append(data)


def test_headers(addressed, at):
    alert = addressed()
    message = message_from_bytes(compose(alert, MAIL, at).as_bytes(), policy=default)
    assert dict(message.items()) == {
        "From": "Safety Monitor 安全 <safety@sponsor.org>",
        "To": "Chen <chen@example.org>",
        "Subject": "[S1] New SAE: Pneumothorax, grade 3 (subject S1-01-003, site 01)",
        "Date": "Mon, 02 Mar 2026 01:40:00 +0000",
        "Message-ID": alert.message_id,
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Importance": "high",
        "X-Safety-Monitor-Study": "S1",
        "X-Safety-Monitor-Alert": "sae_new; rule=new_serious_event",
        "MIME-Version": "1.0",
        "Content-Type": message["Content-Type"],
    }
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_composed_twice_it_is_the_same_bytes_and_goes_through_any_relay(addressed, person, at, language):
    alert = addressed(to=person("Wang", "medical_monitor", language=language))
    content = compose(alert, MAIL, at).as_bytes()
    assert content == compose(alert, MAIL, at).as_bytes()
    assert content.isascii()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998  # RFC 5322 2.1.1
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_what_the_reader_needs_is_in_both_parts(addressed, event, at):
    alert = addressed(
        event(), event(version=2, grade=5, fatal=True, outcome="FATAL", serious_basis=("DEATH",))
    )
    for text in parts(compose(alert, MAIL, at)):
        text = Text(text).words if text.startswith("<!DOCTYPE") else text
        for wanted in (
            "S1", "01", "S1-01-003", "Pneumothorax", "FATAL: Serious adverse event changed",
            "results in death", "2026-02-27", "The event is now reported as fatal.", "24 hours",
            "2026-03-03 09:40 (Asia/Shanghai)",
            alert.ack_code, "safety-monitor alerts ack",
        ):  # fmt: skip
            assert wanted in text, wanted
    text, html = parts(compose(alert, MAIL, at))
    assert "  - Grade: 3 -> 5\n" in text
    assert f'href="https://sm.sponsor.org/alerts/{alert.ack_code}"' in html


@pytest.mark.parametrize(
    ("role", "sites", "wanted"),
    [("investigator", ("01",), "Send the SAE report form"), ("medical_monitor", (), "assess causality")],
)
def test_the_task_is_the_readers_own(addressed, person, at, role, sites, wanted):
    text, _ = parts(compose(addressed(to=person("Wu", role, sites=sites)), MAIL, at))
    assert wanted in text


LINES = {"en": ["Advice, not an order - pd1: hold. [a label; read]"], "zh": ["仅供参考，非医嘱 - pd1：暂停。"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_is_said_in_the_readers_language_in_both_parts(addressed, event, person, at, language):
    told = event(advice=LINES, immune="candidate")
    alert = addressed(after=told, to=person("Wang", "medical_monitor", language=language))
    words = words_of(language)
    text, html = parts(compose(alert, MAIL, at))
    for part in (text, Text(html).words):
        assert LINES[language][0] in part
        assert words["advice"] in part
        assert words["immune"]["candidate"] in part


def test_no_advice_where_there_is_none_or_the_event_is_no_longer_serious(addressed, event, at):
    heading = words_of("en")["advice"]
    for alert in (addressed(), addressed(event(), event(version=2, serious=False, serious_basis=(), advice=LINES))):
        assert heading not in "".join(parts(compose(alert, MAIL, at)))


CLOCK = {
    "rule_id": "NMPA-SUSAR-15D", "pack": "China NMPA", "component": "pd1", "number": 1, "cause": "initial",
    "says": {"en": "SUSAR to CDE", "zh": "SUSAR 报告药审中心"}, "time": "15 days", "source": "x", "day_zero": "2026-03-02",
    "aware_basis": "import", "due": "2026-03-17 (Asia/Shanghai)", "due_at": "2026-03-17T16:00+00:00",
    "state": "running", "reason": "",
}  # fmt: skip
#: Mails about no single event, and what they must show.
OF_STUDY = {"digest": "NMPA-SUSAR-15D", "stopping": "any death", "report": "/reports/S1.pdf"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("known", [True, False])
def test_every_kind_in_every_language_with_all_or_nothing_known(person, at, language, kind, known):
    about = {
        "siteid": "01", "usubjid": "S1-01-003", "aeseq": 4, "term": "Pneumothorax", "grade": 3,
        "serious": True, "serious_basis": [c.name for c in Seriousness], "fatal": False, "onset": "2026-02",
        "outcome": "UNKNOWN",
        "changes": [{"field": "related:pd1", "before": "N", "after": None}],
    }  # fmt: skip
    payload = about if known else dict.fromkeys(about)
    payload |= {
        "timezone": "UTC", "site_hours": 24, "where": "ae.csv row 2: AESEQ is blank", "why": "",
        "changes": about["changes"] if known else [],
        "stuck": {"name": "Wu", "email": "wu@example.org", "n_failures": 5, "reply": "550 no"},
        "clocks": [CLOCK], "judgements": [{"component": "pd1", "related": "yes", "expected": "unknown"}],
        "items": [{**about, "id": 7, "rule_id": "grade_changed", "clocks": [CLOCK]}], "of": "sae_changed",
        "stopping": {"says": "any death", "n_events": 3, "n_treated": 20, "boundary": 4 if known else None},
        "report": {"name": "S1-dsmb.pdf", "period": "2026-03-02", "sha256": "ab" * 32, "attach": "link",
                   "place": "/reports/S1.pdf"},
    }  # fmt: skip
    alert = owe(
        person("Wang", "medical_monitor", language=language), (kind, known), sender=MAIL, kind=kind,
        rule_id="grade_changed", payload=payload, at=at, study_id="S1",
    )  # fmt: skip
    message = compose(alert, MAIL, at)
    words = words_of(language)["kind"][kind.value]
    assert words["short"] in message["Subject"]
    text, html = parts(message)
    for part in (text, Text(html).words):
        assert words["headline"] in part
        assert words["sponsor"] in part
        assert "None" not in part
        if kind.value in OF_STUDY:
            assert OF_STUDY[kind.value] in part
        else:
            assert "wu@example.org" in part
            assert CLOCK["rule_id"] in part
            assert CLOCK["says"][language] in part


def test_the_languages_say_the_same_things():
    def keys(node, path=""):
        if not isinstance(node, dict):
            return {path}
        return {key for name, value in node.items() for key in keys(value, f"{path}.{name}")}

    english, chinese = (words_of(language) for language in LANGUAGES)
    assert keys(english) == keys(chinese)
    assert set(english["kind"]) == {kind.value for kind in AlertKind}
    assert set(english["rule"]) == set(WHY)
    assert set(english["criterion"]) == {c.name for c in Seriousness} | {"FLAGGED_ONLY", "NOT_FLAGGED"}
    assert set(english["outcome"]) == set(Outcome)
    placeholders = re.compile(r"\{(\w+)\}")
    for name in ("subject_to", "site_due", "graded"):
        assert set(placeholders.findall(english[name])) == set(placeholders.findall(chinese[name]))


def test_the_mail_says_what_the_grade_means(addressed, event, at):
    alert = addressed(None, event(criterion="hospitalization indicated"))
    for text in parts(compose(alert, MAIL, at)):
        text = Text(text).words if text.startswith("<!DOCTYPE") else text
        assert "Grade 3 means any of" in text
        assert "hospitalization indicated" in text
    alert = addressed(None, event())
    assert all("means any of" not in text for text in parts(compose(alert, MAIL, at)))


def test_chinese_mail(addressed, person, at):
    message = compose(addressed(to=person("Wu", "investigator", sites=("01",), language="zh")), MAIL, at)
    assert message["Subject"] == "[S1] 新发 SAE：Pneumothorax，3 级（受试者 S1-01-003，中心 01）"
    text, html = parts(message)
    assert "严重性标准：需住院或延长住院" in text
    assert '<html lang="zh">' in html


def test_text_from_the_data_cannot_become_a_header_or_a_tag(addressed, event, at):
    alert = addressed(after=event(term="Rash\r\nBcc: all@example.org <b>x</b>", usubjid='<script>"'))
    message = compose(alert, MAIL, at)
    assert message["Bcc"] is None
    assert "Rash Bcc: all@example.org" in message["Subject"]
    html = parts(message)[1]
    assert "<script>" not in html
    assert "<b>" not in html


@pytest.mark.parametrize("name", ["王 小明", 'O\'Neil, "Bo" (PI)', "  Zoë  "])
def test_names_of_any_kind_stand_in_the_header(addressed, person, at, name):
    to = person("Chen", "safety_officer").model_copy(update={"name": name})
    message = message_from_bytes(compose(addressed(to=to), MAIL, at).as_bytes(), policy=default)
    (address,) = message["To"].addresses
    assert (address.display_name, address.addr_spec) == (name.strip(), "chen@example.org")


def test_unknown_is_said_to_be_unknown(addressed, event, at):
    after = event(grade=None, onset=None, outcome=None, siteid=None, serious_basis=())
    text, _ = parts(compose(addressed(after=after), MAIL, at))
    for line in ("Grade: not reported", "Onset: not reported", "Site: not reported"):
        assert line in text
    assert "Seriousness: flagged as serious, no criterion given" in text
