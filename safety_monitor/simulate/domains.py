"""The simulated courses as SDTM-shaped tables: upper-case columns, ISO 8601 dates, everything a string."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from faker import Faker

from safety_monitor.simulate.adverse import adverse_events
from safety_monitor.simulate.assumptions import Assumptions
from safety_monitor.simulate.chance import Chance
from safety_monitor.simulate.columns import COLUMNS, Row, Tables, iso, study_day
from safety_monitor.simulate.course import Course
from safety_monitor.simulate.measurements import Measurement, measure
from safety_monitor.simulate.treatment import days


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
            ("mh", _mh(course, facts, Chance(seed, course.person.number + 1, 2))),
            ("ds", _ds(course)),
            ("sc", _sc(course, facts, Chance(seed, course.person.number + 1, 3))),
            ("dv", _dv(course, facts, Chance(seed, course.person.number + 1, 4))),
            ("ie", _ie(course, facts, Chance(seed, course.person.number + 1, 5))),
        ):
            tables[name] += _keyed(name, facts.trial.id, course, rows)
        _findings(course, facts, chance, tables)
        adverse_events(course, facts, chance, tables)
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
        "RFICDTC": iso(person.consented_on),
        "RFSTDTC": iso(first),
        "RFENDTC": iso(last if over or first is None else course.last_contact_on),
        "RFXSTDTC": iso(first),
        "RFXENDTC": iso(last),
        "DTHDTC": iso(died),
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
            "EXSTDTC": iso(dose.start_on),
            "EXENDTC": iso(dose.end_on),
        }


def _pr(course: Course, facts: Assumptions) -> Iterator[Row]:
    for session in course.ablations:
        yield {
            "PRTRT": facts.treatment.names[session.modality],
            "PRCAT": "STUDY TREATMENT",
            "PRLOC": session.location,
            "PRSTDTC": iso(session.on),
            "PRENDTC": iso(session.on),
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
                "CMSTDTC": iso(drug.start_on),
                "CMENDTC": iso(drug.end_on),
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
            "RSDTC": iso(on),
            "RSDY": study_day(on, first),
        }


def _mh(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Row]:
    for term, year in course.person.conditions.items():
        cancer = term == "HEPATOCELLULAR CARCINOMA"
        yield {
            "MHTERM": term,
            "MHCAT": "PRIMARY DIAGNOSIS" if cancer else "GENERAL MEDICAL HISTORY",
            "MHENRF": "ONGOING",
            "MHSTDTC": str(year),
        }
    if chance.happens(facts.population.earlier_tace):
        year = course.person.conditions["HEPATOCELLULAR CARCINOMA"]
        term = "TRANSARTERIAL CHEMOEMBOLISATION (TACE)"
        yield {"MHTERM": term, "MHCAT": "PRIOR TREATMENT", "MHENRF": "BEFORE", "MHSTDTC": str(year)}


def _sc(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Row]:
    """BCLC stage and performance status, as they are at screening."""
    who = facts.population
    for code, name, value in (
        ("BCLC", "Barcelona Clinic Liver Cancer Stage", chance.weighted(who.bclc)),
        ("ECOG", "ECOG Performance Status", chance.weighted(who.ecog)),
    ):
        yield {"SCTESTCD": code, "SCTEST": name, "SCORRES": value, "SCSTRESC": value, "SCDTC": iso(course.person.screened_on)}


def _dv(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Row]:
    """Deviations of treated subjects, some time between first treatment and last contact."""
    first, until = course.first_treatment_on, course.last_contact_on
    if first is None or until is None:
        return
    for deviation in facts.deviation:
        if chance.happens(deviation.share):
            on = first + days(chance.between((0, max((until - first).days, 0))))
            yield {"DVTERM": deviation.says, "DVDECOD": deviation.kind, "DVCAT": deviation.category, "DVSTDTC": iso(on)}


def _ie(course: Course, facts: Assumptions, chance: Chance) -> Iterator[Row]:
    """The criterion that a screening failure did not meet; IE holds exceptions only (SDTM-IG 3.4)."""
    if course.person.status != "SCREEN FAILURE":
        return
    unmet = chance.weighted({criterion.code: criterion.weight for criterion in facts.criterion})
    criterion = next(each for each in facts.criterion if each.code == unmet)
    result = "N" if criterion.category == "INCLUSION" else "Y"
    yield {
        "IETESTCD": criterion.code, "IETEST": criterion.says, "IECAT": criterion.category, "IEORRES": result,
        "IESTRESC": result, "IEDTC": iso(course.person.screened_on),
    }  # fmt: skip


def _ds(course: Course) -> Iterator[Row]:
    def row(term: str, decod: str, category: str, on: date) -> Row:
        return {"DSTERM": term, "DSDECOD": decod, "DSCAT": category, "DSSTDTC": iso(on)}

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
        "DTC": iso(m.on),
        "DY": study_day(m.on, course.first_treatment_on),
    }
    if domain == "LB":
        row |= {"CAT": test.cat, "SPEC": test.spec, "FAST": test.fasting}
        if (limits := person.limits.get(m.code)) is not None:
            for end, limit in zip(("LO", "HI"), limits, strict=True):
                row |= {f"STNR{end}": f"{limit:g}", f"ORNR{end}": f"{limit * factor:.{max(digits, 1)}f}"}
                if factor == 1.0:
                    row[f"ORNR{end}"] = f"{limit:g}"
    return {"VISITNUM": str(m.number), "VISIT": m.visit} | {domain + key: value for key, value in row.items()}
