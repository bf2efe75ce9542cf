"""Instruments that people use for causality, beside the model: Naranjo, WHO-UMC and the updated RUCAM.

Every item keeps its answer, the evidence behind it and whether a person gave it or the data did. An answer that is not known
scores what the instrument gives it, is named, and the result says between which totals it may still move.
"""

from safety_monitor.attribution.instruments.items import Answered, Item, Result
from safety_monitor.attribution.instruments.naranjo import naranjo
from safety_monitor.attribution.instruments.prefill import Liver, prefill_naranjo, prefill_rucam, prefill_who_umc
from safety_monitor.attribution.instruments.rucam import r_ratio, rucam, rucam_form
from safety_monitor.attribution.instruments.who_umc import WhoUmc, who_umc

__all__ = [
    "Answered",
    "Item",
    "Liver",
    "Result",
    "WhoUmc",
    "naranjo",
    "prefill_naranjo",
    "prefill_rucam",
    "prefill_who_umc",
    "r_ratio",
    "rucam",
    "rucam_form",
    "who_umc",
]
