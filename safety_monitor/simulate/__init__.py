"""A synthetic trial whose truth is known: ablation, lenvatinib and a PD-1 inhibitor in advanced HCC.

Writes SDTM-shaped CSV files with the component that caused each event beside them (``truth.csv``), and the
faults that were planted (``planted.csv``). Rates, windows, dose rules and laboratory kinetics stand with
their sources in ``simulation.toml``; no patient's data are in it. The same arguments give the same bytes.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     sorted(path.name for path in simulate(Path(folder), subjects=4, sites=2))[:5]
['ae.csv', 'cm.csv', 'dm.csv', 'ds.csv', 'dv.csv']
"""

from __future__ import annotations

import csv
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from safety_monitor.simulate.adverse import ACTIONS, OPINIONS
from safety_monitor.simulate.assumptions import Assumptions, Cause, assumptions
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.columns import COLUMNS, Row
from safety_monitor.simulate.course import live
from safety_monitor.simulate.domains import tabulate
from safety_monitor.simulate.faults import plant
from safety_monitor.simulate.people import enrol

__all__ = ["simulate"]


def simulate(
    out: Path, *, subjects: int = 40, sites: int = 4, seed: int = 20260701, dirty: bool = True
) -> list[Path]:
    """Write a trial of *subjects* (screen failures among them) at *sites* into the folder *out*.

    Files: one CSV for each of DM AE SUPPAE EX PR LB VS EG CM RS MH DS, ``truth.csv`` (USUBJID, AESEQ,
    AEDECOD, CAUSE), ``sae_receipt.csv``, ``planted.csv`` (only a header unless *dirty*) and ``study.yaml``.
    Existing files of these names are overwritten. Returns the paths written.

    Raises ValueError where *subjects* or *sites* is below 1 or *seed* is negative.
    """
    if subjects < 1 or sites < 1 or seed < 0:
        raise ValueError(
            f"cannot simulate subjects={subjects}, sites={sites}, seed={seed}: "
            "give at least 1 subject, at least 1 site and a seed of 0 or more"
        )
    facts = assumptions()
    if not dirty:
        tidy = tuple(site.model_copy(update={"local_units": False}) for site in facts.site)
        facts = facts.model_copy(update={"site": tidy})
    people = enrol(facts, subjects, sites, seed)
    courses = [live(person, facts, Chance(seed, person.number + 1, 0)) for person in people]
    tables = tabulate(courses, facts, seed)
    if dirty:
        plant(tables, facts, seed)
    out.mkdir(parents=True, exist_ok=True)
    written = [_write(out / f"{name}.csv", COLUMNS[name], rows) for name, rows in tables.items()]
    settings = out / "study.yaml"
    settings.write_text(
        yaml.safe_dump(_study(facts, subjects), sort_keys=False, allow_unicode=True), encoding="utf-8", newline="\n"
    )
    return [*written, settings]


def _write(path: Path, columns: tuple[str, ...], rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _study(facts: Assumptions, subjects: int) -> dict[str, Any]:
    trial, treatment = facts.trial, facts.treatment
    drugs = sorted({site.pd1 for site in facts.site})
    components: tuple[tuple[str, str, list[str], Cause], ...] = (
        ("ablation", "procedure", list(treatment.names.values()), "ABLATION"),
        ("lenvatinib", "drug", ["LENVATINIB"], "LENVATINIB"),
        ("pd1", "drug", drugs, "PD1"),
    )
    return {
        "study": {
            "id": trial.id,
            "title": trial.title,
            "timezone": trial.timezone,
            "cutoff": trial.cutoff_on,
        },
        "treatment_emergent": {"rule": "window", "days_after_last": trial.post_treatment_days},
        "grade": {"source": "AETOXGR"},
        "related": ["Y"],
        "terminology": "ctcae",
        "components": [
            {"name": name, "kind": kind, "profile": name, "match": match, "relatedness": OPINIONS[cause][0]}
            | ({"action": ACTIONS[cause][0]} if cause in ACTIONS else {})
            for name, kind, match, cause in components
        ],
        "immune_flag": "AEIRFL",
        "jurisdictions": list(trial.jurisdictions),
        "stopping": [rule | {"n_max": max(int(str(rule["n_max"])), subjects)} for rule in trial.stopping],
        "accrual": {
            "planned": max(trial.planned, subjects),
            "begins": trial.opened_on,
            "ends": trial.opened_on + timedelta(days=trial.accrual_days),
        },
    }
