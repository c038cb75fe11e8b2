"""Pooling with a start and a number of outputs, against loops over clipped windows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import RecipeError
from alexnet.nn import MaxPool, MeanPool, OffsetPool

CHOICES = {
    "max": lambda part: part.amax((-2, -1)),
    "avg": lambda part: part.mean((-2, -1)),
    "maxabs": lambda part: part.flatten(-2).gather(
        -1, part.flatten(-2).abs().argmax(-1, keepdim=True)
    )[..., 0],
}


def by_hand(x, kind, kernel, stride, start, outputs):
    found = torch.empty(*x.shape[:2], outputs, outputs, dtype=x.dtype)
    for i in range(outputs):
        for j in range(outputs):
            top, left = start + i * stride, start + j * stride
            rows = slice(max(0, top), max(0, top + kernel))
            columns = slice(max(0, left), max(0, left + kernel))
            found[:, :, i, j] = CHOICES[kind](x[:, :, rows, columns])
    return found


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["max", "maxabs", "avg"]),
    side=st.integers(1, 9),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5),
    start=st.integers(-4, 3),
    outputs=st.integers(1, 5),
)
def test_it_equals_the_loop_wherever_windows_touch_the_map(
    kind, side, kernel, stride, start, outputs
):
    stride = min(stride, kernel)
    pool = OffsetPool(kind, kernel, stride=stride, start=start, outputs=outputs)
    if pool.misses(side):
        return
    generator = torch.Generator().manual_seed(side * 100 + kernel)
    x = torch.randn(2, 3, side, side, dtype=torch.float64, generator=generator)
    assert torch.allclose(pool(x), by_hand(x, kind, kernel, stride, start, outputs))


def test_without_a_start_it_is_the_plain_pooling():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(OffsetPool("max", 3, stride=2, outputs=4)(x), MaxPool()(x))
    assert torch.allclose(OffsetPool("avg", 3, stride=2, outputs=4)(x), MeanPool()(x))


@pytest.mark.parametrize("arguments", [("med", 3, 2), ("max", 2, 3), ("max", 3, 0)])
def test_gaps_and_other_kinds_are_refused(arguments):
    kind, kernel, stride = arguments
    with pytest.raises(RecipeError, match="with a stride between 1 and the kernel"):
        OffsetPool(kind, kernel, stride=stride, outputs=2)
