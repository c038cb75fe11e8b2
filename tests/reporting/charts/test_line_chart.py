import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.reporting.charts.line_chart import Chart, Line, draw_chart, ticks


@given(
    st.floats(-1e3, 1e3),
    st.floats(1e-3, 1e6),
    st.integers(2, 8),
)
def test_ticks_are_few_round_and_inside(low, width, most):
    high = low + width
    found = ticks(low, high, most)
    slack = 1e-6 * max(abs(low), abs(high), width)
    assert len(found) <= most + 1
    assert all(low - slack <= tick <= high + slack for tick in found)
    steps = {round((b - a) / width, 6) for a, b in itertools.pairwise(found)}
    assert len(steps) <= 1


def test_known_ticks():
    assert ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(0, 2.4) == [0, 0.5, 1, 1.5, 2]
    assert ticks(3, 3) == [3]


def chart(values, **changes):
    return Chart(
        **{
            "title": "Loss",
            "sentence": "It falls.",
            "x": range(1, len(values) + 1),
            "lines": [Line("train", "train", values)],
            **changes,
        }
    )


def test_a_line_goes_from_left_to_right_and_down_where_values_fall():
    drawn = draw_chart(chart([4.0, 2.0, 1.0]))
    path = re.search(r'd="M([^"]+)"', drawn)
    assert path
    points = [tuple(map(float, each.split())) for each in path[1].split("L")]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # px count from the top
    assert points[0][0] == 46
    assert points[-1][0] == 400 - 74
    assert 'aria-label="Loss. It falls."' in drawn


def test_gaps_break_the_line_and_a_lonely_value_is_a_dot():
    drawn = draw_chart(chart([1.0, 0.5, None, 0.3, None]))
    assert len(re.findall(r"<path", drawn)) == 1
    assert len(re.findall(r'class="dot train"', drawn)) == 1


def test_stairs_keep_their_height_up_to_the_next_value():
    drawn = draw_chart(
        chart([0.01, 0.01, 0.001], lines=[Line("", "rate steps", [0.01, 0.01, 0.001])])
    )
    path = re.search(r'd="M[\d.]+ ([\d.]+)H[\d.]+V([\d.]+)H[\d.]+V([\d.]+)H[\d.]+V([\d.]+)"', drawn)
    assert path
    assert path[1] == path[2] == path[3] != path[4]


def test_nothing_finite_is_a_sentence():
    assert "Loss: no finite figures to draw." in draw_chart(chart([None, None]))


@pytest.mark.parametrize("values", [[1.0], [0.0], [0.0, 0.0], [5.0, 5.0]])
def test_few_or_equal_values_can_be_drawn(values):
    drawn = draw_chart(chart(values))
    assert "nan" not in drawn
    assert "inf" not in drawn


def test_a_logarithmic_axis_has_powers_of_ten_that_enclose_the_values():
    drawn = draw_chart(chart([0.03, 0.0003], logarithmic=True))
    labels = re.findall(r'class="ytick">([^<]+)<', drawn)
    assert labels == ["0.0001", "0.001", "0.01", "0.1"]


def test_names_at_the_right_end_keep_their_distance():
    lines = [
        Line(name, "val", [1.0, value]) for name, value in (("a", 0.5), ("b", 0.501), ("c", 0.499))
    ]
    drawn = draw_chart(chart([1.0, 0.5], lines=lines))
    spots = sorted(float(y) for y in re.findall(r'y="([\d.]+)" class="name', drawn))
    assert len(spots) == 3
    assert all(b - a >= 13.9 for a, b in itertools.pairwise(spots))
    assert spots[-1] <= 236 - 26
