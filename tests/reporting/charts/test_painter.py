import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.reporting.charts.painter import (
    CORRECT,
    SOFT,
    chart_style,
    new_chart,
    number_ticks,
    percent_ticks,
    to_svg,
)


def chart(x=(1, 2, 3), y=(4.0, 2.0, 1.0), seed="Loss", label="Loss. It falls.") -> str:
    with chart_style(seed=seed):
        axes = new_chart(400, 236, left=46, right=74)
        axes.plot(x, y, color=CORRECT, gid="line")
        axes.scatter(x, y, color=SOFT, gid="dots")
        axes.set(xlim=(x[0], x[-1]), xlabel="epoch")
        tips = {"line": ["the <whole>"], "dots": [f"point {each}\u202e" for each in x]}
        return to_svg(axes, label, tips)


def written(low, high, scale="linear", **options) -> list[str]:
    with chart_style():
        axes = new_chart(400, 236)
        axes.set(xscale=scale, xlim=(low, high))
        number_ticks(axes.xaxis, **options)
        axes.figure.draw_without_rendering()
        ticks = zip(axes.get_xticks(), axes.xaxis.get_ticklabels(), strict=True)
        return [text.get_text() for at, text in ticks if low * 0.999 <= at <= high * 1.001]


def test_a_line_goes_from_left_to_right_and_down_where_values_fall():
    svg = chart()
    line = re.search(r'd="M ([^"]+)" [^>]*><title>the &lt;whole&gt;', svg)
    assert line
    points = [tuple(map(float, each.split())) for each in line[1].split("L")]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # px count from the top
    assert points[0][0] == 46
    assert points[-1][0] == 400 - 74
    assert 'aria-label="Loss. It falls."' in svg
    assert 'data-left="46" data-right="326" data-first="1" data-last="3"' in svg


def test_a_chart_takes_size_letters_and_colors_from_the_page():
    root = ElementTree.fromstring(chart())
    assert root.attrib["role"] == "img"
    assert "width" not in root.attrib
    assert root.attrib["viewBox"] == "0 0 400 236"
    assert "epoch" in [text.text for text in root.iter("text")]
    for element in root.iter():
        assert element.tag != "style"
        assert not re.search(r"font|#[0-9a-f]{6}", element.get("style", ""))


def test_ids_are_those_that_are_linked_and_differ_from_chart_to_chart():
    a, b = chart(seed="a"), chart(seed="b")
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in (a, b)]
    assert ids[0] == set(re.findall(r'(?:href="|url\()#([^")]+)', a))
    assert ids[0].isdisjoint(ids[1])


def test_the_same_chart_is_drawn_alike():
    assert chart() == chart()


def test_every_point_has_its_tip():
    assert re.findall(r"<title>(point [^<]+)</title>", chart()) == [
        f"point {each}\\u202e" for each in (1, 2, 3)
    ]


@settings(max_examples=20, deadline=None)
@given(st.floats(1e-6, 1e3), st.floats(1.5, 1e6), st.booleans())
def test_an_axis_has_few_ticks_and_all_within(low, factor, log):
    ticks = written(low, low * factor, "log" if log else "linear")
    assert 2 <= len(ticks) <= 7


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        ((1e-4, 1e-1, "log"), ["0.0001", "0.001", "0.01", "0.1"]),
        ((0.001, 0.01, "log"), ["0.001", "0.002", "0.005", "0.01"]),
        ((0, 2.4), ["0", "0.5", "1", "1.5", "2"]),
    ],
)
def test_known_ticks(axis, ticks):
    assert written(*axis) == ticks


def test_ticks_of_whole_numbers():
    assert written(16, 256, "log", whole=True) == ["16", "32", "64", "128", "256"]
    assert written(1, 3, whole=True) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("high", "last"), [(0.4, "40\u202f%"), (0.04, "4.0\u202f%"), (0.002, "0.20\u202f%")]
)
def test_shares_are_written_as_percents_with_as_many_digits_as_tell_them_apart(high, last):
    with chart_style():
        axes = new_chart(400, 236)
        axes.set_ylim(0, high)
        percent_ticks(axes.yaxis)
        axes.figure.draw_without_rendering()
        assert last in [text.get_text() for text in axes.yaxis.get_ticklabels()]
