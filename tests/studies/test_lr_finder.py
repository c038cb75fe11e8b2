from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alexnet.studies.lr_finder import find_fall, noise_std, smooth


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_smoothing_is_an_exponential_mean(losses):
    smoothed = smooth(losses)
    for i in (0, len(losses) - 1):
        weights = [0.9 ** (i - j) for j in range(i + 1)]
        expected = sum(w * v for w, v in zip(weights, losses, strict=False)) / sum(weights)
        assert smoothed[i] == pytest.approx(expected, abs=1e-9)


def test_smoothing_keeps_a_constant():
    assert smooth([2.0] * 30) == pytest.approx([2.0] * 30)


def valley(step: float, floor: float = 0.5) -> list[float]:
    """Flat at 2.3 up to step 40, then down to `floor` at step 70, then up."""
    flat = [2.3] * 40
    down = [2.3 - (2.3 - floor) * i / 30 for i in range(31)]
    return [*flat, *down, *[floor + step * i for i in range(1, 10)]]


def test_the_fall_starts_behind_the_flat_part():
    first, last = find_fall(valley(1.0))
    assert last == 70
    assert 40 <= first <= 44


def test_noise_before_the_fall_does_not_start_it():
    noise = torch.randn(80, generator=torch.Generator().manual_seed(0)) * 0.02
    first, last = find_fall([v + float(n) for v, n in zip(valley(1.0), noise, strict=True)])
    assert 40 <= first <= 46
    assert 68 <= last <= 72


@pytest.mark.parametrize("seed", range(20))
def test_a_small_fall_in_noise_is_located(seed):
    noise = torch.randn(80, generator=torch.Generator().manual_seed(seed)) * 0.02
    raw = [v + float(n) for v, n in zip(valley(0.01, floor=2.2), noise, strict=True)]
    first, _ = find_fall(smooth(raw), noise_std(raw))
    assert 38 <= first <= 64  # the smoothed loss follows some steps behind


def test_noise_alone_is_no_fall():
    falls = 0
    for seed in range(100):
        noise = torch.randn(100, generator=torch.Generator().manual_seed(seed)).tolist()
        raw = [2.3 + 0.05 * each for each in noise]
        falls += find_fall(smooth(raw), noise_std(raw)) is not None
    assert falls <= 15


def test_noise_std_is_that_of_the_smoothed_loss():
    draw = torch.Generator().manual_seed(1)
    raw = [5 + 0.3 * each for each in torch.randn(4000, generator=draw).tolist()]
    late = torch.tensor(smooth(raw)[100:])
    assert noise_std(raw) == pytest.approx(float(late.std()), rel=0.15)
    assert noise_std([1.0]) == noise_std([]) == 0


def test_a_rising_loss_has_no_fall():
    assert find_fall([1.0, 2.0, 3.0]) is None
    assert find_fall([]) is None
    assert find_fall([2.3] * 50) is None


def test_smoothed_losses_are_finite():
    assert all(map(math.isfinite, smooth([1.0, 2.0])))
