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

from alexnet.nn.compiled import as_array, call, compiled, cut_below_zero, load, njit, prange, store

__all__ = ["collect", "finish", "pool", "pool_back", "take_larger", "windows_over"]

_NOWHERE = np.uint8(255)


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
        best_bits = np.empty(C, dtype=np.uint32)
        row_bits = np.empty(C, dtype=np.uint32)
        best, row = best_bits.view(np.float32), row_bits.view(np.float32)
        for p in range(P):
            for q in range(Q):
                where = place[n, p, q]
                load(x[n, p * stride, q * stride], best, best_bits)
                for c in range(C):
                    where[c] = 0
                for i in range(min(kernel, H - p * stride)):
                    for j in range(min(kernel, W - q * stride)):
                        if i + j:
                            load(x[n, p * stride + i, q * stride + j], row, row_bits)
                            take_larger(best, where, row, np.uint8(i * kernel + j))
                finish(best, best_bits, where, y[n, p, q], rectify)


@njit(inline="always")
def take_larger(best: Any, where: Any, row: Any, number: Any) -> None:
    """Keep the larger ones and their number; what is not a number counts as larger, as in torch."""
    for c in range(len(row)):
        larger = row[c] > best[c] or row[c] != row[c]
        best[c] = row[c] if larger else best[c]
        where[c] = number if larger else where[c]


@njit(inline="always")
def finish(best: Any, best_bits: Any, where: Any, row: Any, rectify: bool) -> None:
    """Write a window's largest numbers, cut below zero where a ReLU stands beside."""
    if rectify:
        for c in range(len(best)):
            where[c] = _NOWHERE if best[c] <= 0 else where[c]
    cut_below_zero(best, rectify)
    store(best, best_bits, row)


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
            load(g[p, q], row, row_bits)
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
                store(sums, sums_bits, dx[n, h, w])
