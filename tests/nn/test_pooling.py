"""Pooling against loops: overlapping windows, and windows that hang over the edge."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.nn import MaxPool, MeanPool


def cut_windows(x: Tensor, kernel: int, stride: int, ceiling: bool) -> list[list[Tensor]]:
    """Return the part inside the map of each window, row by row."""

    def starts(size: int) -> range:
        end = size if ceiling else size - kernel + 1
        last = range(0, end, stride)
        # rounding up adds windows until the edge is reached, never one that starts behind it
        count = next(i for i, s in enumerate(last) if s + kernel >= size) + 1 if ceiling else None
        return last[:count]

    return [
        [x[..., top : top + kernel, left : left + kernel] for left in starts(x.shape[3])]
        for top in starts(x.shape[2])
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda k: st.tuples(st.just(k), st.integers(1, k))),
    st.integers(4, 11),
    st.integers(4, 11),
    st.booleans(),
)
def test_both_pools_equal_loops_over_the_part_inside(kernel_and_stride, height, width, ceiling):
    kernel, stride = kernel_and_stride
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0)) - 5
    rows = cut_windows(x, kernel, stride, ceiling)
    largest = torch.stack([torch.stack([w.amax((2, 3)) for w in row], 2) for row in rows], 2)
    means = torch.stack([torch.stack([w.mean((2, 3)) for w in row], 2) for row in rows], 2)
    torch.testing.assert_close(MaxPool(kernel, stride=stride, ceiling=ceiling)(x), largest)
    torch.testing.assert_close(MeanPool(kernel, stride=stride, ceiling=ceiling)(x), means)


def test_the_paper_pools_three_wide_two_apart_and_rounds_up():
    for size, wanted in ((55, 27), (27, 13), (13, 6), (32, 16), (16, 8), (8, 4)):
        assert MaxPool()(torch.zeros(1, 1, size, size)).shape[2:] == (wanted, wanted)
    assert MaxPool(ceiling=False)(torch.zeros(1, 1, 32, 32)).shape[2] == 15


def test_the_corner_is_a_mean_over_what_is_there():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    found = MeanPool(3, stride=2)(x)
    assert found[0, 0].tolist() == [[5.0, 6.5], [11.0, 12.5]]  # last: 10, 11, 14, 15


def test_gaps_between_windows_are_refused():
    with pytest.raises(RecipeError, match="windows of 2 with stride 3 leave gaps"):
        MaxPool(2, stride=3)
    assert "3, stride=2, ceiling=True" in repr(MeanPool())
