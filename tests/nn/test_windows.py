"""Window arithmetic against counting by hand, and against the sizes that torch's pooling gives."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.nn import Window

windows = st.builds(
    Window,
    kernel=st.integers(1, 12),
    stride=st.integers(1, 6),
    padding=st.integers(0, 4),
    ceiling=st.booleans(),
)


def format_count(window: Window, size: int) -> int:
    """Lay windows one by one until the padded input is covered, or the next would not fit."""
    padded = size + 2 * window.padding
    if window.kernel > padded:
        return 0
    end, found = window.kernel, 1
    while end + window.stride <= padded or (window.ceiling and end < padded):
        end += window.stride
        found += 1
    return found


@settings(max_examples=200, deadline=None)
@given(windows, st.integers(1, 60))
def test_counts_and_edges_equal_laying_windows_one_by_one(window, size):
    found = format_count(window, size)
    assert window.outputs(size) == found
    padded = size + 2 * window.padding
    end = (found - 1) * window.stride + window.kernel if found else 0
    assert window.overhang(size) == max(0, end - padded)
    assert window.uncovered(size) == max(0, padded - end)
    if found:
        assert not (window.overhang(size) and window.uncovered(size))
        assert max(window.overhang(size), window.uncovered(size)) < window.stride


@settings(max_examples=200, deadline=None)
@given(windows, st.integers(1, 60))
def test_missing_positions_make_coverage_exact(window, size):
    def exact(size: int, padding: int) -> bool:
        return (size + 2 * padding - window.kernel) % window.stride == 0

    lacking = window.missing(size)
    assert [exact(size + more, window.padding) for more in range(lacking)] == [False] * lacking
    assert exact(size + lacking, window.padding)
    paddings = [p for p in range(window.padding, window.padding + 20) if exact(size, p)]
    assert window.exact_padding(size) == (paddings[0] if paddings else None)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6).flatmap(lambda k: st.tuples(st.just(k), st.integers(1, k))),
    st.integers(1, 30),
    st.booleans(),
)
def test_pool_sizes_are_those_of_torch(kernel_and_stride, size, ceiling):
    kernel, stride = kernel_and_stride
    found = Window(kernel, stride, 0, ceiling).outputs(size)
    if found:
        x = torch.zeros(1, 1, size, size)
        assert functional.max_pool2d(x, kernel, stride, ceil_mode=ceiling).shape[2] == found
    else:
        assert kernel > size


def test_the_first_layer_of_the_paper_in_its_three_readings():
    program, floor = Window(11, 4, 0, ceiling=True), Window(11, 4, 0)
    caffe, torchvision = Window(11, 4, 0), Window(11, 4, 2)
    assert (program.outputs(224), program.overhang(224), program.uncovered(224)) == (55, 3, 0)
    assert (floor.outputs(224), floor.uncovered(224)) == (54, 1)
    assert (caffe.outputs(227), caffe.overhang(227), caffe.uncovered(227)) == (55, 0, 0)
    assert (torchvision.outputs(224), torchvision.uncovered(224)) == (55, 1)
    assert program.missing(224) == 3
    assert program.exact_padding(224) is None
    assert Window(3, 3).exact_padding(10) == 1


@pytest.mark.parametrize("settings", [(0, 1, 0), (3, 0, 0), (3, 1, -1)])
def test_invalid_window_raises(settings):
    kernel, stride, padding = settings
    found = f"got kernel {kernel}, stride {stride}, padding {padding}"
    with pytest.raises(RecipeError, match=found):
        Window(*settings)
