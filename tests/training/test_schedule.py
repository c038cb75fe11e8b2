"""Rates by hand, for each schedule."""

import json
from itertools import pairwise

import pytest

from alexnet.recipe import Recipe
from alexnet.training import Schedule


def test_steps_drop_by_ten_and_biases_follow_as_often_as_the_recipe_says():
    recipe = Recipe(
        schedule="steps", milestones=(2, 4), lr=0.01, bias_lr_ratio=2, bias_lr_drops=1, epochs=9
    )
    schedule = Schedule(recipe, steps_per_epoch=10)
    found = [schedule.rates(step) for step in (0, 19, 20, 39, 40)]
    assert [r.weights for r in found] == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.0001])
    assert [r.biases for r in found] == pytest.approx([0.02, 0.02, 0.002, 0.002, 0.002])
    assert [r.epoch for r in found] == [0, 1, 2, 3, 4]


def test_plateau_drops_when_the_error_stops_falling_and_ends_after_the_last():
    schedule = Schedule(Recipe(schedule="plateau", patience=2, max_lr_drops=1, epochs=90), 1)
    errors = [0.5, 0.4, 0.4, 0.4, 0.3, 0.35, 0.3]
    seen = []
    for epoch, error in enumerate(errors, 1):
        best = schedule.observe(epoch, error)
        seen.append((best, schedule.plan.lr_drops, schedule.plan.stop_reason is not None))
    assert [each[0] for each in seen] == [True, True, False, False, True, False, False]
    assert [each[1] for each in seen] == [0, 0, 0, 1, 1, 1, 1]
    assert [each[2] for each in seen] == [False] * 6 + [True]
    assert "stopped falling after 1 drop of the rate" in schedule.plan.stop_reason


def test_of_equal_errors_the_lower_loss_is_kept_and_the_plateau_goes_on():
    schedule = Schedule(Recipe(schedule="plateau", patience=3, epochs=90), 1)
    nan = float("nan")
    seen = [(0.1, 0.5), (0.1, 0.6), (0.1, 0.4), (0.2, 0.1), (0.1, nan), (0.1, None), (0.05, nan)]
    best = [schedule.observe(epoch, *each) for epoch, each in enumerate(seen, 1)]
    assert best == [True, False, True, False, False, False, True]
    assert schedule.plan.lr_drops == 1
    assert (schedule.plan.best_epoch, schedule.plan.best_loss) == (7, None)
    assert schedule.observe(8, 0.05, 0.3)


def test_cosine_warms_up_and_falls_to_nothing():
    schedule = Schedule(Recipe(schedule="cosine", warmup_epochs=1, epochs=3, lr=1.0), 10)
    rates = [schedule.rates(step).weights for step in range(30)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == 1.0
    assert rates[20] == pytest.approx(0.5)
    assert rates[29] < 0.01
    assert all(a < b for a, b in pairwise(rates[:11]))
    assert all(a > b for a, b in pairwise(rates[10:]))


def test_early_stop_and_the_end():
    schedule = Schedule(Recipe(schedule="constant", early_stop=2, epochs=9), 1)
    for epoch, error in enumerate([0.5, 0.6, 0.7], 1):
        schedule.observe(epoch, error)
    assert schedule.plan.stop_reason == "2 epochs without a better validation error"
    schedule = Schedule(Recipe(schedule="constant", epochs=2), 1)
    assert schedule.observe(1, None)
    assert schedule.plan.stop_reason is None
    assert schedule.observe(2, None)
    assert schedule.plan.stop_reason == "2 epochs are done"


def test_state_goes_through_json():
    schedule = Schedule(Recipe(patience=1), 5)
    schedule.observe(1, 0.1 + 0.2, 1 / 3)
    schedule.observe(2, 0.9)
    other = Schedule(Recipe(patience=1), 5)
    other.load_state(json.loads(json.dumps(schedule.state())))
    assert other.plan == schedule.plan
    assert other.rates(7) == schedule.rates(7)


FEW = {"val_images": 24}


def test_of_few_validation_images_the_smoothed_loss_chooses_and_not_the_error():
    schedule = Schedule(Recipe(schedule="cosine", epochs=9), 1, **FEW)
    errors = [0.3, 0.1, 0.2, 0.2, 0.2]
    losses = [0.9, 1.2, 0.3, 0.6, 0.9]  # means of three: 0.9, 1.05, 0.8, 0.7, 0.6
    best = [
        schedule.observe(i, *each) for i, each in enumerate(zip(errors, losses, strict=True), 1)
    ]
    assert best == [True, False, True, True, True]
    assert schedule.plan.best_loss == pytest.approx(0.6)
    assert (schedule.plan.best_epoch, schedule.plan.best_error) == (5, 0.2)


def test_the_network_before_the_first_epoch_may_be_the_best():
    schedule = Schedule(Recipe(schedule="cosine", epochs=9), 1, **FEW)
    assert [schedule.observe(i, 0.1, loss) for i, loss in enumerate([0.2, 0.5, 0.4])] == [
        True,
        False,
        False,
    ]
    assert schedule.plan.best_epoch == 0


@pytest.mark.parametrize(("images", "stops"), [(None, True), (100, True), (99, False)])
def test_nothing_stops_early_on_few_validation_images(images, stops):
    recipe = Recipe(schedule="constant", early_stop=2, epochs=9)
    schedule = Schedule(recipe, 1, val_images=images)
    for epoch, error in enumerate([0.5, 0.6, 0.7], 1):
        schedule.observe(epoch, error, error)
    assert (schedule.plan.stop_reason is not None) == stops
    for epoch in range(4, 10):
        schedule.observe(epoch, 0.9, 0.9)
    assert schedule.plan.stop_reason is not None


def test_losses_of_few_images_that_are_no_numbers_are_never_the_best_but_for_the_first():
    nan = float("nan")
    schedule = Schedule(Recipe(schedule="constant", epochs=9), 1, **FEW)
    best = [schedule.observe(i, 0.5, loss) for i, loss in enumerate([nan, 1.0, 1.0, 1.0, 0.9], 1)]
    assert best == [True, False, False, True, True]


def test_a_plan_of_an_older_version_goes_on():
    schedule = Schedule(Recipe(schedule="constant", epochs=9), 1, **FEW)
    schedule.observe(1, 0.5, 1.0)
    state = schedule.state()
    del state["recent_losses"]
    other = Schedule(Recipe(schedule="constant", epochs=9), 1, **FEW)
    other.load_state(state)
    assert other.observe(2, 0.5, 0.9)
