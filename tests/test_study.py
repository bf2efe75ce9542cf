"""Study settings: what may be left out, and what a misspelt or impossible key is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from safety_monitor.study import Component, SettingsError, StudySettings


def of(**configured: Any) -> StudySettings:
    return StudySettings.of({"study": {"id": "S1"}, **configured}, "study.yaml")


def test_what_is_left_out() -> None:
    settings = of()
    assert (settings.id, settings.study.timezone, settings.study.cutoff) == ("S1", "UTC", None)
    assert (settings.treatment_emergent.rule, settings.treatment_emergent.days_after_last) == ("window", 30)
    assert (settings.grade.source, settings.grade.map, settings.related) == ("AETOXGR", {}, ("Y",))
    assert (settings.terminology, settings.post_window_days) == ("ctcae", 90)
    assert (settings.components, settings.stopping, settings.device_status, settings.immune_flag) == ((), (), None, None)


@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ({"stoping": []}, "study.yaml: unknown key 'stoping'; did you mean 'stopping'?"),
        ({"study": {"id": "S1", "tittle": "x"}}, "unknown key 'study.tittle'; did you mean 'title'?"),
        ({"components": [{"name": "a", "matches": []}]}, "unknown key 'components.0.matches'; did you mean 'match'?"),
        ({"zzz": 1}, "unknown key 'zzz'; known keys: accrual, advice, aesi"),
        ({"study": {}}, "study.id: Field required"),
        ({"study": {"id": ""}}, "study.id"),
        ({"study": {"id": "S1", "timezone": "Mars/North"}}, "'Mars/North' is not an IANA time zone"),
        ({"study": {"id": "S1", "timezone": "Asia"}}, "'Asia' is not an IANA time zone"),
        ({"study": {"id": "S1", "cutoff": "30 June"}}, "study.cutoff"),
        ({"treatment_emergent": {"days_after_last": -1}}, "treatment_emergent.days_after_last"),
        ({"grade": {"source": "AESEV", "map": {"MILD": 6}}}, "6 is not a grade; CTCAE grades are 1 to 5"),
        ({"components": [{"name": "a"}, {"name": "A"}]}, "each name must be its own"),
        ({"components": [{"name": "other"}]}, "DISEASE and OTHER are taken"),
        ({"components": [{"name": "two words"}]}, "components.0.name"),
        ({"components": [{"name": "a", "kind": "device"}]}, "components.0.kind"),
        ({"stopping": [{"event": "death", "p0": 1.5, "n_max": 10}]}, "stopping.0.p0"),
        ({"stopping": [{"event": "death", "p0": 0.2}]}, "stopping.0.n_max: Field required"),
        ({"accrual": {"planned": 0}}, "accrual.planned"),
        ({"device_status": "maybe"}, "device_status"),
    ],
)
def test_refused_by_name(configured: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        of(**configured)
    assert said in str(refused.value)


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        of(stoping=[], post_window_days=-1)
    assert len(str(refused.value).splitlines()) == 2


def test_words_are_compared_in_capitals() -> None:
    settings = of(related=[" possible", "Y"], grade={"source": "AESEV", "map": {" mild ": 1}})
    assert (settings.related, settings.grade.map) == (("POSSIBLE", "Y"), {"MILD": 1})


@pytest.mark.parametrize(
    ("treatment", "matches"),
    [("SINTILIMAB", True), ("  sintilimab ", True), ("SINTILIMAB 200 MG", False), ("", False), (None, False)],
)
def test_a_component_is_matched_by_its_whole_name(treatment: str | None, matches: bool) -> None:
    assert Component(name="pd1", match=("Sintilimab",)).matches(treatment) is matches


def test_settings_survive_json_and_cannot_be_changed() -> None:
    settings = of(components=[{"name": "a", "match": ["A"]}], stopping=[{"event": "death", "p0": 0.2, "n_max": 10}],
                  study={"id": "S1", "cutoff": "2026-06-30"})  # fmt: skip
    assert StudySettings.model_validate(settings.model_dump(mode="json")) == settings
    with pytest.raises(ValidationError):
        settings.post_window_days = 1  # type: ignore[misc]
