"""Adverse events as a site reports them: AE, its supplemental qualifiers, the truth beside it, awareness."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import ctcae_v403 as ctcae
from safety_monitor.simulate.assumptions import Assumptions, Cause
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.columns import Row, Tables, iso
from safety_monitor.simulate.course import Course, Event
from safety_monitor.simulate.treatment import COMPONENTS, DRUGS
from safety_monitor.vocabulary import ActionTaken

OPINIONS: dict[Cause, tuple[str, str]] = {
    "ABLATION": ("RELABL", "RELATED TO ABLATION"),
    "LENVATINIB": ("RELLEN", "RELATED TO LENVATINIB"),
    "PD1": ("RELPD1", "RELATED TO PD-1 INHIBITOR"),
}
ACTIONS: dict[Cause, tuple[str, str]] = {
    "LENVATINIB": ("ACNLEN", "ACTION TAKEN WITH LENVATINIB"),
    "PD1": ("ACNPD1", "ACTION TAKEN WITH PD-1 INHIBITOR"),
}
# AEACN holds one action; with two drugs it is the one that changes treatment most.
_STRONGEST = (
    ActionTaken.DRUG_WITHDRAWN,
    ActionTaken.DOSE_REDUCED,
    ActionTaken.DRUG_INTERRUPTED,
    ActionTaken.DOSE_NOT_CHANGED,
    ActionTaken.NOT_APPLICABLE,
)


def adverse_events(course: Course, facts: Assumptions, chance: Chance, tables: Tables) -> None:
    """Add the events of *course* to the tables ae, suppae, truth and sae_receipt."""
    person, study = course.person, facts.trial.id
    for seq, event in enumerate(course.events, start=1):
        key = {"USUBJID": person.usubjid, "AESEQ": str(seq)}
        related = [c for c in COMPONENTS if event.opinion[c]]
        action = min(event.action.values(), key=_STRONGEST.index)
        serious = {name: "Y" for name in event.criteria}
        tables["ae"].append(
            {
                "STUDYID": study,
                "DOMAIN": "AE",
                **key,
                "AETERM": chance.of(facts.terms[event.term].verbatim),
                "AEDECOD": event.term,
                "AEBODSYS": ctcae.term(event.term).soc,
                "AETOXGR": str(event.grade),
                "AESER": "Y" if serious else "N",
                "AEREL": "Y" if related else "N",
                "AEACN": action.value,
                "AEOUT": event.outcome.value,
                "AECONTRT": "Y" if event.medications else "N",
                "AESTDTC": iso(event.onset_on),
                "AEENDTC": iso(event.end_on),
                **serious,
            }
        )
        qualifiers: list[tuple[str, str, str]] = [
            (*OPINIONS[c], "Y" if event.opinion[c] else "N") for c in COMPONENTS
        ]
        qualifiers.append(("AEIRFL", "IMMUNE-RELATED AE", "Y" if event.immune else "N"))
        qualifiers += [(*ACTIONS[drug], event.action[drug].value) for drug in DRUGS]
        tables["suppae"] += [
            {
                "STUDYID": study,
                "RDOMAIN": "AE",
                "USUBJID": person.usubjid,
                "IDVAR": "AESEQ",
                "IDVARVAL": str(seq),
                "QNAM": name,
                "QLABEL": label,
                "QVAL": value,
                "QORIG": "CRF",
                "QEVAL": "INVESTIGATOR",
            }
            for name, label, value in qualifiers
        ]
        tables["truth"].append({**key, "AEDECOD": event.term, "CAUSE": event.cause})
        if serious and chance.happens(facts.conduct.awareness_share):
            tables["sae_receipt"].append({**key, **_receipt(event, course, facts, chance)})


def _receipt(event: Event, course: Course, facts: Assumptions, chance: Chance) -> Row:
    """When the site and then the sponsor knew, each on its own clock with its UTC offset."""
    conduct, there = facts.conduct, ZoneInfo(course.person.site.timezone)
    home = ZoneInfo(facts.trial.timezone)
    opened = datetime.combine(event.onset_on, time(conduct.receipt_clock), there)
    aware = opened + timedelta(hours=chance.between(conduct.site_aware_hours))
    told = aware.astimezone(ZoneInfo("UTC")) + timedelta(hours=chance.between(conduct.sponsor_aware_hours))
    return {"SITE_AWARE_AT": aware.isoformat(), "SPONSOR_AWARE_AT": told.astimezone(home).isoformat()}
