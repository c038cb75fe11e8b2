"""Max pooling in one pass over memory each way: kernels compiled by numba (extra: fast).

Torch's backward pass first writes zeros and then scatters into them, number by number. Here every
window remembers which of its positions was the largest, one byte a number, and the backward pass
collects for each position from the windows that hold it: written once, in vectors.

Every number is made by itself in a fixed order, so the bits do not depend on the number of threads.

Legend: N pictures, H x W positions in, P x Q positions out, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from alexnet.kernels.numba import as_array, call, compiled, load, njit, prange, store

__all__ = ["collect", "finish", "pool", "pool_back", "take_row", "windows_over"]

_NOWHERE = np.uint32(255)


def pool(
    x: torch.Tensor, y: torch.Tensor, place: torch.Tensor, kernel: int, stride: int, rectify: bool
) -> None:
    """Write the largest number of each window, and where it was.

    Args:
        x: (N, C, H, W), channels last in memory, float32 or bfloat16.
        y: (N, C, P, Q) of the same kind, written; windows may hang over the right and bottom edge.
        place: (N, C, P, Q) uint8, channels last, written: row * kernel + column inside the window;
            255 where a ReLU lets no gradient through.
        kernel: side of a window, at most 15.
        stride: of the windows.
        rectify: write max(y, 0) for y, as a ReLU before or behind would.
    """
    call(_pool, as_array(x), as_array(y), as_array(place), kernel, stride, rectify)


def pool_back(
    g: torch.Tensor, place: torch.Tensor, dx: torch.Tensor, kernel: int, stride: int
) -> None:
    """Write the gradient of the input: each number gets those of the windows it was largest in.

    Args:
        g: (N, C, P, Q) gradient of the output, channels last in memory.
        place: as `pool` wrote it.
        dx: (N, C, H, W), channels last, written.
        kernel: as then.
        stride: as then.
    """
    call(_pool_back, as_array(g), as_array(place), as_array(dx), kernel, stride)


@compiled(parallel=True)
def _pool(x: Any, y: Any, place: Any, kernel: int, stride: int, rectify: bool) -> None:
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    for n in prange(N):
        best_bits = np.empty((2, C), dtype=np.uint32)
        row_bits = np.empty((kernel, C), dtype=np.uint32)
        best, rows = best_bits.view(np.float32), row_bits.view(np.float32)
        where = np.empty((2, C), dtype=np.uint32)
        for p in range(P):
            top = p * stride
            for q in range(Q):
                left = q * stride
                width = min(kernel, W - left)
                load(x[n, top, left], best[0], best_bits[0], False)
                where[0, :] = 0
                last = 0
                for i in range(min(kernel, H - top)):
                    for j in range(width):
                        load(x[n, top + i, left + j], rows[j], row_bits[j], False)
                    last = take_row(best, where, rows, i * kernel, width, last)
                finish(
                    best[last], best_bits[last], where[last], y[n, p, q], place[n, p, q], rectify
                )


@njit(inline="always")
def _larger(value: Any, best: Any) -> Any:
    """Whether a number takes the place of another; what is not a number does, as in torch."""
    return value > best or value != value


@njit(inline="always")
def _take_larger(
    best: Any, where: Any, row: Any, number: Any, next_best: Any, next_where: Any
) -> None:
    """Write the larger ones of two rows, and which they are.

    What is written lies elsewhere than what is read: in place, compilers make stores under a mask
    of it, which some processors are slow at.

    Args:
        best: (C,) float32.
        where: (C,) uint32, the numbers of the rows that `best` is from: as wide as `best`, for
            processors that cannot use one mask for both otherwise.
        row: (C,) float32.
        number: uint32, of the row.
        next_best: (C,) float32, written.
        next_where: (C,) uint32, written.
    """
    for c in range(len(row)):
        value, before, place = row[c], best[c], where[c]
        larger = _larger(value, before)
        next_best[c] = value if larger else before
        next_where[c] = number if larger else place


@njit(inline="always")
def _take_largest_of_three(
    best: Any,
    where: Any,
    first: Any,
    second: Any,
    third: Any,
    number: Any,
    next_best: Any,
    next_where: Any,
) -> None:
    """Do what `_take_larger` does with three rows, of which `number` is the first one's.

    One after the other in registers: twice as fast, and three is what the paper pools.
    """
    for c in range(len(first)):
        top, place = best[c], where[c]
        larger = _larger(first[c], top)
        top = first[c] if larger else top
        place = number if larger else place
        larger = _larger(second[c], top)
        top = second[c] if larger else top
        place = number + np.uint32(1) if larger else place
        larger = _larger(third[c], top)
        next_best[c] = third[c] if larger else top
        next_where[c] = number + np.uint32(2) if larger else place


@njit(inline="always")
def take_row(best: Any, where: Any, rows: Any, number: int, width: int, last: int) -> int:
    """Let a line of a window compete with what was largest before.

    Args:
        best: (2, C) float32; one of the two is read, and in turns the other one written.
        where: (2, C) uint32, likewise.
        rows: (at least `width`, C) float32.
        number: of the first one.
        width: how many they are.
        last: which of the two is read.

    Returns:
        Which of the two was written last.
    """
    if width == 3:
        other = 1 - last
        _take_largest_of_three(
            best[last],
            where[last],
            rows[0],
            rows[1],
            rows[2],
            np.uint32(number),
            best[other],
            where[other],
        )
        return other
    for j in range(width):
        other = 1 - last
        _take_larger(
            best[last], where[last], rows[j], np.uint32(number + j), best[other], where[other]
        )
        last = other
    return last


@njit(inline="always")
def finish(best: Any, best_bits: Any, where: Any, row: Any, place: Any, rectify: bool) -> None:
    """Write a window's largest numbers and where they were, cut below zero beside a ReLU.

    Args:
        best: (C,) float32, changed.
        best_bits: the same memory, as uint32.
        where: (C,) uint32.
        row: (C,) float32 or bits of bfloat16, written.
        place: (C,) uint8, written.
        rectify: whether a ReLU stands before or behind.
    """
    if rectify:
        for c in range(len(best)):
            place[c] = _NOWHERE if best[c] <= 0 else where[c]
    else:
        for c in range(len(best)):
            place[c] = where[c]
    store(best, best_bits, row, rectify)


@njit(inline="always")
def windows_over(position: int, count: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the first and the last of `count` windows in a line that hold a position."""
    return max(0, (position - kernel + stride) // stride), min(count - 1, position // stride)


@njit(inline="always")
def collect(
    g: Any,
    place: Any,
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
    """Add up what the windows that hold a position give back to it.

    Args:
        g: (P, Q, C) gradients of a picture's outputs.
        place: (P, Q, C) where each was found.
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
            where = place[p, q]
            load(g[p, q], row, row_bits, False)
            for c in range(len(sums)):
                sums[c] += row[c] if where[c] == number else np.float32(0)


@compiled(parallel=True)
def _pool_back(g: Any, place: Any, dx: Any, kernel: int, stride: int) -> None:
    N, H, W, C = dx.shape
    P, Q = place.shape[1:3]
    for n in prange(N):
        sums_bits = np.empty(C, dtype=np.uint32)
        row_bits = np.empty(C, dtype=np.uint32)
        sums, row = sums_bits.view(np.float32), row_bits.view(np.float32)
        for h in range(H):
            over_h = windows_over(h, P, kernel, stride)
            for w in range(W):
                over_w = windows_over(w, Q, kernel, stride)
                collect(g[n], place[n], h, w, over_h, over_w, kernel, stride, row, row_bits, sums)
                store(sums, sums_bits, dx[n, h, w], False)
