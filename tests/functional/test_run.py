"""run: delivers, beats, and ends in order when told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "safety-monitor"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_delivers_beats_and_stops(monitor, desk, ending):
    monitor("import", "data")
    with (desk / "log").open("w") as log:
        process = subprocess.Popen([SCRIPT, "run"], cwd=desk, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 60
        while len(list((desk / "mailbox").glob("*.eml"))) < 3 and time.monotonic() < until:
            assert process.poll() is None, (desk / "log").read_text()
            time.sleep(0.2)
        finding = next(f for f in monitor("doctor", "--json").json if f["what"] == "scheduler")
        assert finding["ok"], finding
        asked = time.monotonic()
        process.send_signal(ending)
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - asked < 10
    finally:
        process.kill()
    assert len(list((desk / "mailbox").glob("*.eml"))) == 3
    assert {alert["state"] for alert in monitor("alerts", "list", "--json").json} == {"sent"}
    assert "Traceback" not in (desk / "log").read_text()


def test_it_does_not_start_on_a_database_of_another_version(monitor, desk):
    (desk / "safety_monitor.db").unlink()
    answer = monitor("run")
    assert answer.code == 1
    assert "safety-monitor init" in answer.err
