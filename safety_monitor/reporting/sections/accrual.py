"""Accrual: how many were screened and treated, when and where, against the plan."""

from __future__ import annotations

from datetime import date

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section


def section(material: Material) -> Section:
    subjects, planned = material.snapshot.frames["subjects"], material.settings.accrual
    treated = subjects["first_treatment_on"].drop_nulls().to_list()
    consented = subjects["consented_on"].drop_nulls().to_list()
    until = material.snapshot.cutoff or max([*treated, *consented], default=date.min)
    span = (planned.begins, planned.ends) if planned.begins and planned.ends else None
    picture = figures.accrual_steps(treated, consented, until, planned.planned, span) if treated or consented else None
    months = material.tables["accrual"].frame.filter(SITEID="ALL")
    expected = months["expected"].drop_nulls()
    return Section(
        "accrual",
        "Accrual",
        {
            "picture": picture,
            "sites": material.tables["accrual_sites"],
            "months": material.tables["accrual"],
            "n_treated": int(subjects["treated"].sum()),
            "n_screened": subjects.height,
            "planned": planned,
            "expected": expected[-1] if expected.len() else None,
        },
    )
