"""What the record of treatment says about one event: exposure of its subject to each component, seen from onset.

An onset that is not known to the day leaves the days unknown; no record of a component is "not exposed" only
where the domain that would hold it was imported.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files

from safety_monitor.attribution.evidence import Case, Exposure
from safety_monitor.records import AdverseEvent, PartialDate
from safety_monitor.rules.assembly import Exposure as Given
from safety_monitor.study import Component, StudySettings
from safety_monitor.vocabulary import ComponentKind

_DOMAIN = {ComponentKind.DRUG: "EX", ComponentKind.PROCEDURE: "PR"}


def case_of(event: AdverseEvent, given: Sequence[Given], settings: StudySettings, imported: Collection[str]) -> Case:
    """*event* as a case to be weighed; *given*: its subject's exposures, *imported*: the domains that exist."""
    start = PartialDate.parse(event.aestdtc) if event.aestdtc else None
    onset = start.day if start else None
    by_component = {c.name: [e for e in given if e.component == c.name] for c in settings.components}
    procedure = _nearest(
        [e for c in settings.components if c.kind is ComponentKind.PROCEDURE for e in by_component[c.name]], onset
    )
    drugs = [e for c in settings.components if c.profile == "pd1" for e in by_component[c.name]]
    pd1 = _nearest(drugs, onset)
    return Case(
        case_id=f"{event.usubjid}/{event.aeseq}",
        term=event.aedecod or event.aeterm,
        verbatim=event.aeterm,
        grade=event.grade,
        exposures={c.name: _seen(by_component[c.name], c, onset, imported) for c in settings.components},
        ablation_site=_word("site", procedure.location, "OTHER") if procedure else None,
        ablation_modality=_word("modality", procedure.treatment) if procedure else None,
        pd1_drug=pd1.treatment.strip().upper() if pd1 else None,
    )


def _seen(given: Sequence[Given], component: Component, onset: date | None, imported: Collection[str]) -> Exposure:
    if not given:
        return Exposure(exposed=False if _DOMAIN[component.kind] in imported else None)
    starts = [e.start_on for e in given if e.start_on]
    if onset is None or not starts:
        return Exposure(exposed=True)
    before = [e for e in given if e.start_on and e.start_on <= onset]
    ends = [min(e.end_on or e.start_on, onset) for e in before if e.start_on]
    ongoing = component.kind is ComponentKind.DRUG and any(e.end_on is None or e.end_on >= onset for e in before)
    last = (onset - max(ends)).days if ends else (onset - min(starts)).days
    return Exposure(exposed=True, days_since_first=(onset - min(starts)).days, days_since_last=last, ongoing=ongoing)


def _nearest(given: Sequence[Given], onset: date | None) -> Given | None:
    """The last exposure that began before onset, else the first one of all."""
    dated = sorted((e for e in given if e.start_on), key=lambda e: e.start_on or date.min)
    before = [e for e in dated if onset and e.start_on and e.start_on <= onset]
    return before[-1] if before else (dated[0] if dated else None)


def _word(kind: str, text: str | None, otherwise: str | None = None) -> str | None:
    """The word that *text* stands for, *otherwise* where it is none of them, None where it is blank."""
    upper = (text or "").upper()
    if not upper:
        return None
    return next((name for name, words in _words()[kind].items() if any(w in upper for w in words)), otherwise)


@cache
def _words() -> Mapping[str, Mapping[str, Sequence[str]]]:
    return tomllib.loads(files("safety_monitor.attribution").joinpath("words.toml").read_text("utf-8"))
