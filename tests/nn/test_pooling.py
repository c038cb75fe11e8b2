"""Pooling of each kind against loops: overlapping windows, edges, padding, offsets."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alexnet.errors import RecipeError
from alexnet.nn import AdaptiveAvgPool, AvgPool, CaffePool, MaxPool, OffsetPool


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
def test_max_and_avg_pool_equal_loops(kernel_and_stride, height, width, ceiling):
    kernel, stride = kernel_and_stride
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0)) - 5
    rows = cut_windows(x, kernel, stride, ceiling)
    largest = torch.stack([torch.stack([w.amax((2, 3)) for w in row], 2) for row in rows], 2)
    means = torch.stack([torch.stack([w.mean((2, 3)) for w in row], 2) for row in rows], 2)
    torch.testing.assert_close(MaxPool(kernel, stride=stride, ceiling=ceiling)(x), largest)
    torch.testing.assert_close(AvgPool(kernel, stride=stride, ceiling=ceiling)(x), means)


def test_max_pool_sizes_of_the_paper():
    for size, wanted in ((55, 27), (27, 13), (13, 6), (32, 16), (16, 8), (8, 4)):
        assert MaxPool()(torch.zeros(1, 1, size, size)).shape[2:] == (wanted, wanted)
    assert MaxPool(ceiling=False)(torch.zeros(1, 1, 32, 32)).shape[2] == 15


def test_avg_pool_averages_the_part_inside():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    found = AvgPool(3, stride=2)(x)
    assert found[0, 0].tolist() == [[5.0, 6.5], [11.0, 12.5]]  # last: 10, 11, 14, 15


def cells_by_hand(x: Tensor, grid: int) -> Tensor:
    """Return the mean of each cell in float64: from the first to the last position it touches."""
    out = torch.empty(*x.shape[:2], grid, grid, dtype=torch.float64)
    height, width = x.shape[2:]
    for i in range(grid):
        top, bottom = math.floor(i * height / grid), math.ceil((i + 1) * height / grid)
        for j in range(grid):
            left, right = math.floor(j * width / grid), math.ceil((j + 1) * width / grid)
            out[:, :, i, j] = x[:, :, top:bottom, left:right].double().mean((2, 3))
    return out


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 17), st.integers(1, 17), st.booleans())
def test_adaptive_pool_equals_loops_also_where_cells_overlap(grid, height, width, channels_last):
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0)) - 5
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    found = AdaptiveAvgPool(grid)(x)
    torch.testing.assert_close(found.double(), cells_by_hand(x, grid), rtol=1e-6, atol=1e-6)
    assert AdaptiveAvgPool(grid).cells(height)[-1][1] == height
    ends = AdaptiveAvgPool(grid).cells(height)
    assert ends == [
        (math.floor(i * height / grid), math.ceil((i + 1) * height / grid)) for i in range(grid)
    ]


def test_adaptive_pool_in_half_precision_is_rounded_once():
    x = torch.randn(1, 2, 7, 8, generator=torch.Generator().manual_seed(1)).bfloat16()
    wanted = cells_by_hand(x, 3)
    assert AdaptiveAvgPool(3)(x).dtype == torch.bfloat16
    torch.testing.assert_close(AdaptiveAvgPool(3)(x).double(), wanted, rtol=2**-8, atol=0)


def test_gradient_of_adaptive_pool_is_that_of_the_loops():
    x = torch.randn(1, 2, 7, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x.requires_grad_()
    weight = torch.arange(9.0, dtype=torch.float64).view(3, 3)
    found = torch.autograd.grad((AdaptiveAvgPool(3)(x) * weight).sum(), x)[0]
    wanted = torch.autograd.grad((cells_by_hand(x, 3) * weight).sum(), x)[0]
    torch.testing.assert_close(found, wanted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_adaptive_pool_on_a_gpu_has_one_gradient_every_time():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 384, 8, 8, generator=generator).cuda().requires_grad_()
    weight = torch.randn(64, 384, 3, 3, generator=generator).cuda()
    pool = AdaptiveAvgPool(3)
    torch.testing.assert_close(pool(x).cpu(), pool(x.cpu()), rtol=1e-5, atol=1e-6)
    found = [torch.autograd.grad((pool(x) * weight).sum(), x)[0] for _ in range(5)]
    assert all(torch.equal(each, found[0]) for each in found)


def test_adaptive_pool_without_a_grid_raises():
    with pytest.raises(RecipeError, match="grid of at least 1; got 0"):
        AdaptiveAvgPool(0)
    assert repr(AdaptiveAvgPool(3)) == "AdaptiveAvgPool(3)"


def test_pool_with_gaps_between_windows_raises():
    with pytest.raises(RecipeError, match="windows of 2 with stride 3 leave gaps"):
        MaxPool(2, stride=3)
    assert "3, stride=2, ceiling=True" in repr(AvgPool())


def caffe_by_hand(x, kind, kernel, stride, padding):
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
            area = part.numel() if kind == "avg_inside" else area
            out[i, j] = part.max() if kind == "max" else part.sum() / area
    return out


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_caffe_pool_equals_loops(data):
    kernel = data.draw(st.integers(1, 5))
    stride = data.draw(st.integers(1, kernel))
    padding = data.draw(st.integers(0, kernel - 1))
    least = max(1, kernel - 2 * padding - stride + 1)  # a larger window than the map may be the one
    size = data.draw(st.integers(least, 12))
    kind = data.draw(st.sampled_from(["max", "avg", "avg_inside"]))
    x = torch.randn(1, 2, size, size, generator=torch.Generator().manual_seed(size)) - 3
    layer = CaffePool(kind, (kernel,) * 2, stride=(stride,) * 2, padding=(padding,) * 2)
    found = layer(x)
    assert found.shape[2:] == layer.outputs(size, size)
    for channel in range(2):
        wanted = caffe_by_hand(x[0, channel], kind, kernel, stride, padding)
        assert torch.allclose(found[0, channel], wanted, atol=1e-6)


def test_caffe_pool_takes_height_and_width_and_rounds_down():
    layer = CaffePool("max", (3, 2), stride=(2, 1), padding=(1, 0), ceiling=False)
    assert layer(torch.zeros(1, 1, 8, 5)).shape == (1, 1, 4, 4)
    assert CaffePool("max", (3, 3), stride=(2, 2)).outputs(8, 2) == (4, 1)  # ceil(-1 / 2) + 1
    assert CaffePool("max", (3, 3), stride=(1, 2)).outputs(2, 0) == (0, 0)
    assert repr(layer) == "CaffePool(max, (3, 2), stride=(2, 1), padding=(1, 0))"


def test_caffe_pool_with_invalid_window_raises():
    with pytest.raises(RecipeError, match=r"padding of \(3, 0\) is not under its kernel"):
        CaffePool("max", (3, 3), padding=(3, 0))
    with pytest.raises(RecipeError, match="a stride of at least 1"):
        CaffePool("avg", (3, 3), stride=(0, 1))


REDUCTIONS = {
    "max": lambda part: part.amax((-2, -1)),
    "avg": lambda part: part.mean((-2, -1)),
    "maxabs": lambda part: part.flatten(-2).gather(
        -1, part.flatten(-2).abs().argmax(-1, keepdim=True)
    )[..., 0],
}


def offset_by_hand(x, kind, kernel, stride, start, outputs):
    found = torch.empty(*x.shape[:2], outputs, outputs, dtype=x.dtype)
    for i in range(outputs):
        for j in range(outputs):
            top, left = start + i * stride, start + j * stride
            rows = slice(max(0, top), max(0, top + kernel))
            columns = slice(max(0, left), max(0, left + kernel))
            found[:, :, i, j] = REDUCTIONS[kind](x[:, :, rows, columns])
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
def test_offset_pool_equals_loops(kind, side, kernel, stride, start, outputs):
    stride = min(stride, kernel)
    pool = OffsetPool(kind, kernel, stride=stride, start=start, outputs=outputs)
    if pool.has_empty_window(side):
        return
    generator = torch.Generator().manual_seed(side * 100 + kernel)
    x = torch.randn(2, 3, side, side, dtype=torch.float64, generator=generator)
    assert torch.allclose(pool(x), offset_by_hand(x, kind, kernel, stride, start, outputs))


def test_offset_pool_without_offset_is_plain_pooling():
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(OffsetPool("max", 3, stride=2, outputs=4)(x), MaxPool()(x))
    assert torch.allclose(OffsetPool("avg", 3, stride=2, outputs=4)(x), AvgPool()(x))


@pytest.mark.parametrize("arguments", [("med", 3, 2), ("max", 2, 3), ("max", 3, 0)])
def test_offset_pool_with_gaps_or_unknown_kind_raises(arguments):
    kind, kernel, stride = arguments
    with pytest.raises(RecipeError, match="with a stride between 1 and the kernel"):
        OffsetPool(kind, kernel, stride=stride, outputs=2)
