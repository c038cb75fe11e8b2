"""Rates are work over time, of at least one step a round, after a warm-up step."""

from __future__ import annotations

import pytest

from alexnet.benchmarking import measurement
from alexnet.benchmarking.measurement import Measurement, measure


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only where a step says so."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(measurement, "time", clock)
    return clock


def make_measurement(clock, name, seconds, images=4.0, setup=lambda: None):
    def step():
        clock.now += next(seconds)
        return images

    return Measurement(name, step, setup)


def test_rates_are_images_a_second(clock):
    each = make_measurement(clock, "a", iter([9.0, 0.5, 0.5, 2.0, 1.0]))
    measure([each], rounds=3, seconds=1.0)
    assert each.rates == [8.0, 2.0, 4.0]
    assert (each.median, each.min, each.max) == (4.0, 2.0, 8.0)


def test_measurements_take_turns_and_are_set_up_each_time(clock):
    order = []
    both = [
        make_measurement(clock, n, iter([1.0] * 9), setup=lambda n=n: order.append(n))
        for n in ("a", "b")
    ]
    measure(both, rounds=2, seconds=0.5)
    assert order == ["a", "b"] * 3


def test_setup_is_not_timed(clock):
    def setup():
        clock.now += 100

    each = make_measurement(clock, "a", iter([1.0, 1.0]), setup=setup)
    measure([each], rounds=1, seconds=0.5)
    assert each.rates == [4.0]
