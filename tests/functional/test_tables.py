"""tables: every report table of one study as CSV, at a cut-off."""

from __future__ import annotations

import csv

import pytest

PROMISED = {
    "overview", "ae_soc_pt_worst_grade", "related_ae_soc_pt_worst_grade", "sae_listing", "deaths", "exposure_adjusted",
    "lab_worst_grade", "lab_shift", "edish_peaks",
}  # fmt: skip


def overview(folder):
    with (folder / "overview.csv").open(encoding="utf-8", newline="") as file:
        return {row["row"]: row["n"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("name", ["hcc_synth_demo", "pilot_low", "onc_rcd_armB"])
def test_files_of_a_shared_study(monitor, tmp_path, shared, imported, monkeypatch, name):
    monkeypatch.setenv("SAFETY_MONITOR_DATABASE_URL", f"sqlite:///{imported(name)}")
    answer = monitor("tables", "--out", "tables", "--json")
    assert answer.code == 0
    written = {path.name for path in (tmp_path / "tables").iterdir()}
    assert written == set(answer.json["files"])
    assert {f"{table}.csv" for table in PROMISED} <= written
    with (shared / "reference/tables" / name / "overview.csv").open(encoding="utf-8", newline="") as file:
        worked = {row["row"]: row["n"] for row in csv.DictReader(file)}
    assert overview(tmp_path / "tables").items() >= worked.items()


def test_an_early_cut_off_leaves_later_events_out(monitor, desk):
    monitor("import", "data")
    for cutoff, n in (("2026-01-05", "0"), ("2026-01-06", "1"), ("2026-03-01", "2")):
        assert monitor("tables", "--out", cutoff, "--cutoff", cutoff).code == 0
        assert overview(desk / cutoff)["Any TEAE"] == n
    assert monitor("tables", "--out", "x", "--cutoff", "1 March").code == 2


def test_which_study(monitor, desk, put_study):
    none = monitor("tables", "--out", "out")
    assert none.code == 1
    assert "holds no study yet; run safety-monitor import" in none.err
    monitor("import", "data")
    monitor("import", put_study(desk / "other", "S2"))
    several = monitor("tables", "--out", "out")
    assert several.code == 1
    assert "name one with --study: S1, S2" in several.err
    unknown = monitor("tables", "--out", "out", "--study", "S3")
    assert unknown.code == 1
    assert "'S3' is not in the database" in unknown.err
    assert not (desk / "out").exists()
    assert monitor("tables", "--out", "out", "--study", "S2").code == 0


def test_a_file_in_the_way_is_a_refusal(monitor, desk):
    monitor("import", "data")
    (desk / "out").write_text("a file")
    answer = monitor("tables", "--out", "out")
    assert answer.code == 1
    assert "out" in answer.err
    assert "Traceback" not in answer.err
