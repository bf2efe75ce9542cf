"""A second way from SDTM files to a snapshot: plain Python, straight from the counting rules.

It shares no code with the pipeline beyond the settings and the Snapshot value, so that the tables can be
checked without the pipeline and the pipeline against it.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from safety_monitor.config import load_study
from safety_monitor.records import Snapshot
from safety_monitor.study import StudySettings

CRITERIA = ("aesdth", "aeslife", "aeshosp", "aesdisab", "aescong", "aesmie")
SUBJECTS = {
    "usubjid": pl.String, "siteid": pl.String, "country": pl.String, "sex": pl.String, "race": pl.String,
    "arm": pl.String, "age": pl.Float64, "consented_on": pl.Date, "first_treatment_on": pl.Date,
    "last_treatment_on": pl.Date, "death_on": pl.Date, "treated": pl.Boolean, "dthfl": pl.Boolean,
}  # fmt: skip
EVENTS = {
    **dict.fromkeys(("usubjid", "siteid", "aeterm", "aedecod", "aebodsys", "aerel", "aeacn", "aeout",
    "aestdtc",
                     "aeendtc"), pl.String),
    "aeseq": pl.Int64, "grade": pl.Int64, "aeser": pl.Boolean, **dict.fromkeys(CRITERIA, pl.Boolean),
    "immune": pl.Boolean, "onset_on": pl.Date, "treatment_emergent": pl.Boolean, "serious": pl.Boolean,
    "serious_as_flagged": pl.Boolean, "related": pl.Boolean, "fatal": pl.Boolean, "treated": pl.Boolean,
    "n_queries": pl.Int64,
}  # fmt: skip
LABS = {
    **dict.fromkeys(("usubjid", "lbtestcd", "lbspec", "lbdtc", "visit", "term", "direction", "reason",
    "criterion",
                     "basis", "flags", "unit"), pl.String),
    "lbseq": pl.Int64, "grade": pl.Int64, "baseline_grade": pl.Int64, "lbstresn": pl.Float64,
    "lbstnrlo": pl.Float64, "lbstnrhi": pl.Float64, "on": pl.Date, "is_baseline": pl.Boolean,
    "post_baseline": pl.Boolean,
}  # fmt: skip
DISPOSITIONS = dict.fromkeys(("usubjid", "dsdecod", "dsterm", "dscat"), pl.String) | {"on": pl.Date}

Row = dict[str, Any]


def snapshot_of(folder: Path, graded_labs: Path | None = None) -> Snapshot:
    """The study in *folder*; *graded_labs* is a file of graded records (term, grade), none means not
    collected.
    """
    settings = load_study(folder)
    assert settings is not None
    subjects = subject_rows(folder)
    frames = {
        "subjects": framed(subjects, SUBJECTS, ("usubjid",)),
        "events": framed(
            event_rows(folder, settings, subjects), event_schema(settings), ("usubjid", "aeseq")
        ),
        "dispositions": framed(
            [{**row, "on": day(row["dsstdtc"])} for row in rows(folder / "ds.csv")],
            DISPOSITIONS,
            ("usubjid",),
        ),
    }
    if graded_labs is not None:
        units = {(r["usubjid"], r["lbseq"]): r["lbstresu"] for r in rows(folder / "lb.csv")}
        frames["labs"] = framed(
            [lab_row(row, units) for row in rows(graded_labs)],
            LABS,
            ("usubjid", "lbtestcd", "on", "lbseq", "term"),
        )
    return Snapshot(settings.model_dump(mode="json"), settings.study.cutoff, frames, {"test": "1"})


def event_schema(settings: StudySettings) -> dict[str, Any]:
    names = [component.name for component in settings.components]
    return {
        **EVENTS,
        **{f"investigator_{name}": pl.String for name in names},
        **{f"related_{name}": pl.Boolean for name in names},
    }


def framed(content: list[Row], schema: dict[str, Any], order: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in content], schema=schema).sort(
        order
    )


def rows(path: Path) -> list[Row]:
    """Rows with lower-case names; blank is None."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{key.lower(): value or None for key, value in row.items()} for row in csv.DictReader(file)]


def day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text and len(text) >= 10 else None


def yes(text: str | None) -> bool | None:
    return {"Y": True, "N": False}.get(text or "")


def subject_rows(folder: Path) -> list[Row]:
    given = {
        r["usubjid"]
        for r in rows(folder / "ex.csv")
        if float(r["exdose"] or 0) > 0 or r["extrt"] == "PLACEBO"
    }
    if (folder / "pr.csv").exists():
        given |= {r["usubjid"] for r in rows(folder / "pr.csv")}
    return [
        {
            **row,
            "age": float(row["age"]) if row["age"] else None,
            "consented_on": day(row.get("rficdtc")),
            "treated": row["usubjid"] in given,
            "first_treatment_on": day(row["rfxstdtc"]) if row["usubjid"] in given else None,
            "last_treatment_on": day(row["rfxendtc"] or row["rfendtc"]) if row["usubjid"] in given else None,
            "death_on": day(row["dthdtc"]),
            "dthfl": row["dthfl"] == "Y",
        }
        for row in rows(folder / "dm.csv")
    ]


def onset(text: str | None, first: date | None) -> date | None:
    """Rule 4: a partial start is the earliest day it can be, but first treatment where that is possible."""
    if not text:
        return first
    if len(text) >= 10:
        return date.fromisoformat(text[:10])
    if first is not None and first.isoformat().startswith(text):
        return first
    return date.fromisoformat((text + "-01-01")[:10])


def event_rows(folder: Path, settings: StudySettings, subjects: list[Row]) -> list[Row]:
    extra: dict[tuple[str, str], Row] = {}
    for row in rows(folder / "suppae.csv"):
        extra.setdefault((row["usubjid"], row["idvarval"]), {})[row["qnam"].lower()] = row["qval"]
    who = {row["usubjid"]: row for row in subjects}
    rule = settings.treatment_emergent
    found = []
    for row in rows(folder / "ae.csv"):
        row |= extra.get((row["usubjid"], row["aeseq"]), {})
        subject = who[row["usubjid"]]
        started = onset(row["aestdtc"], subject["first_treatment_on"])
        reported = row[settings.grade.source.lower()]
        grade = settings.grade.map.get(reported) if settings.grade.map else reported and int(reported)
        if rule.rule == "flag":
            emergent = row.get(rule.variable.lower()) == "Y"
        elif subject["treated"]:
            until = subject["last_treatment_on"] + timedelta(days=rule.days_after_last)
            emergent = subject["first_treatment_on"] <= started <= until
        else:
            emergent = False
        opinions = {c.name: row.get((c.relatedness or "").lower()) for c in settings.components}
        found.append(
            {
                **row,
                **{name: yes(row.get(name)) for name in ("aeser", *CRITERIA)},
                **{f"investigator_{name}": said for name, said in opinions.items()},
                **{f"related_{name}": None if said is None else said.upper() in settings.related
                   for name, said in opinions.items()},
                "siteid": subject["siteid"],
                "aeseq": int(row["aeseq"]),
                "grade": grade,
                "immune": yes(row.get((settings.immune_flag or "").lower())),
                "onset_on": started,
                "treatment_emergent": emergent,
                "serious_as_flagged": row["aeser"] == "Y",
                "serious": "Y" in {row.get(name) for name in ("aeser", *CRITERIA)},
                "related": row["aerel"] is None or row["aerel"].upper() in settings.related,
                "fatal": row["aesdth"] == "Y" or row["aeout"] == "FATAL" or grade == 5,
                "treated": subject["treated"],
                "n_queries": 0,
            }
        )  # fmt: skip
    return found


def lab_row(row: Row, units: dict[tuple[str, str], str | None]) -> Row:
    numbers = {name: float(row[name]) if row[name] else None for name in ("lbstresn", "lbstnrlo", "lbstnrhi")}
    return {
        **row,
        **numbers,
        "lbseq": int(row["lbseq"]),
        "unit": units.get((row["usubjid"], row["lbseq"])),
        "grade": int(float(row["grade"])) if row["grade"] else None,
        "on": day(row["lbdtc"]),
        "is_baseline": row["bl"] == "True",
        "post_baseline": row["post"] == "True",
    }
