"""Intervals of cross-validation: wide enough for a new test part, and for images in groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.evaluation import cross_validation_interval, effective_images, wilson_interval


def test_without_groups_every_image_counts():
    correct = np.arange(200) % 5 > 0
    assert effective_images(correct, np.arange(200)) == 200
    assert effective_images(correct, np.arange(200)[::-1] * 7) == 200


def test_images_that_are_right_or_wrong_together_count_once():
    correct = np.repeat(np.arange(40) % 4 > 0, 5)
    assert effective_images(correct, np.repeat(np.arange(40), 5)) == pytest.approx(40)


def test_images_of_a_group_that_have_nothing_in_common_count_each():
    """Of each group as many are right as of all images: they are even less alike than by chance."""
    correct = np.tile([True, True, True, False], 50)
    assert effective_images(correct, np.repeat(np.arange(50), 4)) == 200


def test_the_correlation_is_that_of_a_simulation():
    """Of groups whose members share a coin with probability r, the estimate is r."""
    draw = np.random.default_rng(0)
    groups, r = np.repeat(np.arange(4000), 4), 0.3
    shared = np.repeat(draw.random(4000) < 0.8, 4)
    own = draw.random(16000) < 0.8
    correct = np.where(np.repeat(draw.random(4000), 4) < r, shared, own)
    assert effective_images(correct, groups) == pytest.approx(16000 / (1 + r * 3), rel=0.05)


@pytest.mark.parametrize("right", [True, False])
def test_where_all_are_alike_only_groups_count(right):
    correct = np.full(60, right)
    assert effective_images(correct, np.repeat(np.arange(20), 3)) == pytest.approx(20)


@given(
    st.lists(st.booleans(), min_size=1, max_size=80),
    st.integers(1, 30),
    st.integers(2, 20),
)
def test_an_interval_holds_the_accuracy_and_lies_in_0_to_1(right, groups, folds):
    correct = np.array(right)
    found = cross_validation_interval(correct, np.arange(len(correct)) % groups, folds=folds)
    assert 0 <= found.low <= correct.mean() <= found.high <= 1
    plain = wilson_interval(float(correct.mean()), len(correct))
    assert found.high - found.low >= plain.high - plain.low - 1e-9


def test_fewer_folds_move_the_upper_end_alone():
    correct = np.arange(300) % 4 > 0
    two, ten = (cross_validation_interval(correct, np.arange(300), folds=n) for n in (2, 10))
    assert two.low == ten.low
    assert two.high > ten.high


@pytest.mark.parametrize("accuracy", [0.5, 0.85])
@pytest.mark.parametrize("test_images", [150, 300, 1000])
def test_independent_images_and_their_test_part_agree_19_times_of_20(accuracy, test_images):
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        correct = draw.random(300) < accuracy
        found = cross_validation_interval(correct, np.arange(300))
        held += found.low <= (draw.random(test_images) < accuracy).mean() <= found.high
    assert held >= 380


def test_bursts_and_their_test_part_agree_19_times_of_20():
    draw = np.random.default_rng(2)
    groups = np.repeat(np.arange(60), 5)
    held = 0
    for _ in range(400):
        correct = np.repeat(draw.random(60) < 0.8, 5)
        found = cross_validation_interval(correct, groups)
        held += found.low <= (draw.random(300) < 0.8).mean() <= found.high
    assert held >= 380
    naive = wilson_interval(0.8, 300)
    assert naive.high - naive.low < (found.high - found.low) / 2


def test_shares_of_repetitions_are_taken_too():
    shares = np.tile([1.0, 2 / 3, 1.0], 40)
    found = cross_validation_interval(shares, np.arange(120))
    assert found.low < shares.mean() < found.high
