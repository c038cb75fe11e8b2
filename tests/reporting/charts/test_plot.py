import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.records import SearchedField
from alexnet.reporting.charts.plot import Axis, axis_of_field, axis_over


def field(**changes) -> SearchedField:
    usual = {"field": "lr", "low": 1e-4, "high": 0.1, "scale": "log", "whole": False}
    return SearchedField(**{**usual, "choices": None, "only_with": None, "usual": 0.01, **changes})


def written(axis: Axis) -> list[str]:
    return [text for _, text in axis.ticks()]


@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e6), st.booleans())
def test_an_axis_writes_few_places_and_all_within(low, factor, log):
    axis = Axis("rate", low, low * factor, "log" if log else "linear")
    places = [share for share, _ in axis.ticks()]
    assert 2 <= len(places) <= 6
    assert all(-0.001 <= share <= 1.001 for share in places)
    assert places == sorted(places)


def test_known_ticks():
    assert written(Axis("lr", 1e-4, 1e-1, "log")) == ["0.0001", "0.001", "0.01", "0.1"]
    assert written(Axis("batch", 16, 256, "log", whole=True)) == ["16", "32", "64", "128", "256"]
    assert written(Axis("batch", 20, 30, "log", whole=True)) == ["20", "30"]
    assert written(Axis("epoch", 1, 3, whole=True)) == ["1", "2", "3"]
    assert written(Axis("error", 0, 0.4, unit="percent"))[-1] == "40\u202f%"
    assert written(Axis("flip", scale="names", names=[True, False])) == ["yes", "no"]


def test_a_log_axis_halves_at_the_geometric_mean():
    axis = axis_of_field(field())
    assert axis.share(1e-4) == 0
    assert axis.share(10**-2.5) == pytest.approx(0.5)
    assert axis.share(0.1) == pytest.approx(1)


def test_choices_lie_in_the_middle_of_their_parts():
    axis = axis_of_field(field(low=None, high=None, scale=None, choices=["relu", "tanh"]))
    assert [axis.share("relu"), axis.share("tanh")] == [0.25, 0.75]


def test_an_axis_over_values_holds_them_with_some_air():
    axis = axis_over("error", [0.2, 0.4])
    assert axis.low < 0.2 < 0.4 < axis.high
    assert axis_over("error", [0.0, 1.0]).low == 0
    assert 0 < axis_over("error", [0.5]).share(0.5) < 1
