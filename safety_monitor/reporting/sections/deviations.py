"""Deviations from the protocol, consent and eligibility."""

from __future__ import annotations

from safety_monitor.reporting.sections import Material, Section

#: How many deviations are printed; the CSV beside the tables has all of them.
N_SHOWN = 60


def section(material: Material) -> Section:
    names = ("deviations", "deviation_listing", "eligibility", "conduct_checks")
    values = {name: material.tables[name] for name in names}
    listing = values["deviation_listing"].frame
    shown = {"listed": listing.head(N_SHOWN).to_dicts(), "n_listed": listing.height, "n_shown": min(N_SHOWN, listing.height)}
    return Section("deviations", "Protocol deviations, consent and eligibility", {**values, **shown})
