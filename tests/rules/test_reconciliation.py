"""Results beside reports: what opens a case, what is asked, and of whom."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

import ctcae_v403
from safety_monitor.records import AdverseEvent, Episode, Query, Subject
from safety_monitor.rules import reconciliation
from safety_monitor.rules.assessment import assess
from safety_monitor.rules.liver_questions import of_liver
from safety_monitor.rules.queries import checks, of_event
from safety_monitor.rules.reconciliation import case_of, lab_episodes, reconcile, reported_episodes, surroundings
from safety_monitor.study import StudySettings
from safety_monitor.vocabulary import CaseState, Match
from safety_monitor.workflow.laboratory import graded_results, results_of_events

STUDY = StudySettings.of({"study": {"id": "S"}})
FIRST = date(2026, 1, 5)
ALIVE = Subject(study_id="S", usubjid="1", siteid="01", treated=True, first_treatment_on=FIRST, age=60, sex="M")
RANGES = {
    "ALT": ("U/L", "7", "40"), "BILI": ("umol/L", "3.4", "20.5"),
    "HGB": ("g/L", "130", "175"), "NA": ("mmol/L", "135", "145"), "K": ("mmol/L", "3.5", "5.3"),
}  # fmt: skip


def results(course: dict[str, dict[int, str]], usubjid: str = "1", **other: str | None) -> pl.DataFrame:
    """LB as text: for each test the result by day of treatment; day −3 is the baseline. With ALT comes a normal bilirubin,
    unless *other* columns or a course of its own say otherwise.
    """
    rows = []
    if "ALT" in course and not other:
        course = {"BILI": dict.fromkeys(course["ALT"], "10")} | course
    for test, series in course.items():
        unit, low, high = RANGES[test]
        for day, result in series.items():
            numeric = result if result.replace(".", "").isdigit() else None
            rows.append({
                "USUBJID": usubjid, "LBTESTCD": test, "LBSTRESC": result, "LBSTRESN": numeric, "LBSTRESU": unit,
                "LBSTNRLO": low, "LBSTNRHI": high, "LBBLFL": "Y" if day == -3 else None,
                "LBDTC": (FIRST + timedelta(days=day)).isoformat(), **other,
            })  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={name: pl.String for name in rows[0]})


def event(aeseq: int, term: str, grade: int | None, first: int, last: int | None, **more: Any) -> AdverseEvent:
    coded = ctcae_v403.term(term)
    return AdverseEvent(
        study_id="S", usubjid="1", aeseq=aeseq, aeterm=term, aedecod=coded.name, meddra_code=coded.meddra_code, grade=grade,
        aeser=False, aerel="Y", aestdtc=(FIRST + timedelta(days=first)).isoformat(),
        aeendtc=None if last is None else (FIRST + timedelta(days=last)).isoformat(), **more,
    )  # fmt: skip


def settled(
    lb: pl.DataFrame | None = None, events: tuple[AdverseEvent, ...] = (), subjects: tuple[Subject, ...] = (ALIVE,),
    settings: StudySettings = STUDY,
) -> tuple[list[Episode], list[Query]]:  # fmt: skip
    """All of it, from the files on: episodes and every question."""
    graded = graded_results({} if lb is None else {"LB": lb}, subjects, settings)
    reports = reported_episodes(events)
    around = surroundings(reports, events, {}, results_of_events(graded, events), {})
    known = {subject.usubjid: subject for subject in subjects}
    asked = [query for each in events for query in of_event(each, known.get(each.usubjid), settings, around[each.key])]
    assessed = {each.key: assess(each, known.get(each.usubjid), settings) for each in events}
    found = reconcile(lab_episodes(graded, subjects, settings), reports, graded, subjects, assessed, settings, asked=asked)
    return found.episodes, [*asked, *found.queries]


def raised(queries: list[Query]) -> list[str]:
    return [query.check_id for query in queries]


def test_a_drift_over_six_visits_is_one_case() -> None:
    course = {-3: "30", 7: "90", 14: "150", 21: "250", 28: "320", 35: "180", 42: "60", 49: "35"}
    [episode], [query] = settled(results({"ALT": course}))
    assert (episode.onset_grade, episode.worst_grade, episode.n_results) == (1, 3, 6)
    assert [grade for _, grade in episode.changes] == [1, 2, 3, 2, 1]
    assert (episode.link, episode.case_state) == (Match.UNREPORTED, CaseState.DRAFT)
    assert query.text == (
        "Alanine aminotransferase increased: results reached grade 3 from 2026-01-12 on (ALT 250 U/L on 2026-01-26), resolved on "
        "2026-02-23, and no event is reported. Please report it, or say why it is none."
    )
    assert (query.owner, query.siteid, query.about) == ("investigator", "01", "Alanine aminotransferase increased 2026-01-12")


@pytest.mark.parametrize(
    ("course", "state"),
    [
        ({-3: "30", 14: "250"}, CaseState.DRAFT),
        ({-3: "30", 14: "150"}, CaseState.NONE),  # grade 2
        ({-3: "250", 14: "300"}, CaseState.NONE),  # grade 3 before treatment, and after it: no worsening
        ({-3: "250", 14: "900"}, CaseState.DRAFT),  # from grade 3 to 4
        ({-3: "30", -1: "250", 14: "260"}, CaseState.NONE),  # it worsened before treatment
        ({-3: "30", -1: "90", 14: "260"}, CaseState.DRAFT),  # and worse after treatment began
        ({14: "250"}, CaseState.DRAFT),  # no baseline: worsening is assumed, not denied
    ],
)
def test_what_opens_a_case(course: dict[int, str], state: CaseState) -> None:
    episodes, _ = settled(results({"ALT": course}))
    assert next((episode.case_state for episode in episodes), CaseState.NONE) is state


def test_a_study_chooses_the_grade_that_opens_a_case() -> None:
    strict = StudySettings.of({"study": {"id": "S"}, "episodes": {"draft_from": 2}})
    [episode], _ = settled(results({"ALT": {-3: "30", 14: "150"}}), settings=strict)
    assert episode.case_state is CaseState.DRAFT


def test_a_report_makes_a_case_unnecessary() -> None:
    lb = results({"ALT": {-3: "30", 14: "250", 21: "35"}})
    [episode], queries = settled(lb, (event(1, "Alanine aminotransferase increased", 3, 14, 21),))
    assert (episode.link, episode.aeseq, episode.case_state) == (Match.MATCHED, 1, CaseState.NONE)
    assert queries == []


@pytest.mark.parametrize(
    ("lb", "reported", "check", "words"),
    [
        # numbers alone decide ALT: the criteria of the report contradict themselves
        ({"ALT": {-3: "30", 14: "250", 21: "35"}}, ("Alanine aminotransferase increased", 2, 14, 21), "GRADE_AGAINST_FINDINGS",
         "the results of those days give grade 3 at most (ALT 250 U/L on 2026-01-19)"),
        # transfusion may give anemia grade 3: the question names it
        ({"HGB": {-3: "140", 14: "90", 21: "139"}}, ("Anemia", 3, 14, 21), "GRADE_ABOVE_RESULTS",
         "'Anemia' is reported with grade 3, but the results of those days give at most grade 2 of Anemia: "
         "HGB 90 g/L on 2026-01-19."),
        ({"HGB": {-3: "140", 14: "75", 21: "139"}}, ("Anemia", 2, 14, 21), "GRADE_AGAINST_FINDINGS", "too low"),
        # the same numbers are grade 1 and 2: findings decide, nothing is asked
        ({"K": {-3: "4.0", 14: "3.2", 21: "4.0"}}, ("Hypokalemia", 2, 14, 21), None, ""),
        ({"K": {-3: "4.0", 14: "3.2", 21: "4.0"}}, ("Hypokalemia", 1, 14, 21), None, ""),
        ({"K": {-3: "4.0", 14: "2.8", 21: "4.0"}}, ("Hypokalemia", 1, 14, 21), "GRADE_AGAINST_FINDINGS", "too low"),
        # the worst results lie outside the days of the report, but in the same episode
        ({"ALT": {-3: "30", 14: "250", 21: "90", 28: "35"}}, ("Alanine aminotransferase increased", 1, 17, 28),
         "GRADE_BELOW_RESULTS", "is reported with grade 1, but the results give Alanine aminotransferase increased grade 3: "
                                "ALT 250 U/L on 2026-01-19. Please correct"),
        # "< 125" proves grade 3 or worse
        ({"NA": {-3: "140", 14: "<125", 21: "140"}}, ("Hyponatremia", 4, 14, 21), None, ""),
    ],
)  # fmt: skip
def test_a_report_whose_grade_differs_from_the_results(
    lb: dict[str, dict[int, str]], reported: tuple[str, int, int, int], check: str | None, words: str
) -> None:
    _, queries = settled(results(lb), (event(1, *reported),))
    assert raised(queries) == ([check] if check else [])
    assert all(words in query.text for query in queries)


def test_an_equivalent_report_is_not_held_to_the_grade_of_the_other_term() -> None:
    lb = results({"HGB": {-3: "140", 14: "75", 21: "139"}})
    told = event(1, "Anemia", 2, 14, 21).model_copy(update={"aeterm": "myelosuppression", "aedecod": None, "meddra_code": None})
    [episode], queries = settled(lb, (told,))
    assert episode.link is Match.MATCHED
    assert raised(queries) == ["TERM_NOT_CODED"]


def test_a_tie_is_asked_of_the_medical_monitor_where_it_matters() -> None:
    told = (event(1, "Alanine aminotransferase increased", 3, 12, 13), event(2, "Alanine aminotransferase increased", 3, 16, 20))
    episodes, queries = settled(results({"ALT": {-3: "30", 14: "250", 21: "35"}}), told)
    assert [episode.link for episode in episodes] == [Match.AMBIGUOUS]
    [query] = [query for query in queries if query.check_id == "UNCLEAR_MATCH"]
    assert query.owner == "medical_monitor"
    assert "fit the reports AESEQ 1 and 2 equally well" in query.text
    mild, asked = settled(results({"ALT": {-3: "30", 14: "90", 21: "35"}}), told)
    assert mild[0].link is Match.AMBIGUOUS
    assert "UNCLEAR_MATCH" not in raised(asked)


@pytest.mark.parametrize(
    ("before", "match", "grade", "emergent", "after"),
    [
        ("none", "unreported", 3, True, "draft"),
        ("none", "unreported", 2, True, "none"),
        ("none", "unreported", 3, False, "none"),
        ("none", "matched", 4, True, "none"),
        ("none", "ambiguous", 4, True, "none"),
        ("draft", "unreported", 4, True, "draft"),
        ("draft", "unreported", 2, True, "withdrawn"),
        ("draft", "matched", 3, True, "none"),
        ("confirmed", "unreported", 3, True, "confirmed"),
        ("confirmed", "unreported", 2, True, "withdrawn"),
        ("confirmed", "covered", 3, True, "none"),
        ("dismissed", "unreported", 3, True, "dismissed"),
        ("dismissed", "unreported", 2, True, "none"),
        ("withdrawn", "unreported", 2, True, "withdrawn"),
        ("withdrawn", "unreported", 3, True, "draft"),
    ],
)
def test_where_a_case_stands_after_the_next_cut(before: str, match: str, grade: int, emergent: bool, after: str) -> None:
    [episode], _ = settled(results({"ALT": {-3: "30", 14: "250"}}))
    changed = {"case_state": CaseState(before), "link": Match(match), "worst_grade": grade}
    changed |= {} if emergent else {"emergent_on": None}
    assert case_of(episode.model_copy(update=changed), STUDY) is CaseState(after)


@pytest.mark.parametrize(
    ("change", "events", "expected"),
    [
        ({}, (), []),
        ({"dthfl": True, "death_on": date(2026, 3, 1)}, (), ["DEATH_WITHOUT_FATAL_EVENT"]),
        ({"dthfl": True}, (), ["DEATH_WITHOUT_FATAL_EVENT", "DEATH_DATE_MISSING"]),
        ({"death_on": date(2026, 3, 1)}, (), ["DEATH_NOT_FLAGGED"]),
        ({"dthfl": True, "death_on": date(2026, 3, 1)},
         (event(1, "Hepatic failure", 5, 50, 55, aesdth=True, aeout="FATAL").model_copy(update={"aeser": True}),), []),
    ],
)  # fmt: skip
def test_a_death_needs_a_fatal_event_a_date_and_a_flag(
    change: dict[str, Any], events: tuple[AdverseEvent, ...], expected: list[str]
) -> None:
    _, queries = settled(None, events, (ALIVE.model_copy(update=change),))
    assert raised(queries) == expected


@pytest.mark.parametrize(
    ("columns", "check", "words"),
    [
        ({"LBSTNRLO": None, "LBSTNRHI": None}, "RESULT_WITHOUT_LIMIT",
         "2 results of ALT (U/L, 1 subject) cannot be graded for Alanine aminotransferase increased: no limit of normal."),
        ({"LBSTNRLO": "40", "LBSTNRHI": "7"}, "LIMITS_CONTRADICT", "the lower limit of normal is above the upper one"),
    ],
)
def test_results_that_cannot_be_graded_are_one_question_a_site_and_test(columns: dict[str, Any], check: str, words: str) -> None:
    _, queries = settled(results({"ALT": {-3: "30", 14: "250"}}, **columns))
    [query] = [query for query in queries if query.about.startswith("LB")]
    assert query.check_id == check
    assert words in query.text
    assert (query.usubjid, query.siteid, query.about) == (None, "01", "LB ALT U/L")


@pytest.mark.parametrize("when", [None, "2026-02"])
def test_results_without_a_day_are_asked_about(when: str | None) -> None:
    episodes, queries = settled(results({"HGB": {-3: "140", 14: "70"}}, LBDTC=when))
    assert episodes == []
    assert raised(queries) == ["RESULT_WITHOUT_DATE"]
    assert queries[0].text.startswith("2 results of HGB (1 subject) without a day")
    without = results({"HGB": {-3: "140", 14: "70"}}).drop("LBDTC")
    assert raised(settled(without)[1]) == ["RESULT_WITHOUT_DATE"]


def test_who_was_treated_on_an_unknown_day_may_have_a_case() -> None:
    unknown = ALIVE.model_copy(update={"first_treatment_on": None})
    [episode], _ = settled(results({"HGB": {-3: "140", 14: "70"}}), subjects=(unknown,))
    assert episode.case_state is CaseState.DRAFT
    screened = ALIVE.model_copy(update={"first_treatment_on": None, "treated": False})
    [episode], _ = settled(results({"HGB": {-3: "140", 14: "70"}}), subjects=(screened,))
    assert episode.case_state is CaseState.NONE


def test_a_death_without_a_date_is_a_death() -> None:
    dead = ALIVE.model_copy(update={"dthfl": True})
    [episode], _ = settled(results({"HGB": {-3: "140", 14: "70"}}), subjects=(dead,))
    assert episode.ended.value == "ongoing_at_death"


@pytest.mark.parametrize(("unit", "check"), [(None, "RESULT_WITHOUT_UNIT"), ("furlong", "UNIT_NOT_KNOWN")])
def test_results_without_a_unit_that_is_known(unit: str | None, check: str) -> None:
    _, queries = settled(results({"HGB": {-3: "14.0", 14: "7.5"}}, LBSTRESU=unit))
    assert check in raised(queries)


LIVER = {
    "candidate": ({"ALT": {-3: "30", 14: "250"}, "BILI": {-3: "10", 14: "60"}}, "HYS_LAW_CANDIDATE",
                  "Candidate for Hy's law: ALT 6.2 × ULN on 2026-01-19, bilirubin 2.9 × ULN on 2026-01-19, ALP not known"),
    "no bilirubin": ({"ALT": {-3: "30", 14: "250"}, "BILI": {-3: "10"}}, "HYS_LAW_NOT_EXCLUDED",
                     "Hy's law is not excluded: ALT 6.2 × ULN on 2026-01-19, bilirubin not known"),
    "normal bilirubin": ({"ALT": {-3: "30", 14: "250"}, "BILI": {-3: "10", 14: "10"}}, None, ""),
    "raised bilirubin alone": ({"ALT": {-3: "30", 14: "60"}, "BILI": {-3: "10", 14: "60"}}, None, ""),
    "before treatment": ({"ALT": {-3: "250", 14: "30"}, "BILI": {-3: "60", 14: "10"}}, None, ""),
}


@pytest.mark.parametrize(("course", "check", "words"), LIVER.values(), ids=LIVER)
def test_the_numbers_of_hys_law_are_a_question(course: dict[str, dict[int, str]], check: str | None, words: str) -> None:
    _, queries = settled(results(course))
    liver = [query for query in queries if query.about == "Hy's law"]
    assert raised(liver) == ([check] if check else [])
    assert all(query.text.startswith(words) for query in liver)
    assert all(query.owner == ("medical_monitor" if check == "HYS_LAW_CANDIDATE" else "investigator") for query in liver)


def test_days_since_ablation_are_told() -> None:
    graded = graded_results({"LB": results(LIVER["candidate"][0])}, [ALIVE], STUDY)
    [query] = of_liver(graded, [ALIVE], {"1": [FIRST, FIRST + timedelta(days=10)]}, STUDY)
    assert "14 days after first treatment; 4 days after the last ablation." in query.text


@pytest.mark.parametrize(
    ("course", "asked"),
    [
        (["100", "150"], False),
        (["100", "5000"], True),
        (["NOT DETECTED", "5000"], True),  # not detected is a value: it rises from there
        (["Target not detected", "<20"], False),
        (["", "5000"], False),  # what was not measured is no value to rise from
    ],
)
def test_a_rise_of_hepatitis_b_virus_is_a_question(course: list[str], asked: bool) -> None:
    rows = [
        {"USUBJID": "1", "LBTESTCD": "HBVDNA", "LBSTRESC": result or None, "LBSTRESN": result if result.isdigit() else None,
         "LBSTRESU": "IU/mL", "LBBLFL": "Y" if day < 0 else None, "LBDTC": (FIRST + timedelta(days=day)).isoformat()}
        for day, result in zip((-3, 30), course, strict=True)
    ]  # fmt: skip
    lb = pl.DataFrame(rows, schema_overrides={name: pl.String for name in rows[0]})
    queries = of_liver(graded_results({"LB": lb}, [ALIVE], STUDY), [ALIVE], {}, STUDY)
    assert raised(queries) == (["HEPATITIS_B_FLARE"] if asked else [])


def test_variables_that_ae_does_not_have() -> None:
    found = reconciliation.of_dataset(["AETERM", "AESTAT", "AEOCCUR"], STUDY)
    assert [query.about for query in found] == ["AE AEOCCUR", "AE AESTAT"]


def test_every_check_of_this_page_can_be_asked() -> None:
    here = {"NOT_REPORTED", "UNCLEAR_MATCH", "GRADE_BELOW_RESULTS", "GRADE_ABOVE_RESULTS", "DEATH_WITHOUT_FATAL_EVENT",
            "DEATH_DATE_MISSING", "DEATH_NOT_FLAGGED", "VARIABLE_NOT_ALLOWED", "RESULT_WITHOUT_LIMIT", "RESULT_WITHOUT_UNIT",
            "UNIT_NOT_KNOWN", "LIMITS_CONTRADICT", "RESULT_WITHOUT_DATE"}  # fmt: skip
    assert here == {check.id for check in checks() if check.about not in ("AE", "liver", "causality", "receipt")}
    assert {check.id for check in checks() if check.about == "liver"} == {
        "HYS_LAW_CANDIDATE", "HYS_LAW_NOT_EXCLUDED", "HEPATITIS_B_FLARE",
    }  # fmt: skip
