"""Curves drawn on purpose: each symptom is seen in its own, none in those of a sound training."""

from __future__ import annotations

import math

import pytest

from alexnet.records import Epoch
from alexnet.training import find_symptoms

ENTROPY = math.log(3)
STEPS = 2  # an epoch: 60 images in batches of 32


def curve(losses, errors, val_losses=None, val_errors=None):
    n = len(losses)
    return [
        Epoch(
            epoch=i + 1,
            step=STEPS * (i + 1),
            lr=0.01,
            train_loss=losses[i],
            train_error=errors[i],
            val_loss=val_losses[i] if val_losses else None,
            val_error=val_errors[i] if val_errors else None,
            val_top5_error=0.0 if val_errors else None,
            images_per_s=1.0,
            seconds=1.0,
            best=False,
        )
        for i in range(n)
    ]


def names(epochs, majority_error=2 / 3):
    found = find_symptoms(epochs, entropy=ENTROPY, majority_error=majority_error)
    return [symptom.name for symptom in found]


def falling(count, start=ENTROPY, rate=0.9):
    return [start * rate**i for i in range(count)]


@pytest.mark.parametrize("count", [1, 2, 5, 10, 20, 40])
def test_a_sound_training_of_few_steps_has_no_symptom(count):
    losses = falling(count)
    errors = [0.66 * 0.9**i for i in range(count)]
    val = [loss + 0.05 for loss in losses]
    assert names(curve(losses, errors, val, errors)) == []
    assert names(curve(losses, errors), None) == []


def test_a_loss_that_stands_still_for_epochs_of_two_steps_is_stalled():
    flat = curve([ENTROPY * 1.001] * 40, [0.66] * 40, [ENTROPY] * 40, [0.66] * 40)
    (found,) = find_symptoms(flat, entropy=ENTROPY, majority_error=2 / 3)
    assert found.name == "stalled"
    assert "1.0997 over the last 5 of 40 epochs (80 steps)" in found.sentence
    assert names(flat[:14]) == [], "a few epochs of two steps say nothing"
    assert names(curve([ENTROPY] * 20, [0.66] * 20), None) == ["stalled"]


def test_a_loss_that_falls_slowly_or_a_validation_that_gets_better_is_not_stalled():
    slow = [1.3 - 0.01 * i for i in range(20)]
    assert names(curve(slow, [0.66] * 20)) == []
    dropped = curve([ENTROPY] * 20, [0.6] * 20, [0.7] * 20, [0.2] * 20)
    assert "stalled" not in names(dropped)
    late = curve([ENTROPY] * 15 + falling(5), [0.5] * 20)
    assert names(late) == []


def test_a_loss_far_above_chance_that_does_not_fall_says_that_the_rate_is_too_high():
    assert names(curve([5.0, 4.0, 6.0, 5.0] * 3, [0.66] * 12)) == ["rate too high"]
    assert names(curve(falling(12, 8.0, 0.7), [0.66] * 12)) == []
    assert names(curve([5.0, 6.0, 5.0], [0.66] * 3)) == []


def overfitted(after, val_error=0.4):
    losses = [1.0, 0.6, 0.3, 0.1, 0.05] + [0.01] * after
    errors = [0.6, 0.4, 0.2, 0.1, 0.02] + [0.0] * after
    val = [1.0, 0.8, 0.7, 0.8, 1.0] + [1.0 + 0.15 * i for i in range(1, after + 1)]
    return curve(
        losses, errors, val, [0.6, 0.5, val_error, val_error, val_error] + [val_error] * after
    )


def test_a_validation_loss_that_doubles_while_all_training_images_are_known_is_overfitting():
    (found,) = find_symptoms(overfitted(4), entropy=ENTROPY, majority_error=2 / 3)
    assert found.name == "overfitting"
    assert "the training error is 0.0%" in found.sentence
    assert "risen from 0.700 (epoch 3) to 1.600 (epoch 9)" in found.sentence
    assert names(overfitted(1)) == [], "not doubled yet"


def test_a_low_validation_error_or_a_tiny_loss_that_doubles_is_no_overfitting():
    assert names(overfitted(4, val_error=0.05)) == []
    tiny = curve([0.01] * 8, [0.0] * 8, [0.02] * 4 + [0.05] * 4, [0.2] * 8)
    assert names(tiny) == []
    learning = curve([0.5] * 8, [0.3] * 8, [0.6] * 4 + [1.3] * 4, [0.4] * 8)
    assert names(learning) == [], "the training images are not known by heart"


def test_a_training_error_far_above_that_of_validation_is_underfitting():
    under = curve(falling(12, 1.5, 0.99), [0.9] * 12, [1.0] * 12, [0.5] * 12)
    assert names(under) == ["underfitting"]
    augmented = curve(falling(12, 1.5, 0.99), [0.4] * 12, [0.3] * 12, [0.1] * 12)
    assert names(augmented) == [], "a good validation error needs no advice"
