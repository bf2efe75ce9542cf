"""Causality instruments from file to file: one CSV row per case in, its scores, total and category out.

Columns: ``CASEID`` and one per item (``Q1`` to ``Q10``; the criteria of WHO-UMC; the items of RUCAM, with ``FORM`` or, to
choose it, ``ALT_X_ULN`` and ``ALP_X_ULN``). With a component, blank items of Naranjo and WHO-UMC are answered from the columns of
``attribute`` where those say so. A row that cannot be read is told, and every other row is scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from safety_monitor.attribution import Case
from safety_monitor.attribution.instruments import (
    Answered,
    Result,
    naranjo,
    prefill_naranjo,
    prefill_who_umc,
    r_ratio,
    rucam,
    rucam_form,
    who_umc,
)
from safety_monitor.attribution.instruments.items import tables
from safety_monitor.attribution.instruments.who_umc import CRITERIA
from safety_monitor.records import Rejection
from safety_monitor.study import Component
from safety_monitor.workflow.attributing import (
    Attributed,
    AttributionFileError,
    case_of_row,
    components_of,
    read_cases,
    write_csv,
)


def score_file(instrument: str, src: Path, out: Path, *, component: str | None = None) -> Attributed:
    """Scores every case of *src* with *instrument* (``naranjo``, ``who-umc`` or ``rucam``) and writes *out*."""
    table, rejections = read_cases(src, required=("CASEID",))
    n_read = table.height + len(rejections)
    parts = components_of(table.columns) if component else ()
    chosen = next((part for part in parts if component and part.name == component.lower()), None)
    if component and chosen is None:
        raise AttributionFileError(f"{src}: no columns of component {component!r}; add {component.upper()}_EXPOSED and others")
    written: list[dict[str, object]] = []
    for cells in table.iter_rows(named=True):
        row = {name: (text or "").strip() for name, text in cells.items() if isinstance(text, str)}
        try:
            case = case_of_row(row, parts) if chosen else None
            written.append({"CASEID": row["CASEID"], **_scored(instrument, row, case, chosen, parts)})
        except ValueError as error:
            remedy = "write one of the answers named, or leave the cell empty if unknown"
            rejections.append(Rejection(src.name, cells["#"], "(row)", row["CASEID"], str(error), remedy))
    write_csv(out, pl.DataFrame(written, infer_schema_length=None))
    return Attributed(n_read, len(written), tuple(rejections))


def _scored(
    instrument: str, row: Mapping[str, str], case: Case | None, component: Component | None, parts: Sequence[Component]
) -> dict[str, object]:
    if instrument == "who-umc":
        filled = prefill_who_umc(case, component, parts) if case and component else {}
        result = who_umc(_answers(CRITERIA, row, filled))
        said: dict[str, object] = {name.upper(): answer.answer for name, answer in result.answers.items()}
        return said | {"CATEGORY": result.category, "NEXT_HIGHER": result.next_higher or "", "FAILS": "; ".join(result.fails)}
    if instrument == "naranjo":
        answers, notes = prefill_naranjo(case, component, parts) if case and component else ({}, ())
        items = [item["id"] for item in tables()["naranjo"]["items"]]
        return _row_of(naranjo(_answers(items, row, answers), notes))
    form = row.get("FORM", "").lower()
    if not form:
        alt, alp = row.get("ALT_X_ULN", ""), row.get("ALP_X_ULN", "")
        if not (alt and alp):
            raise ValueError("neither FORM nor ALT_X_ULN and ALP_X_ULN is given, so the form is not known")
        form = rucam_form(r_ratio(alt_x_uln=float(alt), alp_x_uln=float(alp)))
    if form not in tables()["rucam"]:
        raise ValueError(f"FORM {form!r} is none; use hepatocellular or cholestatic")
    items = [item["id"] for item in tables()["rucam"][form]]
    return {"FORM": form} | _row_of(rucam(form, _answers(items, row, {})))


def _answers(items: Sequence[str], row: Mapping[str, str], filled: Mapping[str, Answered]) -> dict[str, Answered]:
    """A person's answer goes before what was read from the data."""
    own = {item: Answered(row[item.upper()], "as given") for item in items if row.get(item.upper())}
    return {**filled, **own}


def _row_of(result: Result) -> dict[str, object]:
    scores: dict[str, object] = {item.id.upper(): item.score for item in result.items}
    evidence = "; ".join(f"{item.id}: {item.evidence}" for item in result.items if item.evidence and item.prefilled)
    return scores | {
        "TOTAL": result.total, "CATEGORY": result.category, "LOWEST": result.range[0], "HIGHEST": result.range[1],
        "UNKNOWN": " ".join(result.unknown), "EVIDENCE": evidence, "NOTES": "; ".join(result.notes),
    }  # fmt: skip
