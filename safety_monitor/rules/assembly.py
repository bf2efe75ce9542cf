"""Records from accepted rows: subjects with their treatment dates, exposures by component, adverse events.

Safety population: at least one administration with a dose above zero (or placebo), or one procedure that is
a study component. First treatment is RFXSTDTC, last is RFXENDTC or else RFENDTC; where DM is silent, the
first and last dates of exposure stand in. (SDTM-IG 3.4; the counting rules are printed under each table.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from safety_monitor.records import AdverseEvent, PartialDate, Subject
from safety_monitor.rules.normalise import Row, flag, grade, supplemental, whole_number
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import ComponentKind, Seriousness

#: (term as reported, verbatim) -> (term, organ class, MedDRA code), or None where it cannot be coded.
Coder = Callable[[str | None, str], tuple[str, str, int] | None]


@dataclass(frozen=True, slots=True)
class Exposure:
    """One administration or procedure, and the study component it belongs to (None: to none).

    ``end_is_stated``: the record itself says when it ended; a blank end stands for the start.
    """

    usubjid: str
    domain: str
    seq: int
    treatment: str
    component: str | None
    dose: float | None
    unit: str | None
    frequency: str | None
    location: str | None
    start_on: date | None
    end_on: date | None
    end_is_stated: bool = True


def day(text: str | None) -> date | None:
    """The earliest date that *text* may mean; None where blank."""
    return PartialDate.parse(text).earliest if text else None


def exposures(ex: Iterable[Row], pr: Iterable[Row], settings: StudySettings) -> list[Exposure]:
    """All EX and PR rows, each with its component. A missing end is the start (a single administration)."""
    found = [_exposure("EX", ComponentKind.DRUG, row, settings) for row in ex]
    found += [_exposure("PR", ComponentKind.PROCEDURE, row, settings) for row in pr]
    return sorted(found, key=lambda e: (e.usubjid, e.domain, e.seq))


def _exposure(domain: str, kind: ComponentKind, row: Row, settings: StudySettings) -> Exposure:
    treatment = row.get(f"{domain}TRT") or ""
    component = next((c.name for c in settings.components if c.kind is kind and c.matches(treatment)), None)
    dose = row.get(f"{domain}DOSE")
    start = day(row.get(f"{domain}STDTC"))
    return Exposure(
        usubjid=row["USUBJID"] or "",
        domain=domain,
        seq=whole_number(row.get(f"{domain}SEQ")),
        treatment=treatment,
        component=component,
        dose=float(dose) if dose else None,
        unit=row.get(f"{domain}DOSU"),
        frequency=row.get(f"{domain}DOSFRQ"),
        location=row.get(f"{domain}LOC"),
        start_on=start,
        end_on=day(row.get(f"{domain}ENDTC")) or start,
        end_is_stated=bool(row.get(f"{domain}ENDTC")),
    )


def procedures(given: Iterable[Exposure]) -> dict[str, list[date]]:
    """The days of the procedures that are study components, by subject."""
    found: dict[str, list[date]] = {}
    for exposure in given:
        if exposure.domain == "PR" and exposure.component is not None and exposure.start_on is not None:
            found.setdefault(exposure.usubjid, []).append(exposure.start_on)
    return found


def subjects(dm: Iterable[Row], given: Sequence[Exposure], settings: StudySettings) -> list[Subject]:
    """One Subject per DM row, treated or not (screening failures stay, untreated)."""
    treatments: dict[str, list[Exposure]] = {}
    for exposure in given:
        if _counts_as_treatment(exposure):
            treatments.setdefault(exposure.usubjid, []).append(exposure)
    return sorted((_subject(row, treatments, settings) for row in dm), key=lambda s: s.usubjid)


def _counts_as_treatment(exposure: Exposure) -> bool:
    if exposure.domain == "PR":
        return exposure.component is not None
    if exposure.dose is None and exposure.component is not None:
        return True  # a dose that is not known is not zero
    return (exposure.dose or 0) > 0 or exposure.treatment.strip().upper() == "PLACEBO"


def _subject(row: Row, treatments: Mapping[str, Sequence[Exposure]], settings: StudySettings) -> Subject:
    usubjid = row["USUBJID"] or ""
    given = treatments.get(usubjid, ())
    starts = [e.start_on for e in given if e.start_on]
    ends = [e.end_on for e in given if e.end_on]
    first = day(row.get("RFXSTDTC")) or (min(starts) if starts else None)
    last = day(row.get("RFXENDTC")) or day(row.get("RFENDTC")) or (max(ends) if ends else None)
    return Subject(
        study_id=settings.id,
        usubjid=usubjid,
        siteid=row.get("SITEID"),
        country=row.get("COUNTRY"),
        age=float(age) if (age := row.get("AGE")) else None,
        sex=row.get("SEX"),
        race=row.get("RACE"),
        arm=row.get("ACTARM") or row.get("ARM"),
        consented_on=day(row.get("RFICDTC")),
        treated=bool(given),
        first_treatment_on=first if given else None,
        last_treatment_on=last if given else None,
        dthfl=flag(row.get("DTHFL")) is True,
        death_on=day(row.get("DTHDTC")),
    )


def events(ae: Iterable[Row], suppae: Sequence[Row], settings: StudySettings, code: Coder) -> list[AdverseEvent]:
    """AE rows with their supplemental qualifiers as events; coded only where the study codes to CTCAE."""
    extra = supplemental(suppae)
    return sorted((_event(row, extra, settings, code) for row in ae), key=lambda event: event.key)


def _event(
    row: Row, extra: Mapping[tuple[str, str, str], Mapping[str, str]], settings: StudySettings, code: Coder
) -> AdverseEvent:
    usubjid, aeseq = row["USUBJID"] or "", whole_number(row.get("AESEQ"))
    fields = {**row, **extra.get((usubjid, "AESEQ", str(aeseq)), {})}
    term, organ_class, meddra = row.get("AEDECOD"), row.get("AEBODSYS"), None
    if settings.terminology == "ctcae" and (coded := code(term, row.get("AETERM") or "")):
        term, organ_class, meddra = coded[0], organ_class or coded[1], coded[2]
    return AdverseEvent.model_validate(
        {
            "study_id": settings.id,
            "usubjid": usubjid,
            "aeseq": aeseq,
            "aegrpid": row.get("AEGRPID"),
            "aeterm": row.get("AETERM") or row.get("AEDECOD"),
            "aedecod": term,
            "aebodsys": organ_class,
            "meddra_code": meddra,
            "grade": grade(row.get(settings.grade.source), settings),
            **{name: flag(row.get(name.upper())) for name in ("aeser", *(c.value for c in Seriousness))},
            "aesosp": fields.get("AESOSP"),
            "aecontrt": _flag(row.get("AECONTRT")),
            **{name: row.get(name.upper()) for name in ("aerel", "aeacn", "aeout", "aestdtc", "aeendtc")},
            "trtemfl": _flag(fields.get(settings.treatment_emergent.variable)),
            "immune": _flag(fields.get(settings.immune_flag)) if settings.immune_flag else None,
            "relatedness": {
                c.name: opinion for c in settings.components if c.relatedness and (opinion := fields.get(c.relatedness))
            },
            "actions": {c.name: done for c in settings.components if c.action and (done := fields.get(c.action))},
        }
    )


def _flag(text: str | None) -> bool | None:
    """A supplemental flag; a word that is none is not known."""
    try:
        return flag(text)
    except ValueError:
        return None
