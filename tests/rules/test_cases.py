"""Who hears of a case: when it opens, grows, is withdrawn; and who does not."""

from __future__ import annotations

from datetime import date

import pytest

from safety_monitor.records import Episode, Query
from safety_monitor.rules.cases import decide_case, decide_liver
from safety_monitor.vocabulary import CaseState, EpisodeEnd

NONE, DRAFT, CONFIRMED, DISMISSED, WITHDRAWN = CaseState


def episode(state: CaseState, grade: int = 3) -> Episode:
    day = date(2026, 3, 1)
    return Episode(study_id="S", usubjid="1", term="Anemia", opened_on=day, onset_on=day, onset_grade=1, worst_grade=grade,
                   worst_on=day, last_on=day, n_results=1, ended=EpisodeEnd.ONGOING, case_state=state)  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, episode(DRAFT), ("lab_unreported", "results_without_report")),
        (episode(NONE), episode(DRAFT), ("lab_unreported", "results_without_report")),
        (episode(WITHDRAWN), episode(DRAFT), ("lab_unreported", "results_without_report")),
        (episode(DISMISSED), episode(DRAFT, 4), ("lab_unreported", "results_without_report")),
        (episode(DRAFT), episode(DRAFT, 4), ("lab_unreported", "unreported_results_worse")),
        (episode(CONFIRMED), episode(CONFIRMED, 4), ("lab_unreported", "unreported_results_worse")),
        (episode(DRAFT), None, ("lab_withdrawn", "results_corrected")),
        (episode(CONFIRMED), None, ("lab_withdrawn", "results_corrected")),
        (episode(DRAFT), episode(WITHDRAWN, 2), ("lab_withdrawn", "results_corrected")),
        # nothing to tell
        (None, episode(NONE), None),
        (episode(DRAFT), episode(DRAFT), None),
        (episode(DRAFT, 4), episode(DRAFT, 3), None),  # still a case
        (episode(DRAFT), episode(CONFIRMED), None),  # a person said so
        (episode(DRAFT), episode(DISMISSED), None),
        (episode(DRAFT), episode(NONE), None),  # it was reported
        (episode(NONE), None, None),
        (episode(DISMISSED), None, None),
        (episode(WITHDRAWN), episode(WITHDRAWN), None),
        (None, None, None),
    ],
)
def test_what_is_told_of_a_step(before: Episode | None, after: Episode | None, told: tuple[str, str] | None) -> None:
    found = decide_case(before, after, "01", 2)
    assert (found and (found[0].kind.value, found[0].rule_id)) == told


def test_the_same_step_is_told_once_and_another_one_anew() -> None:
    keys = [decide_case(None, episode(DRAFT), "01", version) for version in (1, 1, 2)]
    assert [found[0].distinct for found in keys if found] == [
        "Anemia 2026-03-01 1", "Anemia 2026-03-01 1", "Anemia 2026-03-01 2",
    ]  # fmt: skip


def test_a_mail_names_subject_site_term_and_grade_and_no_result() -> None:
    found = decide_case(None, episode(DRAFT).model_copy(update={"evidence": "HGB 70 g/L on 2026-03-01"}), "01", 1)
    assert found is not None
    decision, state = found
    assert (state.usubjid, state.siteid, state.term, state.grade, state.onset) == ("1", "01", "Anemia", 3, "2026-03-01")
    assert "70" not in f"{decision}{state}"


@pytest.mark.parametrize(
    ("check", "opened", "told"),
    [
        ("HYS_LAW_CANDIDATE", True, ("hys_law", "hys_law_candidate")),
        ("HYS_LAW_CANDIDATE", False, ("lab_withdrawn", "hys_law_withdrawn")),
        ("NOT_REPORTED", True, None),
    ],
)
def test_a_liver_signal_is_told_when_it_appears_and_when_it_goes(check: str, opened: bool, told: tuple[str, str] | None) -> None:
    query = Query(study_id="S", check_id=check, usubjid="1", siteid="01", about="liver", owner="medical_monitor", text="why")
    found = decide_liver(query, opened)
    assert (found and (found[0].kind.value, found[0].rule_id)) == told
