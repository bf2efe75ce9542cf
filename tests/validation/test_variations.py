"""What the study varies reaches the engine: a changed profile finds its changed rows, a changed weight changes shares."""

from __future__ import annotations

import pytest
from attribution_trials import simulate
from variations import DISEASE, PROFILES, Setting, ask, changed, judged, moved, scaled, shipped

from safety_monitor.attribution import Profile
from safety_monitor.attribution.catalogue import Row


def _row(profile: Profile) -> Row:
    return profile.find("Pneumothorax", organ_class=None, verbatim="").row


def test_a_changed_profile_finds_the_changed_rows_even_after_the_shipped_one_was_asked() -> None:
    before = _row(shipped("ablation"))
    assert before.incidence_any is not None
    assert before.onset is not None
    assert _row(scaled(shipped("ablation"), lambda: 1 / 3)).incidence_any == pytest.approx(before.incidence_any / 3)
    later = _row(moved(shipped("ablation"), stretch=2.0, shift=30.0)).onset
    assert later is not None
    assert (later.low, later.high) == (2 * before.onset.low + 30, 2 * before.onset.high + 30)
    assert _row(shipped("ablation")) == before


def test_a_profile_that_is_not_changed_stays_what_it_was() -> None:
    assert all(changed(shipped(name)) == shipped(name) for name in PROFILES)


def test_every_weight_multiplied_by_one_changes_nothing() -> None:
    events = simulate(1, seed=5).head(300)
    base = ask(events).shares
    for weight in judged():
        assert ask(events, weight.by(Setting(), 1.0)).shares == pytest.approx(base), weight.label


def test_labels_tell_the_weights_apart() -> None:
    labels = [weight.label for weight in judged()]
    assert len(labels) == len(set(labels))


def test_a_tuned_finding_keeps_its_direction() -> None:
    weight = next(each for each in judged() if each.turns_at and each.value < 1)
    assert weight.value * weight.kept(100.0) == pytest.approx(1.0)
    assert weight.kept(0.5) == 0.5


def test_three_times_the_disease_is_a_larger_share_of_it_in_every_event_it_can_have_caused() -> None:
    events = simulate(1, seed=5).head(300)
    more = ask(events, Setting({DISEASE: scaled(shipped(DISEASE), lambda: 3.0)})).shares[:, 3]
    assert (more >= ask(events).shares[:, 3]).all()
