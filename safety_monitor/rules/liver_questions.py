"""What the liver screen asks: of the medical monitor about Hy's law, of the site about hepatitis B."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from safety_monitor.records import Query, Subject
from safety_monitor.rules.liver import hbv_flare, hys_law
from safety_monitor.rules.queries import ask
from safety_monitor.study import StudySettings

_NOT_DETECTED = re.compile(r"\s*(<|(target )?not detected|undetect|negative|below)", re.IGNORECASE)
_OPEN = {"bilirubin", "bilirubin limit"}
_DEFINITIONS = {"usual": "", "abnormal_baseline": " by the definition for an abnormal baseline"}


def measurements(graded: pl.DataFrame) -> pl.DataFrame:
    """The results of *graded* (``workflow.laboratory.GRADED``) as ``rules.liver`` reads them, one row each.

    A virus that was not detected is 0 and not unknown: only its rise is of interest, and it rises from there.
    """
    each = graded.filter(pl.col("domain") == "LB").unique(["row"], keep="first", maintain_order=True)
    absent = pl.col("result").map_elements(lambda text: _NOT_DETECTED.match(text) is not None, return_dtype=pl.Boolean)
    dna = pl.col("test").str.starts_with("HBV") & pl.col("x").is_null() & absent.fill_null(False)
    x = pl.when(dna).then(0.0).otherwise("x").alias("x")
    return each.select("usubjid", "test", "on", x, "unit", "lln", "uln", "is_baseline")


def people_of(subjects: Sequence[Subject], ablations: Mapping[str, Sequence[date]]) -> pl.DataFrame:
    """Subjects as ``rules.liver`` reads them. *ablations*: days of the study's procedures by subject."""
    return pl.DataFrame(
        [
            (subject.usubjid, subject.first_treatment_on, subject.last_treatment_on, subject.death_on,
             list(ablations.get(subject.usubjid, ())))
            for subject in subjects
        ],
        schema={"usubjid": pl.String, "first_treatment_on": pl.Date, "last_treatment_on": pl.Date, "death_on": pl.Date,
                "ablations": pl.List(pl.Date)},
        orient="row",
    )  # fmt: skip


def hbv_rises(
    graded: pl.DataFrame, subjects: Sequence[Subject], ablations: Mapping[str, Sequence[date]]
) -> list[tuple[str, date]]:
    """(subject, day) of every rise of HBV DNA."""
    found = hbv_flare(measurements(graded), people_of([subject for subject in subjects if subject.treated], ablations))
    return list(found.select("usubjid", "on").unique().sort("usubjid", "on").iter_rows())


def of_liver(
    graded: pl.DataFrame, subjects: Sequence[Subject], ablations: Mapping[str, Sequence[date]], settings: StudySettings
) -> list[Query]:
    """The questions: one a subject about Hy's law (the usual definition before the other), one for each rise of HBV DNA.

    An unknown ALP excludes nobody. Where the bilirubin is not known, Hy's law is not excluded either, and the site is asked for
    it; results without a limit of the aminotransferase are asked about as such.
    """
    treated = [subject for subject in subjects if subject.treated]
    values, people = measurements(graded), people_of(treated, ablations)
    values = values.join(people.select("usubjid"), on="usubjid", how="semi")
    sites = {subject.usubjid: subject.siteid for subject in treated}
    found = []
    candidates = hys_law(values, people).filter("candidate").unique(["usubjid"], keep="first", maintain_order=True)
    for row in candidates.sort("usubjid").iter_rows(named=True):
        needs = set(row["needs"].split(", "))
        if "aminotransferase limit" in needs:
            continue
        facts = {"hys_law": "open" if needs & _OPEN else "Y", "flare": None, "sentence": hys_law_sentence(row)}
        found += ask("liver", facts, study_id=settings.id, usubjid=row["usubjid"], siteid=sites[row["usubjid"]], about="Hy's law")
    for row in hbv_flare(values, people).sort("usubjid", "on").iter_rows(named=True):
        kind = "Hepatitis B flare" if row["kind"] == "hepatitis_flare" else "HBV DNA rises"
        sentence = f"{kind}: {row['why']} Please report what was done, and consider antiviral treatment and its start date."
        facts = {"hys_law": "N", "flare": row["kind"], "sentence": sentence}
        found += ask("liver", facts, study_id=settings.id, usubjid=row["usubjid"], siteid=sites[row["usubjid"]],
                     about=f"HBV DNA {row['on'].isoformat()}")  # fmt: skip
    return found


def hys_law_sentence(row: Mapping[str, Any]) -> str:
    """One candidate of ``liver.hys_law`` in words."""
    bilirubin = (
        f"bilirubin {row['bili_x_uln']:.1f} × ULN on {row['bili_on'].isoformat()}" if row["bili_x_uln"] is not None
        else "bilirubin not known"
    )  # fmt: skip
    alp = "ALP not known" if row["alp_x_uln"] is None else f"ALP {row['alp_x_uln']:.1f} × ULN"
    peak = "at a multiple of ULN that is not known" if row["ta_x_uln"] is None else f"{row['ta_x_uln']:.1f} × ULN"
    is_open = bool(set(row["needs"].split(", ")) & _OPEN)
    what = "Hy's law is not excluded" if is_open else "Candidate for Hy's law"
    parts = [
        f"{what}{_DEFINITIONS[row['definition']]}: {row['ta_test']} {peak} on {row['ta_on'].isoformat()}, "
        f"{bilirubin}, {alp}"
    ]
    if row["ta_x_baseline"] is not None:
        parts.append(f"{row['ta_test']} {row['ta_x_baseline']:.1f} × baseline")
    if row["r_ratio"] is not None:
        parts.append(f"R {row['r_ratio']:.1f} ({row['pattern']})")
    if row["days_since_first_treatment"] is not None:
        parts.append(f"{row['days_since_first_treatment']} days after first treatment")
    if row["days_since_ablation"] is not None:
        parts.append(f"{row['days_since_ablation']} days after the last ablation")
    needs = f" Not known: {row['needs']}." if row["needs"] else ""
    judge = "Please look for other causes, and judge whether it is a case."
    wanted = "Please give the bilirubin of these days." if is_open else judge
    return f"{'; '.join(parts)}.{needs} {wanted}"
