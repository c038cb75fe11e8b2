"""Max pooling in one pass over memory each way: kernels compiled by numba (extra: fast).

Torch's backward pass first writes zeros and then scatters into them, number by number. Here every
window remembers which of its positions was the largest, one byte a number, and the backward pass
collects for each position from the windows that hold it: written once, vectorized.

Every number is made by itself in a fixed order, so the bits do not depend on the number of threads.

Legend: N images, H x W positions in, P x Q positions out, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from alexnet.kernels.numba import (
    cached_njit,
    channels_last_array,
    launch,
    load_row,
    njit,
    prange,
    store_row,
)

__all__ = [
    "backward",
    "forward",
    "max_over_line",
    "sum_gradients",
    "windows_over",
    "write_maxima",
]

_NO_GRADIENT = np.uint32(255)


def forward(
    x: torch.Tensor, y: torch.Tensor, argmax: torch.Tensor, kernel: int, stride: int, relu: bool
) -> None:
    """Write the largest number of each window, and where it was.

    Args:
        x: (N, C, H, W), channels last in memory, float32 or bfloat16.
        y: (N, C, P, Q) of the same kind, written; windows may hang over the right and bottom edge.
        argmax: (N, C, P, Q) uint8, channels last, written: row * kernel + column in the window;
            255 where a ReLU lets no gradient through.
        kernel: side of a window, at most 15, so that 255 is no position.
        stride: of the windows.
        relu: write max(y, 0) for y, as a ReLU before or after would.
    """
    arrays = [channels_last_array(tensor) for tensor in (x, y, argmax)]
    launch(_forward, *arrays, kernel, stride, relu)


def backward(
    g: torch.Tensor, argmax: torch.Tensor, dx: torch.Tensor, kernel: int, stride: int
) -> None:
    """Write the gradient of the input: each number gets those of the windows it was largest in.

    Args:
        g: (N, C, P, Q) gradient of the output, channels last in memory.
        argmax: as `forward` wrote it.
        dx: (N, C, H, W), channels last, written.
        kernel: as in `forward`.
        stride: as in `forward`.
    """
    arrays = [channels_last_array(tensor) for tensor in (g, argmax, dx)]
    launch(_backward, *arrays, kernel, stride)


@cached_njit(parallel=True)
def _forward(x: Any, y: Any, argmax: Any, kernel: int, stride: int, relu: bool) -> None:
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        best_bits = np.empty((2, C), dtype=np.uint32)
        row_bits = np.empty((kernel, C), dtype=np.uint32)
        best, rows = best_bits.view(np.float32), row_bits.view(np.float32)
        index = np.empty((2, C), dtype=np.uint32)
        for p in range(P):
            top = p * stride
            for q in range(Q):
                left = q * stride
                width = min(kernel, W - left)
                load_row(x[n, top, left], best[0], best_bits[0], False)
                index[0, :] = 0
                last = 0
                for i in range(min(kernel, H - top)):
                    for j in range(width):
                        load_row(x[n, top + i, left + j], rows[j], row_bits[j], False)
                    last = max_over_line(best, index, rows, i * kernel, width, last)
                write_maxima(
                    best[last], best_bits[last], index[last], y[n, p, q], argmax[n, p, q], relu
                )


@njit(inline="always")
def _larger(value: Any, best: Any) -> Any:
    """Whether a number takes the place of another; what is not a number does, as in torch."""
    return value > best or value != value


# What is written lies elsewhere than what is read: of a maximum in place LLVM makes stores under a
# mask (vmaskmov, or a scatter), about ten times as slow as plain ones on AMD's processors with
# AVX2. And the index is as wide as the numbers, because AVX2 has no cheap way from a mask of 32-bit
# lanes to one of 8-bit lanes.
@njit(inline="always")
def _max_of_two(
    best: Any, index: Any, row: Any, number: Any, next_best: Any, next_index: Any
) -> None:
    """Write the larger ones of two rows, and which they are.

    Args:
        best: (C,) float32.
        index: (C,) uint32, the numbers of the rows that `best` is from.
        row: (C,) float32.
        number: uint32, of the row.
        next_best: (C,) float32, written.
        next_index: (C,) uint32, written.
    """
    for c in range(len(row)):
        value, top, at = row[c], best[c], index[c]
        larger = _larger(value, top)
        next_best[c] = value if larger else top
        next_index[c] = number if larger else at


@njit(inline="always")
def _max_with_three(
    best: Any,
    index: Any,
    first: Any,
    second: Any,
    third: Any,
    number: Any,
    next_best: Any,
    next_index: Any,
) -> None:
    """Do what `_max_of_two` does with three rows, of which `number` is the first one's.

    Three positions at a time stay in registers, which is twice as fast as one at a time through the
    cache; and three is the paper's window.
    """
    for c in range(len(first)):
        top, at = best[c], index[c]
        larger = _larger(first[c], top)
        top = first[c] if larger else top
        at = number if larger else at
        larger = _larger(second[c], top)
        top = second[c] if larger else top
        at = number + np.uint32(1) if larger else at
        larger = _larger(third[c], top)
        next_best[c] = third[c] if larger else top
        next_index[c] = number + np.uint32(2) if larger else at


@njit(inline="always")
def max_over_line(best: Any, index: Any, rows: Any, number: int, width: int, last: int) -> int:
    """Let a line of a window compete with what was largest before.

    Args:
        best: (2, C) float32; one of the two is read, and in turns the other one written.
        index: (2, C) uint32, likewise.
        rows: (at least `width`, C) float32.
        number: of the first one.
        width: how many they are.
        last: which of the two is read.

    Returns:
        Which of the two was written last.
    """
    if width == 3:
        other = 1 - last
        _max_with_three(
            best[last],
            index[last],
            rows[0],
            rows[1],
            rows[2],
            np.uint32(number),
            best[other],
            index[other],
        )
        return other
    for j in range(width):
        other = 1 - last
        _max_of_two(
            best[last], index[last], rows[j], np.uint32(number + j), best[other], index[other]
        )
        last = other
    return last


@njit(inline="always")
def write_maxima(best: Any, best_bits: Any, index: Any, row: Any, argmax: Any, relu: bool) -> None:
    """Write a window's largest numbers and where they were.

    Args:
        best: (C,) float32.
        best_bits: the same memory, as uint32.
        index: (C,) uint32.
        row: (C,) float32 or bits of bfloat16, written.
        argmax: (C,) uint8, written.
        relu: a ReLU stands before or after: what is below zero becomes zero, without a gradient.
    """
    if relu:
        for c in range(len(best)):
            argmax[c] = _NO_GRADIENT if best[c] <= 0 else index[c]
    else:
        for c in range(len(best)):
            argmax[c] = index[c]
    store_row(best, best_bits, row, relu)


@njit(inline="always")
def windows_over(position: int, count: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the first and the last of `count` windows in a line that hold a position."""
    return max(0, (position - kernel + stride) // stride), min(count - 1, position // stride)


@njit(inline="always")
def sum_gradients(
    g: Any,
    argmax: Any,
    h: int,
    w: int,
    over_h: tuple[int, int],
    over_w: tuple[int, int],
    kernel: int,
    stride: int,
    row: Any,
    row_bits: Any,
    sums: Any,
) -> None:
    """Add up the gradients of the windows in which a position was the largest.

    Args:
        g: (P, Q, C) gradients of an image's outputs.
        argmax: (P, Q, C) where in its window each was.
        h: row of the position.
        w: its column.
        over_h: first and last window over its row.
        over_w: the same over its column.
        kernel: side of a window.
        stride: of the windows.
        row: (C,) float32, written.
        row_bits: the same memory, as uint32.
        sums: (C,) float32, written.
    """
    for c in range(len(sums)):
        sums[c] = 0
    for p in range(over_h[0], over_h[1] + 1):
        for q in range(over_w[0], over_w[1] + 1):
            number = np.uint8((h - p * stride) * kernel + w - q * stride)
            largest = argmax[p, q]
            load_row(g[p, q], row, row_bits, False)
            for c in range(len(sums)):
                sums[c] += row[c] if largest[c] == number else np.float32(0)


@cached_njit(parallel=True)
def _backward(g: Any, argmax: Any, dx: Any, kernel: int, stride: int) -> None:
    N, H, W, C = dx.shape
    P, Q = argmax.shape[1:3]
    for n in prange(N):
        sums_bits = np.empty(C, dtype=np.uint32)
        row_bits = np.empty(C, dtype=np.uint32)
        sums, row = sums_bits.view(np.float32), row_bits.view(np.float32)
        for h in range(H):
            over_h = windows_over(h, P, kernel, stride)
            for w in range(W):
                over_w = windows_over(w, Q, kernel, stride)
                sum_gradients(
                    g[n], argmax[n], h, w, over_h, over_w, kernel, stride, row, row_bits, sums
                )
                store_row(sums, sums_bits, dx[n, h, w], False)
