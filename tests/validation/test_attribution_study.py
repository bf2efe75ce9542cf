"""The validation study in small: the simulator stands apart, and the engine is better than its rivals and calibrated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VALIDATION = Path(__file__).parents[2] / "validation"


def test_the_short_study() -> None:
    """Exit 0: more often right and of a lower Brier score than each of the three rivals, calibration error below 0.1."""
    done = subprocess.run(
        [sys.executable, str(VALIDATION / "validate_attribution.py"), "--short"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| the engine |" in done.stdout


def test_the_simulator_uses_nothing_of_the_engine() -> None:
    said = (VALIDATION / "attribution_trials.py").read_text("utf-8")
    assert "import safety_monitor" not in said
    assert "from safety_monitor" not in said
