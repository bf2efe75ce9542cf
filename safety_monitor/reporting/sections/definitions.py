"""Definitions and policies: how every number in the report was counted, with every switch, window and limit that was in force."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import ctcae_v403
from safety_monitor.reporting.codelists import CONDUCT
from safety_monitor.reporting.sections import Material, Section
from safety_monitor.reporting.stopping_words import how_of, label_of
from safety_monitor.reporting.tables.base import COUNTING

_DOMAINS = {
    "dispositions": "disposition (DS)", "exposures": "exposure (EX, PR)", "labs": "laboratory results (LB)",
    "vs": "vital signs (VS)", "eg": "electrocardiograms (EG)", "mh": "medical history (MH)", "cm": "concomitant medication (CM)",
    "rs": "tumour response (RS)", "sc": "subject characteristics (SC)", "suppdm": "supplemental demography (SUPPDM)",
    "dv": "protocol deviations (DV)",
    "ie": "eligibility criteria (IE)", "sae_receipt": "times of awareness of serious events (sae_receipt)",
}  # fmt: skip
#: What each setting of the grading policy says in words.
READINGS = {
    (
        "within_normal_range",
        "zero",
    ): "A value inside its normal range is grade 0 although an absolute cut-off lies inside the range.",
    ("within_normal_range", "cut_off"): "An absolute cut-off grades also inside the normal range.",
    ("baseline_arm", "outside_normal"): "Criteria relative to baseline count for values outside the normal range.",
    ("baseline_arm", "as_printed"): "Criteria relative to baseline count as printed.",
    ("baseline_arm", "off"): "Criteria relative to baseline are not used; the limits decide.",
    ("calcium", "corrected"): "Calcium is corrected for the albumin of the same day.",
    ("calcium", "as_reported"): "Calcium is graded as reported.",
    ("same_band", "lower"): "Where the same number fits two grades, the lower counts.",
    ("same_band", "higher"): "Where the same number fits two grades, the higher counts.",
    ("fasting", "as_stated"): "Glucose not stated as fasting is graded from grade 3 only.",
    ("fasting", "assume_fasting"): "Glucose is taken as fasting.",
    ("egfr", "computed"): "Where no eGFR was reported it is computed from creatinine, age and sex (CKD-EPI 2021).",
    ("egfr", "as_reported"): "eGFR is graded as reported.",
}


def section(material: Material) -> Section:
    frames, settings = material.snapshot.frames, material.settings
    policy = ctcae_v403.Policy.of(settings.lab_policy).switches()
    glossary: dict[str, Any] = tomllib.loads(files("safety_monitor.reporting").joinpath("glossary.toml").read_text("utf-8"))
    return Section(
        "definitions",
        "Definitions and policies",
        {
            "settings": settings,
            "preset": policy["preset"],
            "readings": [READINGS[pair] for pair in policy.items() if pair in READINGS],
            "others": [
                f"{switch} = {setting}"
                for switch, setting in policy.items()
                if switch != "preset" and (switch, setting) not in READINGS
            ],
            "present": [label for name, label in _DOMAINS.items() if name in frames],
            "absent": [label for name, label in _DOMAINS.items() if name not in frames],
            "stopping": [(label_of(rule), how_of(rule), rule.n_max) for rule in settings.stopping],
            "counting": COUNTING,
            "conduct": CONDUCT,
            "glossary": glossary,
            "versions": material.snapshot.versions,
            "cutoff": material.snapshot.cutoff,
        },
    )
