"""grade-event: a grade from findings at the terminal."""

from __future__ import annotations

import pytest


def test_a_proposal_with_what_is_still_to_ask(monitor):
    answer = monitor("grade-event", "--term", "pneumothorax", "--finding", "chest_tube_indicated")
    assert answer.code == 0
    assert "Pneumothorax: grade 2; possible: 2, 3, 4, 5" in answer.out
    assert "met: intervention indicated" in answer.out
    assert "[hospitalization_indicated]" in answer.out


def test_a_check_of_an_assigned_grade(monitor):
    answer = monitor("grade-event", "--term", "Pneumothorax", "--finding", "chest_tube_indicated=Y", "--assigned", "1")
    assert answer.code == 0
    assert "Assigned grade 1: too low (the findings meet grade 2: intervention indicated)" in answer.out


def test_a_measured_value_and_the_answer_for_programs(monitor):
    answer = monitor(
        "grade-event", "--term", "Hypokalemia", "--finding", 'potassium={"value": 2.8, "unit": "mmol/L", "lln": 3.5}',
        "--finding", "life_threatening=N", "--finding", "death=N", "--assigned", "3", "--json",
    )  # fmt: skip
    assert (answer.json["grade"], answer.json["possible"], answer.json["settled"]) == (3, [3], True)
    assert (answer.json["verdict"], answer.json["questions"]) == ("agree", [])


def test_questions_in_chinese(monitor):
    answer = monitor("grade-event", "--term", "Fatigue", "--language", "zh")
    assert answer.code == 0
    assert "？" in answer.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--term", "Pneumothoracks"), "did you mean 'Pneumothorax'"),
        (("--term", "Pneumothorax", "--finding", "chest_tube"), "did you mean chest_tube_indicated"),
        (("--term", "Pneumothorax", "--finding", "death=perhaps"), "write Y, N"),
        (("--term", "Hypokalemia", "--finding", "potassium={2.8}"), '{"value": 2.8, "unit": "mmol/L", "lln": 3.5}'),
    ],
)
def test_what_cannot_be_read_is_refused(monitor, arguments, said):
    answer = monitor("grade-event", *arguments)
    assert answer.code == 1
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_wrong_use(monitor):
    assert monitor("grade-event").code == 2
    assert monitor("grade-event", "--term", "Fatigue", "--assigned", "6").code == 2
