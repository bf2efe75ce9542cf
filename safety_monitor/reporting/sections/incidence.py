"""Cumulative incidence of first events, death competing: of grade 3 or worse, immune-mediated, serious."""

from __future__ import annotations

from typing import Any

from safety_monitor.reporting import figures
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.tables import COUNTING
from safety_monitor.reporting.tables.incidence import CURVE_RULE
from safety_monitor.reporting.wording import Words, t, words

#: The tables of each kind (subjects, curve), and what is drawn, in words.
KINDS: tuple[tuple[str, str, Words], ...] = (
    ("cif_data_grade3plus", "cumulative_incidence", words("First event of grade 3 or worse")),
    ("cif_data_immune", "cumulative_incidence_immune", words("First immune-mediated event")),
    ("cif_data_serious", "cumulative_incidence_serious", words("First serious event")),
)


def section(material: Material) -> Section:
    shown = [_shown(material, *kind) for kind in KINDS]
    return Section("incidence", words("Cumulative incidence of first events"), {"kinds": shown})


def _shown(material: Material, data: str, curve: str, label: Words) -> dict[str, Any]:
    table, subjects = material.tables[curve], material.tables[data].frame
    picture = None
    if subjects.height:
        picture = figures.cumulative_incidence(subjects["time"].to_list(), subjects["status"].to_list(), t(label))
    landmarks = table.frame.filter(table.frame["day"].is_in(COUNTING["incidence"]["at_days"])).to_dicts()
    counts = {state: subjects.filter(subjects["status"] == state).height for state in (1, 2, 0)}
    return {
        "label": label, "table": table, "picture": picture, "landmarks": landmarks, "counts": counts,
        "rule": words(CURVE_RULE, n=subjects.height),
    }  # fmt: skip
