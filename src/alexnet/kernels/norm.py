"""Response normalization in one pass over memory: kernels compiled by numba (extra: fast).

Torch's own operators write every intermediate to memory: squares, sums, powers, products. Here one
row of channels is read, normalized in the processor's cache and written. The backward pass makes
the sums again: a few operations on what lies in the cache, where keeping them would write and read
one more tensor of the input's size. bfloat16 is read and written as such; all arithmetic between is
float32.

Rows are independent of each other, so the bits do not depend on the number of threads.

Legend: R rows, W channels of a row: all channels of a position that lie in one tower. For a spatial
window: N images, H and W positions, C channels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from alexnet.kernels.norm_reference import NormSettings
from alexnet.kernels.numba import (
    cached_njit,
    channels_last_array,
    launch,
    load_row,
    njit,
    prange,
    store_row,
    thread_count,
)

__all__ = [
    "FASTMATH",
    "backward",
    "backward_row",
    "forward",
    "inverse_fourth_roots",
    "supports",
]

# What LLVM may change in floating point: fuse a product and a sum, neglect the sign of zero, divide
# by a reciprocal, reorder sums. Left out are "nnan" and "ninf" (a NaN must stay visible, and they
# let comparisons with one be dropped) and "afn" (coarser functions).
FASTMATH = {"contract", "nsz", "arcp", "reassoc"}

# s ** -0.75 is the third power of q = s ** -0.25, and q is guessed from bits: read as an integer, a
# float is about 2**23 * (127 + log2 s), so the bits of q are a constant less a quarter of those of
# s. Three steps of Newton's method on q ** -4 = s bring the guess to a relative error of 1.6e-7. No
# root and no division: four times as fast as two square roots and a division.
_FIRST_GUESS = np.uint32(1331181520)
_QUARTER = np.float32(0.25)
_ONE_AND_A_QUARTER = np.float32(1.25)


def supports(norm: NormSettings, x: Tensor) -> bool:
    """Whether the kernels do this normalization of (N, C, H, W), channels last."""
    return x.dtype in (torch.float32, torch.bfloat16) and norm.beta == 0.75


def forward(norm: NormSettings, x: Tensor, y: Tensor, *, relu: bool) -> None:
    """Normalize x into y.

    Args:
        norm: the settings.
        x: (N, C, H, W), channels last in memory, of a type that `supports` allows.
        y: the same, written.
        relu: x goes through a ReLU first.
    """
    kernel = _channels_forward if norm.region == "channels" else _spatial_forward
    _launch(kernel, norm, [x, y], relu)


def backward(norm: NormSettings, x: Tensor, g: Tensor, dx: Tensor, *, relu: bool) -> None:
    """Write the gradient of the input.

    Args:
        norm: as in `forward`.
        x: as in `forward`.
        g: gradient of the output, like x.
        dx: like x, written.
        relu: as in `forward`.
    """
    kernel = _channels_backward if norm.region == "channels" else _spatial_backward
    _launch(kernel, norm, [x, g, dx], relu)


def _launch(kernel: Any, norm: NormSettings, tensors: list[Tensor], relu: bool) -> None:
    arrays = [channels_last_array(tensor) for tensor in tensors]
    settings: tuple[Any, ...] = (norm.size, np.float32(norm.scale), np.float32(norm.k), relu)
    if norm.region == "channels":
        width = tensors[0].shape[1] // norm.towers
        arrays = [array.reshape(-1, width) for array in arrays]
        settings = (*settings, thread_count())
    launch(kernel, *arrays, *settings)


@njit(inline="always")
def _window_sums(padded: Any, sums: Any, size: int) -> None:
    """Add up `size` neighbors.

    The usual sizes are written out: LLVM makes one vectorized loop of each, where the general form
    goes over memory once for each neighbor.
    """
    if size == 5:
        for c in range(len(sums)):
            sums[c] = padded[c] + padded[c + 1] + padded[c + 2] + padded[c + 3] + padded[c + 4]
    elif size == 3:
        for c in range(len(sums)):
            sums[c] = padded[c] + padded[c + 1] + padded[c + 2]
    else:
        for c in range(len(sums)):
            sums[c] = padded[c]
        for j in range(1, size):
            for c in range(len(sums)):
                sums[c] += padded[c + j]


@njit(inline="always")
def _roots_of_sums(sums: Any, bits: Any, roots: Any, root_bits: Any, scale: Any, k: Any) -> None:
    """Turn plain sums into s = k + scale * sum, and write s ** -0.25."""
    for c in range(len(sums)):
        sums[c] = k + scale * sums[c]
    for c in range(len(sums)):
        root_bits[c] = _FIRST_GUESS - (bits[c] >> np.uint32(2))
    for c in range(len(sums)):
        quarter = sums[c] * _QUARTER
        y = roots[c]
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        roots[c] = y


@njit(inline="always")
def _subtract_shared(gradients: Any, values: Any, sums: Any, slope: Any, relu: bool) -> None:
    """Subtract slope * value * sum from each gradient; zero where a ReLU gave zero."""
    if relu:
        for c in range(len(values)):
            gradient = gradients[c] - slope * values[c] * sums[c]
            gradients[c] = np.float32(0) if values[c] <= 0 else gradient
    else:
        for c in range(len(values)):
            gradients[c] -= slope * values[c] * sums[c]


@njit(inline="always")
def inverse_fourth_roots(
    values: Any,
    squares: Any,
    sums: Any,
    sum_bits: Any,
    roots: Any,
    root_bits: Any,
    size: int,
    scale: Any,
    k: Any,
) -> None:
    """Write s ** -0.25 of a row, s being k + scale * the sum of squares in each window.

    Args:
        values: (W,) float32.
        squares: (W + size - 1,) float32, zeros at both ends; written between.
        sums: (W,) float32, written.
        sum_bits: the same memory, as uint32.
        roots: (W,) float32, written.
        root_bits: the same memory, as uint32.
        size: of the window.
        scale: what the plain sum is multiplied by.
        k: added to it.
    """
    for c in range(len(values)):
        squares[c + size // 2] = values[c] * values[c]
    _window_sums(squares, sums, size)
    _roots_of_sums(sums, sum_bits, roots, root_bits, scale, k)


@njit(inline="always")
def backward_row(
    values: Any,
    gradients: Any,
    roots: Any,
    shares: Any,
    sums: Any,
    size: int,
    scale: Any,
    relu: bool,
) -> None:
    """Turn the gradients of a row's outputs into those of its inputs, in place.

    Args:
        values: (W,) float32, the row.
        gradients: (W,) float32, changed.
        roots: as `inverse_fourth_roots` wrote them.
        shares: (W + size - 1,) float32, zeros at both ends; written between.
        sums: (W,) float32, written.
        size: of the window.
        scale: what the plain sum was multiplied by.
        relu: the row went through a ReLU first.
    """
    after = size - size // 2 - 1
    slope = np.float32(1.5) * scale
    for c in range(len(values)):
        square = roots[c] * roots[c]
        gradients[c] *= square * roots[c]
        shares[c + after] = gradients[c] * values[c] * (square * square)
    _window_sums(shares, sums, size)
    _subtract_shared(gradients, values, sums, slope, relu)


@cached_njit(parallel=True, fastmath=FASTMATH)
def _channels_forward(
    x: Any, y: Any, size: int, scale: Any, k: Any, relu: bool, threads: int
) -> None:
    """Normalize each row across its channels.

    Args:
        x: (R, W) float32, or uint16 that are the bits of bfloat16.
        y: (R, W) of the same kind, written.
        size: of the window; an even one reaches one further toward the start.
        scale: float32, what the plain sum of squares is multiplied by.
        k: float32, added to it.
        relu: take max(x, 0) for x.
        threads: parts that the rows are shared into.
    """
    R, W = x.shape
    for thread in prange(threads):
        # Work arrays of a thread, made once and not once a row. Each is there as numbers and as
        # bits: bfloat16 is widened by a shift, and the guess of a root is made from bits.
        x_bits = np.empty(W, dtype=np.uint32)
        s_bits = np.empty(W, dtype=np.uint32)
        q_bits = np.empty(W, dtype=np.uint32)
        values, s, q = x_bits.view(np.float32), s_bits.view(np.float32), q_bits.view(np.float32)
        squares = np.zeros(W + size - 1, dtype=np.float32)
        for r in range(R * thread // threads, R * (thread + 1) // threads):
            load_row(x[r], values, x_bits, relu)
            inverse_fourth_roots(values, squares, s, s_bits, q, q_bits, size, scale, k)
            for c in range(W):
                values[c] *= q[c] * q[c] * q[c]
            store_row(values, x_bits, y[r], False)


@cached_njit(parallel=True, fastmath=FASTMATH)
def _channels_backward(
    x: Any, g: Any, dx: Any, size: int, scale: Any, k: Any, relu: bool, threads: int
) -> None:
    """Turn the gradient of the output into that of the input; arguments as above.

    With p = s ** -0.75: dx = g p - 1.5 scale x * (sum of g x p / s over the windows that hold x).
    """
    R, W = x.shape
    for thread in prange(threads):
        x_bits = np.empty(W, dtype=np.uint32)
        g_bits = np.empty(W, dtype=np.uint32)
        s_bits = np.empty(W, dtype=np.uint32)
        q_bits = np.empty(W, dtype=np.uint32)
        values, gradients = x_bits.view(np.float32), g_bits.view(np.float32)
        s, q = s_bits.view(np.float32), q_bits.view(np.float32)
        squares = np.zeros(W + size - 1, dtype=np.float32)
        shares = np.zeros(W + size - 1, dtype=np.float32)
        for r in range(R * thread // threads, R * (thread + 1) // threads):
            load_row(x[r], values, x_bits, relu)
            load_row(g[r], gradients, g_bits, False)
            inverse_fourth_roots(values, squares, s, s_bits, q, q_bits, size, scale, k)
            backward_row(values, gradients, q, shares, s, size, scale, relu)
            store_row(gradients, g_bits, dx[r], False)


@njit(inline="always")
def _patch_sums(source: Any, rows: Any, sums: Any, before: int, size: int, y: int) -> None:
    """Add up the rows of a patch that lie in the map, then neighbors in a row: sums (W, C)."""
    H, W, C = source.shape
    rows[:] = 0
    for i in range(max(0, y - before), min(H, y - before + size)):
        for w in range(W):
            for c in range(C):
                rows[w, c] += source[i, w, c]
    sums[:] = 0
    for w in range(W):
        for j in range(max(0, w - before), min(W, w - before + size)):
            for c in range(C):
                sums[w, c] += rows[j, c]


@cached_njit(parallel=True, fastmath=FASTMATH)
def _spatial_forward(x: Any, y: Any, size: int, scale: Any, k: Any, relu: bool) -> None:
    """Normalize each number by a size x size patch of its own map.

    Args:
        x: (N, H, W, C) float32, or uint16 that are the bits of bfloat16.
        y: the same, written.
        size: side of the patch; an even one reaches one further toward the start.
        scale: float32, what the plain sum of squares is multiplied by.
        k: float32, added to it.
        relu: take max(x, 0) for x.
    """
    N, H, W, C = x.shape
    for n in prange(N):
        x_bits = np.empty((H, W * C), dtype=np.uint32)
        values = x_bits.view(np.float32)
        squares = np.empty((H, W, C), dtype=np.float32)
        rows = np.empty((W, C), dtype=np.float32)
        s_bits = np.empty(W * C, dtype=np.uint32)
        q_bits = np.empty(W * C, dtype=np.uint32)
        s, q = s_bits.view(np.float32), q_bits.view(np.float32)
        for h in range(H):
            load_row(x[n, h].reshape(-1), values[h], x_bits[h], relu)
            flat = squares[h].reshape(-1)
            for i in range(W * C):
                flat[i] = values[h, i] * values[h, i]
        for h in range(H):
            _patch_sums(squares, rows, s.reshape(W, C), size // 2, size, h)
            _roots_of_sums(s, s_bits, q, q_bits, scale, k)
            for i in range(W * C):
                values[h, i] *= q[i] * q[i] * q[i]
            store_row(values[h], x_bits[h], y[n, h].reshape(-1), False)


@cached_njit(parallel=True, fastmath=FASTMATH)
def _spatial_backward(x: Any, g: Any, dx: Any, size: int, scale: Any, k: Any, relu: bool) -> None:
    """Turn the gradient of the output into that of the input; arguments as above."""
    N, H, W, C = x.shape
    before = size // 2
    after = size - before - 1
    slope = np.float32(1.5) * scale
    for n in prange(N):
        x_bits = np.empty((H, W * C), dtype=np.uint32)
        g_bits = np.empty((H, W * C), dtype=np.uint32)
        values, gradients = x_bits.view(np.float32), g_bits.view(np.float32)
        squares = np.empty((H, W, C), dtype=np.float32)
        shares = np.empty((H, W, C), dtype=np.float32)
        rows = np.empty((W, C), dtype=np.float32)
        s_bits = np.empty(W * C, dtype=np.uint32)
        q_bits = np.empty(W * C, dtype=np.uint32)
        s, q = s_bits.view(np.float32), q_bits.view(np.float32)
        for h in range(H):
            load_row(x[n, h].reshape(-1), values[h], x_bits[h], relu)
            load_row(g[n, h].reshape(-1), gradients[h], g_bits[h], False)
            flat = squares[h].reshape(-1)
            for i in range(W * C):
                flat[i] = values[h, i] * values[h, i]
        for h in range(H):
            _patch_sums(squares, rows, s.reshape(W, C), before, size, h)
            _roots_of_sums(s, s_bits, q, q_bits, scale, k)
            flat = shares[h].reshape(-1)
            for i in range(W * C):
                square = q[i] * q[i]
                gradients[h, i] *= square * q[i]
                flat[i] = gradients[h, i] * values[h, i] * (square * square)
        for h in range(H):
            _patch_sums(shares, rows, s.reshape(W, C), after, size, h)
            _subtract_shared(gradients[h], values[h], s, slope, relu)
            store_row(gradients[h], g_bits[h], dx[n, h].reshape(-1), False)
