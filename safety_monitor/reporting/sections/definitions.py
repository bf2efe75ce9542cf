"""Definitions and policies: how every number in the report was counted."""

from __future__ import annotations

import ctcae_v403
from safety_monitor.reporting.sections import Material, Section

_DOMAINS = {
    "labs": "laboratory results (LB)", "vs": "vital signs (VS)", "eg": "electrocardiograms (EG)",
    "cm": "concomitant medication (CM)", "rs": "tumour response (RS)", "mh": "medical history (MH)",
    "dispositions": "disposition (DS)",
}  # fmt: skip


def section(material: Material) -> Section:
    absent = [label for name, label in _DOMAINS.items() if name not in material.snapshot.frames]
    return Section(
        "definitions",
        "Definitions and policies",
        {
            "settings": material.settings,
            "policy": ctcae_v403.Policy.of(material.settings.lab_policy).switches(),
            "absent": absent,
            "versions": material.snapshot.versions,
        },
        flows=True,
    )
