"""Naranjo, WHO-UMC and RUCAM: every item by its score table, the published vectors, and what the data answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safety_monitor.attribution import Case, Challenge, Exposure
from safety_monitor.attribution.instruments import (
    Answered,
    Liver,
    naranjo,
    prefill_naranjo,
    prefill_rucam,
    prefill_who_umc,
    r_ratio,
    rucam,
    rucam_form,
    who_umc,
)
from safety_monitor.attribution.instruments.items import tables
from safety_monitor.attribution.instruments.rucam import alternatives_answer, course_answer, onset_answer
from safety_monitor.study import Component
from safety_monitor.vocabulary import ComponentKind

LENVATINIB, PD1 = Component(name="lenvatinib", profile="lenvatinib"), Component(name="pd1", profile="pd1")
ABLATION = Component(name="ablation", kind=ComponentKind.PROCEDURE, profile="ablation")
TRIAL = (ABLATION, LENVATINIB, PD1)

#: item: yes, no, unknown, as printed by Naranjo 1981 (PMC6136411 table 1)
NARANJO = {
    "Q1": (1, 0, 0), "Q2": (2, -1, 0), "Q3": (1, 0, 0), "Q4": (2, -1, 0), "Q5": (-1, 2, 0),
    "Q6": (-1, 1, 0), "Q7": (1, 0, 0), "Q8": (1, 0, 0), "Q9": (1, 0, 0), "Q10": (1, 0, 0),
}  # fmt: skip


@pytest.mark.parametrize("item", NARANJO)
@pytest.mark.parametrize(("place", "answer"), list(enumerate(("yes", "no", "unknown"))))
def test_naranjo_item_by_item(item: str, place: int, answer: str) -> None:
    assert naranjo({item: answer}).total == NARANJO[item][place]


@pytest.mark.parametrize(
    ("scores", "total", "category"),
    [
        ((0, 2, 1, 0, 2, 0, 0, 0, 0, 1), 6, "probable"),  # PMC6136411
        ((1, 2, 0, 0, -1, 0, 0, 0, 0, 1), 3, "possible"),  # World J Clin Cases 2024;12(7):1371 table 1
    ],
)
def test_naranjo_by_published_vectors(scores: tuple[int, ...], total: int, category: str) -> None:
    words = ("yes", "no", "unknown")
    answers = {
        item: words[NARANJO[item].index(score)] if score else "unknown" for item, score in zip(NARANJO, scores, strict=True)
    }
    result = naranjo(answers)
    assert [item.score for item in result.items] == list(scores)
    assert (result.total, result.category) == (total, category)


@pytest.mark.parametrize(
    ("total", "category"),
    [
        (-4, "doubtful"),
        (0, "doubtful"),
        (1, "possible"),
        (4, "possible"),
        (5, "probable"),
        (8, "probable"),
        (9, "definite"),
        (13, "definite"),
    ],
)
def test_naranjo_totals(total: int, category: str) -> None:
    # from the lowest up, one point after the other by the items that have it
    best = {item: ("no" if item in ("Q5", "Q6") else "yes") for item in NARANJO}
    worst = {item: ("yes" if item in ("Q5", "Q6") else "no") for item in NARANJO}
    for choice in range(2**10):
        answers = {item: (best if choice >> n & 1 else worst)[item] for n, item in enumerate(NARANJO)}
        if naranjo(answers).total == total:
            assert naranjo(answers).category == category
            return
    pytest.fail(f"no answers give {total}")


answers = st.dictionaries(st.sampled_from(list(NARANJO)), st.sampled_from(("yes", "no", "unknown")))


@given(answers, answers)
def test_unknown_items_leave_the_total_within_the_range_it_states(known: dict[str, str], later: dict[str, str]) -> None:
    before = naranjo(known)
    open_items = set(before.unknown)
    after = naranjo({**known, **{item: answer for item, answer in later.items() if item in open_items}})
    assert before.total == sum(item.score for item in before.items)
    assert before.range[0] <= after.total <= before.range[1]


def test_an_item_or_word_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Naranjo has no item Q11"):
        naranjo({"Q11": "yes"})
    with pytest.raises(ValueError, match="Naranjo Q1: 'perhaps' is no answer; use one of yes, no, unknown"):
        naranjo({"Q1": "perhaps"})


@pytest.mark.parametrize(
    ("given_", "category", "fails"),
    [
        ("time_plausible other_causes=no withdrawal_plausible specific rechallenge", "certain", ()),
        ("time_plausible other_causes=no withdrawal_plausible specific rechallenge=not_needed", "certain", ()),
        ("time_plausible other_causes=no withdrawal_plausible specific", "probable", ("rechallenge is unknown",)),
        ("time_plausible other_causes=no withdrawal_plausible", "probable", ("specific is unknown", "rechallenge is unknown")),
        ("time_plausible other_causes=no", "possible", ("withdrawal_plausible is unknown",)),
        ("time_plausible other_causes", "possible", ("other_causes is yes", "withdrawal_plausible is unknown")),
        ("time_plausible", "possible", ("other_causes is unknown", "withdrawal_plausible is unknown")),
        ("time_plausible=no other_causes", "unlikely", ("time_plausible is no",)),
        ("more_data", "conditional", ("time_plausible is unknown",)),
        ("", "unassessable", ("time_plausible is unknown",)),
    ],
)
def test_who_umc(given_: str, category: str, fails: tuple[str, ...]) -> None:
    pairs = (part.partition("=") for part in given_.split())
    result = who_umc({name: answer or "yes" for name, _, answer in pairs})
    assert (result.category, result.fails) == (category, fails)


#: item: answer -> score, as printed for the updated RUCAM
RUCAM = {
    "hepatocellular": {
        "onset": {"suggestive": 2, "compatible": 1, "after_stop": 1, "incompatible": 0},
        "course": {"fall_half_8_days": 3, "fall_half_30_days": 2, "continued": 0, "fall_half_later": 0, "no_fall": -2},
        "alcohol": {"yes": 1, "no": 0}, "age": {"yes": 1, "no": 0},
        "concomitant": {"none": 0, "compatible": -1, "known_hepatotoxin": -2, "proven": -3},
        "alternatives": {"all_excluded": 2, "group_one_excluded": 1, "five_or_six_excluded": 0, "fewer_excluded": -2,
                         "highly_probable": -3},
        "known": {"labelled": 2, "published": 1},
        "reexposure": {"doubled_alone": 3, "doubled_with_others": 1, "no_rise": -2},
    },
}  # fmt: skip
RUCAM["cholestatic"] = RUCAM["hepatocellular"] | {
    "course": {"fall_half_180_days": 2, "fall_less": 1, "continued": 0, "no_fall": 0}, "pregnancy": {"yes": 1, "no": 0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("form", "item", "answer", "score"),
    [
        (form, item, answer, score)
        for form, items in RUCAM.items()
        for item, table in items.items()
        for answer, score in table.items()
    ],
)
def test_rucam_item_by_item(form: str, item: str, answer: str, score: int) -> None:
    result = rucam(form, {item: answer})
    assert result.total == score
    assert next(each for each in result.items if each.id == item).score == score


@pytest.mark.parametrize("form", RUCAM)
def test_rucam_has_no_other_items_and_reaches_its_extremes(form: str) -> None:
    assert {row["id"] for row in tables()["rucam"][form]} == set(RUCAM[form])
    best = rucam(form, {item: max(table, key=table.__getitem__) for item, table in RUCAM[form].items()})
    worst = rucam(form, {item: min(table, key=table.__getitem__) for item, table in RUCAM[form].items() if item != "known"})
    assert (best.category, worst.category) == ("highly_probable", "excluded")
    assert (best.total, worst.total) == (
        {"hepatocellular": 14, "cholestatic": 14}[form],
        {"hepatocellular": -10, "cholestatic": -8}[form],
    )


@pytest.mark.parametrize(
    ("total", "category"),
    [
        (0, "excluded"),
        (1, "unlikely"),
        (2, "unlikely"),
        (3, "possible"),
        (5, "possible"),
        (6, "probable"),
        (8, "probable"),
        (9, "highly_probable"),
    ],
)
def test_rucam_totals(total: int, category: str) -> None:
    steps = [
        ("onset", "suggestive", 2),
        ("course", "fall_half_8_days", 3),
        ("alcohol", "yes", 1),
        ("known", "labelled", 2),
        ("age", "yes", 1),
    ]
    for choice in range(2 ** len(steps)):
        chosen = [step for n, step in enumerate(steps) if choice >> n & 1]
        if sum(score for *_, score in chosen) == total:
            assert rucam("hepatocellular", {item: answer for item, answer, _ in chosen}).category == category
            return
    pytest.fail(f"no answers give {total}")


@pytest.mark.parametrize(
    ("r", "form"), [(5.0, "hepatocellular"), (4.99, "cholestatic"), (2.0, "cholestatic"), (0.5, "cholestatic")]
)
def test_rucam_form_by_ratio(r: float, form: str) -> None:
    assert rucam_form(r) == form


def test_ratio_wants_values_above_zero() -> None:
    assert r_ratio(alt_x_uln=6, alp_x_uln=2) == 3
    with pytest.raises(ValueError, match="above zero"):
        r_ratio(alt_x_uln=6, alp_x_uln=0)


@pytest.mark.parametrize(
    ("form", "start", "stop", "later", "answer"),
    [
        ("hepatocellular", 5, None, False, "suggestive"), ("hepatocellular", 90, None, False, "suggestive"),
        ("hepatocellular", 4, None, False, "compatible"), ("hepatocellular", 91, None, False, "compatible"),
        ("hepatocellular", 60, 15, False, "after_stop"), ("hepatocellular", 60, 16, False, "incompatible"),
        ("hepatocellular", 60, 0, False, "suggestive"), ("hepatocellular", -1, None, False, "incompatible"),
        ("hepatocellular", 15, None, True, "suggestive"), ("hepatocellular", 16, None, True, "compatible"),
        ("cholestatic", 60, 30, False, "after_stop"), ("cholestatic", 60, 31, False, "incompatible"),
        ("cholestatic", 90, None, True, "suggestive"), ("hepatocellular", None, None, False, "unknown"),
    ],
)  # fmt: skip
def test_rucam_onset(form: str, start: float | None, stop: float | None, later: bool, answer: str) -> None:
    assert onset_answer(form, days_from_start=start, days_from_stop=stop, later_treatment=later) == answer


@pytest.mark.parametrize(
    ("form", "series", "stopped", "reference", "answer"),
    [
        ("hepatocellular", [(50, 11), (58, 6)], 50, 1, "fall_half_8_days"),
        ("hepatocellular", [(50, 11), (59, 6)], 50, 1, "fall_half_30_days"),
        ("hepatocellular", [(50, 11), (58, 6.1), (80, 5)], 50, 1, "fall_half_30_days"),
        ("hepatocellular", [(50, 11), (81, 5)], 50, 1, "fall_half_later"),
        ("hepatocellular", [(50, 11), (81, 9)], 50, 1, "no_fall"),
        ("hepatocellular", [(50, 11), (70, 9)], 50, 1, "unknown"),  # not followed for long enough
        ("hepatocellular", [(50, 11)], 50, 1, "unknown"),
        ("hepatocellular", [(50, 11), (58, 6)], None, 1, "continued"),
        ("hepatocellular", [(50, 11), (58, 7)], 50, 3, "fall_half_8_days"),  # towards a baseline of 3 x ULN
        ("hepatocellular", [(50, 11), (58, 7), (81, 7)], 50, 1, "no_fall"),  # the same, towards the limit
        ("cholestatic", [(50, 5), (229, 3)], 50, 1, "fall_half_180_days"),
        ("cholestatic", [(50, 5), (231, 3)], 50, 1, "fall_less"),
        ("cholestatic", [(50, 5), (100, 4.5)], 50, 1, "fall_less"),
        ("cholestatic", [(50, 5), (100, 6)], 50, 1, "no_fall"),
    ],
)
def test_rucam_course(form: str, series: list[tuple[float, float]], stopped: float | None, reference: float, answer: str) -> None:
    assert course_answer(form, series, stopped_on=stopped, reference=reference) == answer


ONE = ("hav", "hbv", "hcv", "hev", "biliary", "alcohol_hepatitis", "hypotension")
TWO = ("underlying_disease", "cmv", "ebv", "hsv", "vzv")


@pytest.mark.parametrize(
    ("excluded", "answer"),
    [
        ((*ONE, *TWO), "all_excluded"), (ONE, "group_one_excluded"), ((*ONE, *TWO[:4]), "group_one_excluded"),
        (ONE[:6], "five_or_six_excluded"), (ONE[:5], "five_or_six_excluded"), (ONE[:4], "fewer_excluded"), ((), "fewer_excluded"),
        ((*ONE[:4], *TWO), "fewer_excluded"),
    ],
)  # fmt: skip
def test_rucam_other_causes(excluded: tuple[str, ...], answer: str) -> None:
    assert alternatives_answer(dict.fromkeys(excluded, True)) == answer


def test_a_cause_that_was_found_explains_the_injury() -> None:
    assert alternatives_answer({**dict.fromkeys(ONE, True), "hbv": False}) == "highly_probable"


# --- what the data answer

DIARRHEA = Case(
    "1", "Diarrhea", grade=3, evidence={"other_cause": False},
    exposures={
        "lenvatinib": Exposure(True, 60, 0, True, Challenge.POSITIVE, Challenge.POSITIVE, inferred={"dechallenge": "held"}),
        "ablation": Exposure(True, 70, 70), "pd1": Exposure(exposed=False),
    },
)  # fmt: skip


def test_naranjo_from_the_data() -> None:
    found, notes = prefill_naranjo(DIARRHEA, LENVATINIB, TRIAL)
    assert {item: answer.answer for item, answer in found.items()} == {
        "Q1": "yes",
        "Q2": "yes",
        "Q3": "yes",
        "Q4": "yes",
        "Q5": "no",
    }
    assert found["Q3"].evidence == "inferred: held"
    assert all(answer.prefilled and answer.evidence for answer in found.values())
    result = naranjo(found, notes)
    assert (result.total, result.category, result.range) == (8, "probable", (7, 13))
    by_person = naranjo(found | {"Q5": Answered("yes", "infection suspected")}, notes)
    assert (by_person.total, by_person.items[4].prefilled) == (5, False)


@pytest.mark.parametrize(
    ("case", "component", "said"),
    [
        (DIARRHEA, ABLATION, "Q3: a procedure is over at once"),
        (Case("1", "Hypothyroidism", exposures={"lenvatinib": Exposure(True, 60, 0)}), LENVATINIB, "does not recover"),
        (Case("1", "Diarrhea", exposures={"pd1": Exposure(True, 60, 0)}), PD1, "acts on for months"),
    ],
)
def test_naranjo_says_where_stopping_means_nothing(case: Case, component: Component, said: str) -> None:
    found, notes = prefill_naranjo(case, component, TRIAL)
    assert "Q3" not in found
    assert said in notes[0]


def test_the_other_components_are_other_causes() -> None:
    both = Case("1", "Diarrhea", exposures={"lenvatinib": Exposure(True, 60, 0), "pd1": Exposure(True, 60, 10)})
    assert prefill_naranjo(both, LENVATINIB, TRIAL)[0]["Q5"].answer == "yes"
    assert "Q5" not in prefill_naranjo(both, LENVATINIB)[0]


def test_an_event_before_the_first_dose() -> None:
    before = Case("1", "Diarrhea", exposures={"lenvatinib": Exposure(True, -3)})
    assert prefill_naranjo(before, LENVATINIB)[0]["Q2"].answer == "no"
    assert who_umc(prefill_who_umc(before, LENVATINIB)).category == "unlikely"


def test_who_umc_from_the_data() -> None:
    assert who_umc(prefill_who_umc(DIARRHEA, LENVATINIB, TRIAL)).category == "probable"
    assert who_umc(prefill_who_umc(Case("1", "Diarrhea"), LENVATINIB)).category == "unassessable"


def test_rucam_from_the_data_and_an_abnormal_baseline() -> None:
    values = Liver(
        onset_day=40, stopped_day=42, alt=[(40, 9), (42, 11), (50, 7)], baseline=3, age=61, drinks=False,
        excluded=dict.fromkeys(ONE, True),
    )  # fmt: skip
    found, notes = prefill_rucam("hepatocellular", values, PD1)
    result = rucam("hepatocellular", found, notes)
    assert {item.id: item.score for item in result.items} == {
        "onset": 2, "course": 3, "alcohol": 0, "age": 1, "concomitant": 0, "alternatives": 1, "known": 1, "reexposure": 0,
    }  # fmt: skip
    assert (result.total, result.category, result.unknown) == (8, "probable", ("concomitant", "reexposure"))
    assert "baseline 3 × ULN" in result.notes[0]
    unknown, _ = prefill_rucam("hepatocellular", Liver(onset_day=None))
    assert unknown["course"].answer == "continued"
    assert set(unknown) == {"course"}
