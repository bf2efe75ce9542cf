"""demo: everything from a simulated trial to tables, mails and report, and where it is."""

from __future__ import annotations

import csv
from email import policy
from email.parser import BytesParser

import pikepdf


def test_every_result_is_where_it_says(demonstration):
    folder, said = demonstration
    for key in ("report", "tables", "rejects", "data", "database", "config", "mailbox"):
        assert (folder.parent / said[key]).exists(), key
    assert len(list((folder / "tables").glob("*.csv"))) == said["n_tables"]
    with pikepdf.open(folder / "dsmb-report.pdf") as report:
        assert len(report.pages) > 10


def test_each_serious_event_is_told_to_the_staff_and_its_own_site(demonstration, monitor):
    folder, said = demonstration
    with (folder / "tables" / "sae_listing.csv").open(encoding="utf-8", newline="") as file:
        serious = [(row["USUBJID"], int(row["AESEQ"])) for row in csv.DictReader(file)]
    with (folder / "data" / "dm.csv").open(encoding="utf-8", newline="") as file:
        site = {row["USUBJID"]: row["SITEID"] for row in csv.DictReader(file)}
    told = monitor("alerts", "list", "--config", folder / "config.yaml", "--json").json
    alerts = [alert for alert in told if alert["kind"].startswith("sae_")]
    owed = {(alert["usubjid"], alert["aeseq"], alert["recipient_email"]) for alert in alerts}
    assert serious
    assert owed == {
        (subject, number, to)
        for subject, number in serious
        for to in ("safety@example.org", "monitor@example.org", f"investigator-{site[subject]}@example.org")
    }
    mails = [BytesParser(policy=policy.default).parsebytes(p.read_bytes()) for p in (folder / "mailbox").glob("*.eml")]
    own_mail = [alert["message_id"] for alert in told if alert["digest_id"] is None]
    assert {mail["Message-ID"] for mail in mails} == set(own_mail)
    assert len(mails) == len(own_mail) == said["n_mails"] < len(told)  # the others stand in the digests
    assert {alert["state"] for alert in told} == {"sent"}


def test_the_planted_faults_are_refused_with_a_reason(demonstration):
    folder, said = demonstration
    with (folder / "rejects.csv").open(encoding="utf-8", newline="") as file:
        refused = list(csv.DictReader(file))
    assert len(refused) == said["n_rejected"] > 0
    assert list(refused[0]) == ["file", "row", "field", "value", "why", "remedy"]
    assert all(row["why"] and row["remedy"] for row in refused)


def test_a_folder_that_is_no_demonstration_is_left_alone(monitor, tmp_path):
    kept = tmp_path / "mine" / "notes.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    answer = monitor("demo", "--out", "mine")
    assert answer.code == 1
    assert "mine is not empty" in answer.err
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]
