"""Caffe's pooling against its rule in plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.nn import CaffePool


def naive(x, kind, kernel, stride, padding):
    """One map (H, H): windows end with the padding, and a mean is over all of what is left."""
    size = x.shape[0]
    count = math.ceil((size + 2 * padding - kernel) / stride) + 1
    if (count - 1) * stride >= size + padding:
        count -= 1
    out = torch.empty(count, count)
    for i in range(count):
        for j in range(count):
            top, left = i * stride - padding, j * stride - padding
            bottom, right = (min(each + kernel, size + padding) for each in (top, left))
            part = x[max(top, 0) : min(bottom, size), max(left, 0) : min(right, size)]
            area = (bottom - top) * (right - left)
            out[i, j] = part.max() if kind == "max" else part.sum() / area
    return out


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_every_window_is_caffes(data):
    kernel = data.draw(st.integers(1, 5))
    size = data.draw(st.integers(kernel, 12))
    stride = data.draw(st.integers(1, kernel))
    padding = data.draw(st.integers(0, kernel - 1))
    kind = data.draw(st.sampled_from(["max", "mean"]))
    x = torch.randn(1, 2, size, size, generator=torch.Generator().manual_seed(size)) - 3
    layer = CaffePool(kind, (kernel,) * 2, stride=(stride,) * 2, padding=(padding,) * 2)
    found = layer(x)
    assert found.shape[2:] == layer.outputs(size, size)
    for channel in range(2):
        wanted = naive(x[0, channel], kind, kernel, stride, padding)
        assert torch.allclose(found[0, channel], wanted, atol=1e-6)


def test_height_and_width_are_apart_and_rounding_down_is_a_choice():
    layer = CaffePool("max", (3, 2), stride=(2, 1), padding=(1, 0), ceiling=False)
    assert layer(torch.zeros(1, 1, 8, 5)).shape == (1, 1, 4, 4)
    assert CaffePool("max", (3, 3), stride=(2, 2)).outputs(8, 2) == (4, 0)
    assert repr(layer) == "CaffePool(max, (3, 2), stride=(2, 1), padding=(1, 0))"


def test_windows_that_cannot_be_are_told():
    with pytest.raises(RecipeError, match=r"padding of \(3, 0\) is not under its kernel"):
        CaffePool("max", (3, 3), padding=(3, 0))
    with pytest.raises(RecipeError, match="a stride of at least 1"):
        CaffePool("mean", (3, 3), stride=(0, 1))
