"""Advice on the events of a study as they are imported, for the mails about them (``rules.advising`` decides)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date

import polars as pl

from safety_monitor.attribution import disease_behind
from safety_monitor.records import AdverseEvent, Assessment, ComponentOpinion, PartialDate
from safety_monitor.rules import advising, causality
from safety_monitor.rules.advising import Advised, Occurrence
from safety_monitor.rules.assembly import Exposure, day
from safety_monitor.rules.assessment import is_related
from safety_monitor.rules.liver_questions import measurements
from safety_monitor.study import StudySettings


class Adviser:
    """All that is on record of a study, to be asked about one event at a time.

    *graded*: ``workflow.laboratory.GRADED``; *collected*: the domains that were imported.
    """

    def __init__(
        self, settings: StudySettings, events: Sequence[AdverseEvent], given: Sequence[Exposure], graded: pl.DataFrame,
        collected: Collection[str],
    ) -> None:  # fmt: skip
        self._settings, self._collected = settings, collected
        self._disease = settings.disease or disease_behind(settings.components, {})
        vitals = graded.filter(pl.col("domain") == "VS").unique(["row"], keep="first", maintain_order=True)
        self._measured = advising.measured_of(pl.concat([measurements(graded), vitals], how="diagonal"))
        self._given: defaultdict[str, list[Exposure]] = defaultdict(list)
        for exposure in given:
            self._given[exposure.usubjid].append(exposure)
        self._reports: defaultdict[tuple[str, str], list[tuple[int, date | None, date | None]]] = defaultdict(list)
        for event in events:
            self._reports[event.usubjid, event.aedecod or ""].append((event.aeseq, day(event.aestdtc), _end(event)))

    def on(self, event: AdverseEvent, assessment: Assessment, opinions: Sequence[ComponentOpinion]) -> Advised:
        """Immune flag and advice. *opinions*: the investigator's and the system's on this event."""
        system = {o.component: o.level for o in opinions if o.author == causality.SYSTEM}
        related = {}
        for component in self._settings.components:
            said = event.relatedness.get(component.name)
            opinion = is_related(said, self._settings) if said else None
            related[component.name] = advising.held_related(opinion, system.get(component.name))
        occurrence = Occurrence(
            term=event.aedecod or event.aeterm,
            verbatim=event.aeterm,
            organ_class=event.aebodsys,
            grade=event.grade,
            onset_on=assessment.onset_on,
            end_on=_end(event),
            fatal=assessment.fatal,
            immune=event.immune,
            life_threatening=event.aeslife,
            related=related,
            before=[(onset, end) for seq, onset, end in self._reports[event.usubjid, event.aedecod or ""] if seq != event.aeseq],
        )
        given, measured = self._given[event.usubjid], self._measured.get(event.usubjid, ())
        return advising.advise_event(occurrence, given, measured, self._settings, self._collected, self._disease)


def _end(event: AdverseEvent) -> date | None:
    return PartialDate.parse(event.aeendtc).latest if event.aeendtc else None
