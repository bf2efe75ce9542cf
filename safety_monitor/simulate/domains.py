"""The simulated courses as SDTM-shaped tables: upper-case columns, ISO 8601 dates, everything a string."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from faker import Faker

import ctcae_v403 as ctcae
from safety_monitor.simulate.assumptions import Assumptions, Cause
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.course import COMPONENTS, DRUGS, Course, Event, days
from safety_monitor.simulate.measurements import Measurement, measure
from safety_monitor.vocabulary import ActionTaken

Row = dict[str, str]
Tables = dict[str, list[Row]]

COLUMNS: dict[str, tuple[str, ...]] = {
    name: tuple(columns.split())
    for name, columns in {
        "dm": "STUDYID DOMAIN USUBJID SUBJID SITEID INVNAM AGE AGEU SEX RACE COUNTRY RFICDTC RFSTDTC RFENDTC"
        " RFXSTDTC RFXENDTC DTHDTC DTHFL ARMCD ARM ACTARMCD ACTARM",
        "ae": "STUDYID DOMAIN USUBJID AESEQ AETERM AEDECOD AEBODSYS AETOXGR AESER AEREL AEACN AEOUT AECONTRT"
        " AESTDTC AEENDTC AESDTH AESLIFE AESHOSP AESDISAB AESCONG AESMIE",
        "suppae": "STUDYID RDOMAIN USUBJID IDVAR IDVARVAL QNAM QLABEL QVAL QORIG QEVAL",
        "ex": "STUDYID DOMAIN USUBJID EXSEQ EXTRT EXDOSE EXDOSU EXDOSFRQ EXROUTE EXADJ EXSTDTC EXENDTC",
        "pr": "STUDYID DOMAIN USUBJID PRSEQ PRTRT PRCAT PRLOC PRSTDTC PRENDTC",
        "lb": "STUDYID DOMAIN USUBJID LBSEQ LBTESTCD LBTEST LBCAT LBSPEC LBORRES LBORRESU LBORNRLO LBORNRHI"
        " LBSTRESC LBSTRESN LBSTRESU LBSTNRLO LBSTNRHI LBFAST LBBLFL VISITNUM VISIT LBDTC LBDY",
        "vs": "STUDYID DOMAIN USUBJID VSSEQ VSTESTCD VSTEST VSORRES VSORRESU VSSTRESC VSSTRESN VSSTRESU VSBLFL"
        " VISITNUM VISIT VSDTC VSDY",
        "eg": "STUDYID DOMAIN USUBJID EGSEQ EGTESTCD EGTEST EGORRES EGORRESU EGSTRESC EGSTRESN EGSTRESU EGBLFL"
        " VISITNUM VISIT EGDTC EGDY",
        "cm": "STUDYID DOMAIN USUBJID CMSEQ CMTRT CMCAT CMINDC CMSTDTC CMENDTC",
        "rs": "STUDYID DOMAIN USUBJID RSSEQ RSTESTCD RSTEST RSCAT RSORRES RSSTRESC RSEVAL VISIT RSDTC RSDY",
        "mh": "STUDYID DOMAIN USUBJID MHSEQ MHTERM MHCAT MHENRF MHSTDTC",
        "ds": "STUDYID DOMAIN USUBJID DSSEQ DSTERM DSDECOD DSCAT DSSTDTC",
        "truth": "USUBJID AESEQ AEDECOD CAUSE",
        "sae_receipt": "USUBJID AESEQ SITE_AWARE_AT SPONSOR_AWARE_AT",
        "planted": "FAULT FILE USUBJID SEQ VARIABLE VALUE WAS",
    }.items()
}
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


def tabulate(courses: Sequence[Course], facts: Assumptions, seed: int) -> Tables:
    """Every table of the trial, by file stem, without planted faults."""
    tables: Tables = {name: [] for name in COLUMNS}
    investigators = _investigators(courses, seed)
    for course in courses:
        chance = Chance(seed, course.person.number + 1, 1)
        tables["dm"].append(_dm(course, facts, investigators[course.person.site.id]))
        for name, rows in (
            ("ex", _ex(course)),
            ("pr", _pr(course, facts)),
            ("cm", _cm(course, facts, chance)),
            ("rs", _rs(course, facts)),
            ("mh", _mh(course)),
            ("ds", _ds(course)),
        ):
            tables[name] += _keyed(name, facts.trial.id, course, rows)
        _findings(course, facts, chance, tables)
        _adverse_events(course, facts, chance, tables)
    return tables


def _investigators(courses: Sequence[Course], seed: int) -> dict[str, str]:
    names: dict[str, str] = {}
    for site in {c.person.site.id: c.person.site for c in courses}.values():
        faker = Faker(site.locale)
        faker.seed_instance(f"{seed}-{site.id}")
        names[site.id] = faker.name()
    return names


def _keyed(name: str, study: str, course: Course, rows: Iterator[Row]) -> Iterator[Row]:
    domain = name.upper()
    for seq, row in enumerate(rows, start=1):
        yield {
            "STUDYID": study,
            "DOMAIN": domain,
            "USUBJID": course.person.usubjid,
            f"{domain}SEQ": str(seq),
            **row,
        }


def _iso(on: date | None) -> str:
    return on.isoformat() if on else ""


def _study_day(on: date, first: date | None) -> str:
    """SDTM study day: there is no day 0."""
    return "" if first is None else str((on - first).days + (on >= first))


def _dm(course: Course, facts: Assumptions, investigator: str) -> Row:
    person, (code, arm) = course.person, facts.trial.arm
    failed = person.status == "SCREEN FAILURE"
    first, last = course.first_treatment_on, course.last_treatment_on
    over = bool(course.off_treatment or course.died) or first is None
    given = (
        (code, arm) if first else (("SCRNFAIL", "Screen Failure") if failed else ("NOTTRT", "Not Treated"))
    )
    died = course.died[1] if course.died else None
    return {
        "STUDYID": facts.trial.id,
        "DOMAIN": "DM",
        "USUBJID": person.usubjid,
        "SUBJID": f"{person.number + 1:03d}",
        "SITEID": person.site.id,
        "INVNAM": investigator,
        "AGE": str(person.age),
        "AGEU": "YEARS",
        "SEX": person.sex,
        "RACE": person.site.race,
        "COUNTRY": person.site.country,
        "RFICDTC": _iso(person.consented_on),
        "RFSTDTC": _iso(first),
        "RFENDTC": _iso(last if over or first is None else course.last_contact_on),
        "RFXSTDTC": _iso(first),
        "RFXENDTC": _iso(last),
        "DTHDTC": _iso(died),
        "DTHFL": "Y" if died else "",
        "ARMCD": "SCRNFAIL" if failed else code,
        "ARM": "Screen Failure" if failed else arm,
        "ACTARMCD": given[0],
        "ACTARM": given[1],
    }


def _ex(course: Course) -> Iterator[Row]:
    for dose in course.doses:
        lenvatinib = dose.drug == "LENVATINIB"
        yield {
            "EXTRT": "LENVATINIB" if lenvatinib else course.person.site.pd1,
            "EXDOSE": str(dose.mg),
            "EXDOSU": "mg",
            "EXDOSFRQ": "QD" if lenvatinib else "Q3W",
            "EXROUTE": "ORAL" if lenvatinib else "INTRAVENOUS",
            "EXADJ": dose.why,
            "EXSTDTC": _iso(dose.start_on),
            "EXENDTC": _iso(dose.end_on),
        }


def _pr(course: Course, facts: Assumptions) -> Iterator[Row]:
    for session in course.ablations:
        yield {
            "PRTRT": facts.treatment.names[session.modality],
            "PRCAT": "STUDY TREATMENT",
            "PRLOC": session.location,
            "PRSTDTC": _iso(session.on),
            "PRENDTC": _iso(session.on),
        }


def _cm(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Row]:
    person, who = course.person, facts.population
    for need, names in (("HBV", who.antiviral), ("HYPERTENSION", (who.antihypertensive,))):
        name = chance.of(names)
        began = [year for condition, year in person.conditions.items() if need in condition]
        if began:
            yield {"CMTRT": name, "CMCAT": "PRIOR", "CMINDC": need, "CMSTDTC": str(began[0]), "CMENDTC": ""}
    for event in course.events:
        for drug in event.medications:
            yield {
                "CMTRT": drug.name,
                "CMCAT": "CONCOMITANT",
                "CMINDC": drug.indication,
                "CMSTDTC": _iso(drug.start_on),
                "CMENDTC": _iso(drug.end_on),
            }


def _rs(course: Course, facts: Assumptions) -> Iterator[Row]:
    first, until = course.first_treatment_on, course.last_contact_on
    if first is None or until is None:
        return
    if course.off_treatment:
        until = min(until, course.off_treatment[1])
    step, progressed = facts.treatment.assessment_days, course.progressed_on
    scans = [first + days(n * step) for n in range(1, (until - first).days // step + 1)]
    found = [(on, "SD" if n == 0 else course.best_response) for n, on in enumerate(scans) if on != progressed]
    if progressed and progressed <= until:
        found.append((progressed, "PD"))
    for n, (on, response) in enumerate(found, start=1):
        yield {
            "RSTESTCD": "OVRLRESP",
            "RSTEST": "Overall Response",
            "RSCAT": "RECIST 1.1",
            "RSORRES": response,
            "RSSTRESC": response,
            "RSEVAL": "INVESTIGATOR",
            "VISIT": f"ASSESSMENT {n}",
            "RSDTC": _iso(on),
            "RSDY": _study_day(on, first),
        }


def _mh(course: Course) -> Iterator[Row]:
    for term, year in course.person.conditions.items():
        cancer = term == "HEPATOCELLULAR CARCINOMA"
        yield {
            "MHTERM": term,
            "MHCAT": "PRIMARY DIAGNOSIS" if cancer else "GENERAL MEDICAL HISTORY",
            "MHENRF": "ONGOING",
            "MHSTDTC": str(year),
        }


def _ds(course: Course) -> Iterator[Row]:
    def row(term: str, decod: str, category: str, on: date) -> Row:
        return {"DSTERM": term, "DSDECOD": decod, "DSCAT": category, "DSSTDTC": _iso(on)}

    person = course.person
    yield row(
        "INFORMED CONSENT OBTAINED", "INFORMED CONSENT OBTAINED", "PROTOCOL MILESTONE", person.consented_on
    )
    if person.status == "SCREEN FAILURE":
        yield row("ELIGIBILITY CRITERIA NOT MET", "SCREEN FAILURE", "DISPOSITION EVENT", person.screened_on)
    elif person.status == "NOT TREATED":
        yield row(
            "WITHDREW BEFORE ABLATION", "WITHDRAWAL BY SUBJECT", "DISPOSITION EVENT", person.screened_on
        )
    if course.off_treatment:
        reason, on = course.off_treatment
        yield row(reason, reason, "DISPOSITION EVENT", on)
    if course.died:
        yield row(f"DEATH - {course.died[0]}", "DEATH", "OTHER EVENT", course.died[1])


def _findings(course: Course, facts: Assumptions, chance: Chance, tables: Tables) -> None:
    rows: dict[str, list[Row]] = {"lb": [], "vs": [], "eg": []}
    for measurement in measure(course, facts, chance):
        domain = facts.tests[measurement.code].domain
        rows[domain.lower()].append(_finding(measurement, domain, course, facts))
    for name, found in rows.items():
        tables[name] += _keyed(name, facts.trial.id, course, iter(found))


def _finding(m: Measurement, domain: str, course: Course, facts: Assumptions) -> Row:
    test, person = facts.tests[m.code], course.person
    unit, factor, digits = test.unit, 1.0, test.digits
    if test.local and person.site.local_units:
        unit, factor, digits = test.local
    reported = f"{m.value * factor:.{digits}f}"
    # The standard value comes from what was reported, as a converted value would.
    standard = reported if factor == 1.0 else f"{float(reported) / factor:.{test.digits}f}"
    row = {
        "TESTCD": m.code,
        "TEST": test.name,
        "ORRES": reported,
        "ORRESU": unit,
        "STRESC": standard,
        "STRESN": standard,
        "STRESU": test.unit,
        "BLFL": "Y" if m.baseline else "",
        "DTC": _iso(m.on),
        "DY": _study_day(m.on, course.first_treatment_on),
    }
    if domain == "LB":
        row |= {"CAT": test.cat, "SPEC": test.spec, "FAST": test.fasting}
        if (limits := person.limits.get(m.code)) is not None:
            for end, limit in zip(("LO", "HI"), limits, strict=True):
                row |= {f"STNR{end}": f"{limit:g}", f"ORNR{end}": f"{limit * factor:.{max(digits, 1)}f}"}
                if factor == 1.0:
                    row[f"ORNR{end}"] = f"{limit:g}"
    return {"VISITNUM": str(m.number), "VISIT": m.visit} | {domain + key: value for key, value in row.items()}


def _adverse_events(course: Course, facts: Assumptions, chance: Chance, tables: Tables) -> None:
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
                "AESTDTC": _iso(event.onset_on),
                "AEENDTC": _iso(event.end_on),
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
