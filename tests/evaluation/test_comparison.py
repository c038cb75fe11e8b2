"""Is one better than another: against scipy, naive resampling, and what must hold for any input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from alexnet.evaluation import difference_interval, holm, mcnemar


def answers(both: int, only_first: int, only_second: int, neither: int):
    """Which images each got right, from how many of each kind there are."""
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return np.array(first), np.array(second)


@pytest.mark.parametrize("only_first", [0, 1, 7, 40])
@pytest.mark.parametrize("only_second", [0, 2, 9, 400])
def test_mcnemar_is_a_two_sided_binomial_test(only_first, only_second):
    p = mcnemar(*answers(30, only_first, only_second, 5))
    tosses = only_first + only_second
    expected = binomtest(only_first, tosses).pvalue if tosses else 1.0
    assert p == pytest.approx(expected, rel=1e-9)


def test_equal_classifiers_are_told_apart_as_seldom_as_promised():
    draw = np.random.default_rng(0)
    told_apart = sum(
        mcnemar(draw.random(200) < 0.7, draw.random(200) < 0.7) < 0.05 for _ in range(400)
    )
    assert told_apart / 400 < 0.05


def test_the_interval_is_that_of_resampled_images():
    first, second = answers(300, 20, 45, 35)
    draw = np.random.default_rng(1)
    picked = draw.integers(0, len(first), size=(4000, len(first)))
    differences = second[picked].mean(1) - first[picked].mean(1)
    interval = difference_interval(first, second)
    low, high = np.quantile(differences, [0.025, 0.975])
    assert interval.low == pytest.approx(low, abs=0.004)
    assert interval.high == pytest.approx(high, abs=0.004)


def test_without_a_difference_up_to_three_images_may_differ():
    interval = difference_interval(*answers(50, 0, 0, 50))
    assert (interval.low, interval.high) == (-0.03, 0.03)
    assert difference_interval(*answers(1, 0, 0, 0)).high == 1.0


counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_exchanged_they_say_the_opposite(both, only_first, only_second, neither):
    first, second = answers(both, only_first, only_second, neither)
    if not len(first):
        return
    assert mcnemar(first, second) == mcnemar(second, first)
    interval, other = difference_interval(first, second), difference_interval(second, first)
    assert interval.low - 0.04 <= -other.high <= interval.low + 0.04
    assert interval.low <= second.mean() - first.mean() <= interval.high


def test_holm_corrects_step_by_step():
    # Holm's rule by hand: 0.01 * 4, 0.02 * 3, then never less than the one before.
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrected_values_are_no_smaller_and_in_the_same_order(values):
    corrected = holm(values)
    assert all(new >= old for new, old in zip(corrected, values, strict=True))
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)
