"""ReLU, normalisation across maps and max pooling in one pass over memory (extra: fast).

The paper's first two stages are memory traffic: here what lies between the convolution and the
pooled maps is never written. Forward, some rows are normalised into the cache and pooled there;
backward, the gradient of a normalised row is collected from its windows and used at once.

Legend: N pictures, H x W positions in, P x Q positions out, C channels, D channels of a tower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from alexnet.kernels.norm import FAST, find_roots, turn_back
from alexnet.kernels.numba import as_array, call, compiled, load, prange, store, threads
from alexnet.kernels.pool import collect, finish, take_row, windows_over

__all__ = ["back", "forward"]


def forward(
    x: torch.Tensor,
    y: torch.Tensor,
    place: torch.Tensor,
    norm: tuple[int, float, float, int],
    window: tuple[int, int],
    rectify: tuple[bool, bool],
) -> None:
    """Write the pooled maps, and where in its window each number was.

    Args:
        x: (N, C, H, W), channels last in memory, float32 or bfloat16.
        y: (N, C, P, Q) of the same kind, written.
        place: (N, C, P, Q) uint8, written, as `fused_pool.pool` does.
        norm: size of the window, what the plain sum is multiplied by, k, towers.
        window: kernel and stride of the pooling.
        rectify: whether a ReLU stands before the normalisation, and one behind the pooling.
    """
    arrays = [as_array(each) for each in (x, y, place)]
    call(_forward, *arrays, *_numbers(norm), *window, *rectify, threads())


def back(
    x: torch.Tensor,
    g: torch.Tensor,
    place: torch.Tensor,
    dx: torch.Tensor,
    norm: tuple[int, float, float, int],
    window: tuple[int, int],
    rectify: bool,
) -> None:
    """Write the gradient of the input; arguments as in `forward`.

    Args:
        x: the input.
        g: (N, C, P, Q) gradient of the output, channels last in memory.
        place: as `forward` wrote it.
        dx: (N, C, H, W), channels last, written.
        norm: as then.
        window: as then.
        rectify: whether a ReLU stands before the normalisation; `place` knows of the other one.
    """
    arrays = [as_array(each) for each in (x, g, place, dx)]
    call(_back, *arrays, *_numbers(norm), *window, rectify, threads())


def _numbers(norm: tuple[int, float, float, int]) -> tuple[Any, ...]:
    size, scale, k, towers = norm
    return size, np.float32(scale), np.float32(k), towers


@compiled(parallel=True, fastmath=FAST)
def _forward(
    x: Any,
    y: Any,
    place: Any,
    size: int,
    scale: Any,
    k: Any,
    towers: int,
    kernel: int,
    stride: int,
    rectify_before: bool,
    rectify_behind: bool,
    parts: int,
) -> None:
    N, H, W, C = x.shape
    P, Q = y.shape[1:3]
    D = C // towers
    for part in prange(parts):
        x_bits = np.empty(D, dtype=np.uint32)
        s_bits = np.empty(D, dtype=np.uint32)
        q_bits = np.empty(D, dtype=np.uint32)
        values, s, q_ = x_bits.view(np.float32), s_bits.view(np.float32), q_bits.view(np.float32)
        squares = np.zeros(D + size - 1, dtype=np.float32)
        rows = np.empty((kernel, W, C), dtype=np.float32)
        best_bits = np.empty((2, C), dtype=np.uint32)
        best, where = best_bits.view(np.float32), np.empty((2, C), dtype=np.uint32)
        for n in range(N * part // parts, N * (part + 1) // parts):
            done = 0
            for p in range(P):
                top = p * stride
                bottom = min(top + kernel, H)
                for h in range(max(done, top), bottom):
                    for w in range(W):
                        for tower in range(towers):
                            first = tower * D
                            load(x[n, h, w, first : first + D], values, x_bits, rectify_before)
                            find_roots(values, squares, s, s_bits, q_, q_bits, size, scale, k)
                            out = rows[h % kernel, w, first : first + D]
                            for c in range(D):
                                out[c] = values[c] * (q_[c] * q_[c] * q_[c])
                done = bottom
                for q in range(Q):
                    left = q * stride
                    width = min(kernel, W - left)
                    best[0, :] = rows[top % kernel, left]
                    where[0, :] = 0
                    last = 0
                    for i in range(bottom - top):
                        line = rows[(top + i) % kernel, left : left + width]
                        last = take_row(best, where, line, i * kernel, width, last)
                    finish(
                        best[last],
                        best_bits[last],
                        where[last],
                        y[n, p, q],
                        place[n, p, q],
                        rectify_behind,
                    )


@compiled(parallel=True, fastmath=FAST)
def _back(
    x: Any,
    g: Any,
    place: Any,
    dx: Any,
    size: int,
    scale: Any,
    k: Any,
    towers: int,
    kernel: int,
    stride: int,
    rectify: bool,
    parts: int,
) -> None:
    N, H, W, C = x.shape
    P, Q = place.shape[1:3]
    D = C // towers
    for part in prange(parts):
        x_bits = np.empty(D, dtype=np.uint32)
        g_bits = np.empty(C, dtype=np.uint32)
        sums_bits = np.empty(C, dtype=np.uint32)
        s_bits = np.empty(D, dtype=np.uint32)
        q_bits = np.empty(D, dtype=np.uint32)
        values, row, sums = (
            x_bits.view(np.float32),
            g_bits.view(np.float32),
            sums_bits.view(np.float32),
        )
        s, q_ = s_bits.view(np.float32), q_bits.view(np.float32)
        squares = np.zeros(D + size - 1, dtype=np.float32)
        shares = np.zeros(D + size - 1, dtype=np.float32)
        for n in range(N * part // parts, N * (part + 1) // parts):
            for h in range(H):
                over_h = windows_over(h, P, kernel, stride)
                for w in range(W):
                    over_w = windows_over(w, Q, kernel, stride)
                    collect(g[n], place[n], h, w, over_h, over_w, kernel, stride, row, g_bits, sums)
                    for tower in range(towers):
                        first = tower * D
                        gradients = sums[first : first + D]
                        load(x[n, h, w, first : first + D], values, x_bits, rectify)
                        find_roots(values, squares, s, s_bits, q_, q_bits, size, scale, k)
                        turn_back(values, gradients, q_, shares, s, size, scale, rectify)
                    store(sums, sums_bits, dx[n, h, w], False)
