"""ReLU, normalization across maps and max pooling in one pass over memory (extra: fast).

The paper's first two stages are memory traffic: here what lies between the convolution and the
pooled maps is never written. Forward, some rows are normalized into the cache and pooled there;
backward, the gradient of a normalized row is summed over its windows and used at once.

Legend: N images, H x W positions in, P x Q positions out, C channels, D channels of a tower.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from alexnet.kernels.norm import FASTMATH, backward_row, inverse_fourth_roots
from alexnet.kernels.norm_reference import NormSettings
from alexnet.kernels.numba import (
    cached_njit,
    channels_last_array,
    launch,
    load_row,
    prange,
    store_row,
    thread_count,
)
from alexnet.kernels.pool import max_over_line, sum_gradients, windows_over, write_maxima

__all__ = ["backward", "forward"]


def forward(
    x: Tensor,
    y: Tensor,
    argmax: Tensor,
    norm: NormSettings,
    window: tuple[int, int],
    relu: tuple[bool, bool],
) -> None:
    """Write the pooled maps, and where in its window each number was.

    Args:
        x: (N, C, H, W), channels last in memory, float32 or bfloat16.
        y: (N, C, P, Q) of the same kind, written.
        argmax: (N, C, P, Q) uint8, written, as `kernels.pool.forward` does.
        norm: the settings of a normalization across channels that `kernels.norm` supports.
        window: kernel and stride of the pooling.
        relu: whether a ReLU stands before the normalization, and one after the pooling.
    """
    arrays = [channels_last_array(tensor) for tensor in (x, y, argmax)]
    launch(_forward, *arrays, *_numbers(norm), *window, *relu, thread_count())


def backward(
    x: Tensor,
    g: Tensor,
    argmax: Tensor,
    dx: Tensor,
    norm: NormSettings,
    window: tuple[int, int],
    relu: bool,
) -> None:
    """Write the gradient of the input.

    Args:
        x: the input.
        g: (N, C, P, Q) gradient of the output, channels last in memory.
        argmax: as `forward` wrote it.
        dx: (N, C, H, W), channels last, written.
        norm: as in `forward`.
        window: as in `forward`.
        relu: whether a ReLU stands before the normalization; `argmax` knows of the other one.
    """
    arrays = [channels_last_array(tensor) for tensor in (x, g, argmax, dx)]
    launch(_backward, *arrays, *_numbers(norm), *window, relu, thread_count())


def _numbers(norm: NormSettings) -> tuple[Any, ...]:
    return norm.size, np.float32(norm.scale), np.float32(norm.k), norm.towers


@cached_njit(parallel=True, fastmath=FASTMATH)
def _forward(
    x: Any,
    y: Any,
    argmax: Any,
    size: int,
    scale: Any,
    k: Any,
    towers: int,
    kernel: int,
    stride: int,
    relu_before: bool,
    relu_after: bool,
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
        # Rows under the present windows, row h in slot h % kernel: each is normalized once, though
        # windows overlap.
        rows = np.empty((kernel, W, C), dtype=np.float32)
        best_bits = np.empty((2, C), dtype=np.uint32)
        best, index = best_bits.view(np.float32), np.empty((2, C), dtype=np.uint32)
        for n in range(N * part // parts, N * (part + 1) // parts):
            done = 0
            for p in range(P):
                top = p * stride
                bottom = min(top + kernel, H)
                for h in range(max(done, top), bottom):
                    for w in range(W):
                        for tower in range(towers):
                            first = tower * D
                            load_row(x[n, h, w, first : first + D], values, x_bits, relu_before)
                            inverse_fourth_roots(
                                values, squares, s, s_bits, q_, q_bits, size, scale, k
                            )
                            out = rows[h % kernel, w, first : first + D]
                            for c in range(D):
                                out[c] = values[c] * (q_[c] * q_[c] * q_[c])
                done = bottom
                for q in range(Q):
                    left = q * stride
                    width = min(kernel, W - left)
                    best[0, :] = rows[top % kernel, left]
                    index[0, :] = 0
                    last = 0
                    for i in range(bottom - top):
                        line = rows[(top + i) % kernel, left : left + width]
                        last = max_over_line(best, index, line, i * kernel, width, last)
                    write_maxima(
                        best[last],
                        best_bits[last],
                        index[last],
                        y[n, p, q],
                        argmax[n, p, q],
                        relu_after,
                    )


# The sums of squares are made again: one row of them lies in the cache, where all of them would be
# a second tensor of the input's size to write and to read.
@cached_njit(parallel=True, fastmath=FASTMATH)
def _backward(
    x: Any,
    g: Any,
    argmax: Any,
    dx: Any,
    size: int,
    scale: Any,
    k: Any,
    towers: int,
    kernel: int,
    stride: int,
    relu: bool,
    parts: int,
) -> None:
    N, H, W, C = x.shape
    P, Q = argmax.shape[1:3]
    D = C // towers
    for part in prange(parts):
        x_bits = np.empty(D, dtype=np.uint32)
        g_bits = np.empty(C, dtype=np.uint32)
        sums_bits = np.empty(C, dtype=np.uint32)
        s_bits = np.empty(D, dtype=np.uint32)
        q_bits = np.empty(D, dtype=np.uint32)
        values, row = x_bits.view(np.float32), g_bits.view(np.float32)
        sums = sums_bits.view(np.float32)
        s, q_ = s_bits.view(np.float32), q_bits.view(np.float32)
        squares = np.zeros(D + size - 1, dtype=np.float32)
        shares = np.zeros(D + size - 1, dtype=np.float32)
        for n in range(N * part // parts, N * (part + 1) // parts):
            for h in range(H):
                over_h = windows_over(h, P, kernel, stride)
                for w in range(W):
                    over_w = windows_over(w, Q, kernel, stride)
                    sum_gradients(
                        g[n], argmax[n], h, w, over_h, over_w, kernel, stride, row, g_bits, sums
                    )
                    for tower in range(towers):
                        first = tower * D
                        gradients = sums[first : first + D]
                        load_row(x[n, h, w, first : first + D], values, x_bits, relu)
                        inverse_fourth_roots(values, squares, s, s_bits, q_, q_bits, size, scale, k)
                        backward_row(values, gradients, q_, shares, s, size, scale, relu)
                    store_row(sums, sums_bits, dx[n, h, w], False)
