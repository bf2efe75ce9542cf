"""One value is graded without anything that only tables, or the application, need. In a fresh process: imports stay."""

import subprocess
import sys

import pytest

HEAVY = ("polars", "pyarrow", "numba", "numpy", "narwhals", "pyspark", "sqlmodel", "safety_monitor")


@pytest.mark.parametrize("module", HEAVY)
def test_grading_one_value_does_not_load(module: str) -> None:
    script = (
        "import sys, ctcae_v403\n"
        "result, = ctcae_v403.grade('PLAT', 40, '10^9/L', lln=125)\n"
        "print(result.grade, *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert told[0] == "3"
    assert module not in told[1:]
