"""Turns: rates are work over time, of at least one step each, after one that does not count."""

from __future__ import annotations

import pytest

from alexnet.benchmarking import timing as turns
from alexnet.benchmarking.timing import Turns, take_turns


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves only where a step says so."""

    class Clock:
        now = 0.0

        def perf_counter(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def taking(clock, name, seconds, pictures=4.0, prepare=lambda: None):
    def step():
        clock.now += next(seconds)
        return pictures

    return Turns(name, step, prepare)


def test_rates_are_pictures_a_second(clock):
    each = taking(clock, "a", iter([9.0, 0.5, 0.5, 2.0, 1.0]))
    take_turns([each], rounds=3, seconds=1.0)
    assert each.rates == [8.0, 2.0, 4.0]
    assert (each.median, each.least, each.most) == (4.0, 2.0, 8.0)


def test_contenders_change_places_and_are_prepared_each_time(clock):
    order = []
    both = [
        taking(clock, n, iter([1.0] * 9), prepare=lambda n=n: order.append(n)) for n in ("a", "b")
    ]
    take_turns(both, rounds=2, seconds=0.5)
    assert order == ["a", "b"] * 3


def test_preparation_is_not_counted(clock):
    def prepare():
        clock.now += 100

    each = taking(clock, "a", iter([1.0, 1.0]), prepare=prepare)
    take_turns([each], rounds=1, seconds=0.5)
    assert each.rates == [4.0]
