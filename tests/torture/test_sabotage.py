"""The campaign itself is tried: a program that loses, forgets, misleads or repeats mails does not pass."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def counts_of(way: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.torture.sabotage", way, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_an_honest_program_passes(tmp_path: Path) -> None:
    counts = counts_of("honest", tmp_path)
    assert counts["good"], counts
    assert counts["owed"] > 3


@pytest.mark.parametrize(
    ("way", "told_by"),
    [
        ("forgets_a_row", "not_in_outbox"),
        ("marks_before_it_sends", "lost"),  # what the server refused at first is never tried again
        ("sends_to_somebody_else", "wrong_recipients"),
        ("sends_twice", "unexplained_repeats"),
    ],
)
def test_a_spoiled_program_is_found_out(way: str, told_by: str, tmp_path: Path) -> None:
    counts = counts_of(way, tmp_path)
    assert not counts["good"]
    assert counts[told_by] > 0, counts
