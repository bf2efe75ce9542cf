"""Expected or not: by the list in force at onset, its highest grade, and what is not known."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctcae_v403
from safety_monitor.records import PartialDate
from safety_monitor.rules.expectedness import Rsi, _shipped, check_lists, expected, expectedness, lists_of
from safety_monitor.study import SettingsError, StudySettings

OLD = Rsi("2018", date(2018, 8, 20), {"HYPERTENSION": 3, "DIARRHEA": 2})
NEW = Rsi("2020", date(2020, 1, 15), {"HYPERTENSION": 4, "DIARRHEA": 3, "STROKE": 5})
CAM = Rsi("camrelizumab", date(2019, 5, 29), {"RASH": 2}, "camrelizumab", True)
ALONE = Rsi("own list of sintilimab", date(2019, 1, 1), {"RASH": 3}, "sintilimab")


@pytest.mark.parametrize(
    ("term", "grade", "fatal", "onset", "answer", "why"),
    [
        ("Hypertension", 3, False, "2019-06-01", True, "listed up to grade 3"),
        ("hypertension", 2, False, "2019-06-01", True, "listed up to grade 3"),
        ("Hypertension", 4, False, "2019-06-01", False, "listed up to grade 3; this is grade 4"),
        ("Hypertension", 4, False, "2020-01-15", True, "listed up to grade 4"),  # the new list holds from its first day
        ("Hypertension", 4, False, "2020-01-14", False, "listed up to grade 3; this is grade 4"),
        ("Hypertension", 3, False, "2020-01", True, "listed up to grade"),  # both lists of that month say so
        ("Diarrhea", 3, False, "2020-01", None, "the lists of that time disagree"),
        ("Diarrhea", 3, False, "2020", None, "the lists of that time disagree"),
        ("Diarrhea", 3, False, "2020-02", True, "listed up to grade 3"),
        ("Hepatitis", 1, False, "2021-01-01", False, "not listed"),
        ("Diarrhea", None, False, "2021-01-01", None, "the grade is not known"),
        ("Hepatitis", None, False, "2021-01-01", False, "not listed"),
        ("Diarrhea", 3, True, "2021-01-01", False, "this event was fatal"),
        ("Diarrhea", None, True, "2021-01-01", False, "this event was fatal"),
        ("Stroke", 5, True, "2021-01-01", True, "listed up to grade 5"),
        ("Stroke", None, True, "2021-01-01", True, "listed up to grade 5"),
        ("Hypertension", 1, False, "2018-08-19", None, "no list was in force at onset"),
        ("Hypertension", 1, False, "2018", None, "no list was in force at onset"),
        ("Hypertension", 1, False, None, None, "no list was in force at onset (an unknown day)"),
    ],
)
def test_by_the_list_in_force(
    term: str, grade: int | None, fatal: bool, onset: str | None, answer: bool | None, why: str
) -> None:
    found = expected(term, grade, fatal, PartialDate.parse(onset) if onset else None, [NEW, OLD])
    assert found.expected is answer
    assert why in found.why
    assert found.treated_as_expected is (answer is True)


@pytest.mark.parametrize(
    ("substance", "grade", "answer"),
    [("CAMRELIZUMAB", 2, True), ("camrelizumab", 3, False), (None, 2, False), ("SINTILIMAB", 3, True), ("NIVOLUMAB", 2, False)],
)
def test_a_list_of_one_substance_adds_to_its_class_or_stands_alone(substance: str | None, grade: int, answer: bool) -> None:
    lists = [OLD, CAM, ALONE]
    assert expected("Rash", grade, False, PartialDate.parse("2021-01-01"), lists, substance).expected is answer
    of_class = expected("Hypertension", 3, False, PartialDate.parse("2021-01-01"), lists, substance).expected
    assert of_class is (substance != "SINTILIMAB")


def test_without_any_list_nothing_is_expected() -> None:
    found = expected("Hypertension", 1, False, PartialDate.parse("2021-01-01"), [])
    assert (found.expected, found.why) == (None, "no reference safety information is configured")


@given(
    st.sampled_from(["Hypertension", "Diarrhea", "Stroke", "Rash"]), st.integers(1, 5), st.integers(1, 5), st.booleans(),
    st.dates(date(2017, 1, 1), date(2022, 1, 1)),
)  # fmt: skip
def test_a_higher_grade_or_a_death_is_never_more_expected(term: str, one: int, other: int, fatal: bool, onset: date) -> None:
    low, high = sorted((one, other))
    when = PartialDate.parse(onset.isoformat())
    answers = [
        expected(term, grade, died, when, [OLD, NEW, CAM]).treated_as_expected for grade, died in ((low, False), (high, fatal))
    ]
    assert answers[0] >= answers[1]


def study(**more: object) -> StudySettings:
    components = [{"name": "lenvatinib", "profile": "lenvatinib"}, {"name": "pd1", "profile": "pd1"}]
    return StudySettings.of({"study": {"id": "S"}, "components": components, **more})


def test_a_list_of_the_study_takes_the_place_of_the_shipped_ones() -> None:
    own = {"component": "lenvatinib", "effective_from": date(2026, 1, 1), "source": "IB 18", "highest": {"Pneumonitis": 2}}
    settings = study(rsi=[own])
    check_lists(settings)
    lenvatinib, pd1 = settings.components
    onset = PartialDate.parse("2026-03-01")
    assert expectedness(lenvatinib, "Pneumonitis", 2, False, onset, settings).lists == ("IB 18",)
    assert expectedness(lenvatinib, "Hypertension", 3, False, onset, settings).expected is False
    assert expectedness(pd1, "Pneumonitis", 3, False, onset, settings).expected is True


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"component": "lenva"}, "'lenva' is no component"),
        ({"highest": {"Pneumonitits": 2}}, "rsi of lenvatinib, from 2026-01-01"),
    ],
)
def test_lists_that_cannot_be_used(change: dict[str, object], message: str) -> None:
    own = {"component": "lenvatinib", "effective_from": date(2026, 1, 1), "source": "IB", "highest": {"Pneumonitis": 2}}
    with pytest.raises(SettingsError, match=message):
        check_lists(study(rsi=[own | change]))


def test_every_shipped_term_is_one_of_ctcae_and_no_death_is_expected() -> None:
    names = {term.name.upper() for term in ctcae_v403.terms()}
    for profile, lists in _shipped().items():
        for each in lists:
            assert not set(each.highest) - names, profile
            assert set(each.highest.values()) <= {1, 2, 3, 4}
    assert {"lenvatinib", "pd1", "ablation"} == set(_shipped())
    assert lists_of(study().components[0], study())[0].effective_from == date(2018, 8, 20)
