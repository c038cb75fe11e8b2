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

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alexnet.kernels.norm_reference import NormSettings
from alexnet.kernels.numba import channels_last_array, compiled_function, register_jitable
from alexnet.kernels.pointers import (
    address,
    bits,
    call,
    float_bits,
    launch_parts,
    number,
    pointer,
    read,
    row_bytes,
    unpack,
    write,
)

__all__ = [
    "backward",
    "backward_bytes",
    "differentiate_row",
    "forward",
    "forward_bytes",
    "normalize_row",
    "supports",
]

# What LLVM may change in floating point: fuse a product and a sum, neglect the sign of zero, divide
# by a reciprocal, reorder sums. Left out are "nnan" and "ninf" (a NaN must stay visible, and they
# let comparisons with one be dropped) and "afn" (coarser functions).
_FASTMATH = {"contract", "nsz", "arcp", "reassoc"}

# s ** -0.75 is the third power of q = s ** -0.25, and q is guessed from bits: read as an integer, a
# float is about 2**23 * (127 + log2 s), so the bits of q are a constant less a quarter of those of
# s. Three steps of Newton's method on q ** -4 = s bring the guess to a relative error of 1.6e-7. No
# root and no division: four times as fast as two square roots and a division.
_FIRST_GUESS = 1331181520
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
    _launch(
        _channels_forward if norm.region == "channels" else _spatial_forward, norm, [x, y], relu
    )


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
    width = tensors[0].element_size()
    N, H, W, C = arrays[0].shape
    forward = len(tensors) == 2
    settings = (norm.size, float_bits(norm.scale), float_bits(norm.k), relu)
    addresses = [address(array) for array in arrays]
    if norm.region == "channels":
        D = C // norm.towers
        row = normalize_row(width, width) if forward else differentiate_row(width)
        numbers = [row, *addresses, N * H * W * norm.towers, D, *settings]
        size = (forward_bytes if forward else backward_bytes)(D, norm.size)
        launch_parts(kernel(width), numbers, size + row_bytes(D))
    else:
        maps, rows = (2, 3) if forward else (4, 3)
        size = maps * row_bytes(H * W * C) + rows * row_bytes(W * C)
        # made here: LLVM would be free to multiply its factors in another order
        slope = float_bits(float(np.float32(1.5) * np.float32(norm.scale)))
        numbers = [*addresses, N, H, W, C, *settings]
        launch_parts(kernel(width), numbers if forward else [*numbers, slope], size)


@register_jitable
def _window_sums(padded: Any, sums: Any, count: int, size: int) -> None:
    """Add up `size` neighbors.

    The usual sizes are written out: LLVM makes one vectorized loop of each, where the general form
    goes over memory once for each neighbor.
    """
    if size == 5:
        for c in range(count):
            sums[c] = padded[c] + padded[c + 1] + padded[c + 2] + padded[c + 3] + padded[c + 4]
    elif size == 3:
        for c in range(count):
            sums[c] = padded[c] + padded[c + 1] + padded[c + 2]
    else:
        for c in range(count):
            sums[c] = padded[c]
        for j in range(1, size):
            for c in range(count):
                sums[c] += padded[c + j]


@register_jitable
def _roots_of_sums(sums: Any, roots: Any, count: int, scale: Any, k: Any) -> None:
    """Turn plain sums into s = k + scale * sum, and write s ** -0.25."""
    for c in range(count):
        sums[c] = k + scale * sums[c]
    for c in range(count):
        y = number(_FIRST_GUESS - np.int64(bits(sums[c]) >> np.uint32(2)))
        quarter = sums[c] * _QUARTER
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        y *= _ONE_AND_A_QUARTER - quarter * (y * y) * (y * y)
        roots[c] = y


@register_jitable
def _subtract_shared(
    gradients: Any, values: Any, sums: Any, count: int, slope: Any, relu: bool
) -> None:
    """Subtract slope * value * sum from each gradient; zero where a ReLU gave zero."""
    if relu:
        for c in range(count):
            gradient = gradients[c] - slope * values[c] * sums[c]
            gradients[c] = np.float32(0) if values[c] <= 0 else gradient
    else:
        for c in range(count):
            gradients[c] -= slope * values[c] * sums[c]


@register_jitable
def _inverse_fourth_roots(
    values: Any, squares: Any, sums: Any, roots: Any, count: int, size: int, scale: Any, k: Any
) -> None:
    """Write s ** -0.25 of a row, s being k + scale * the sum of squares in each window.

    Args:
        values: (W,) float32.
        squares: (W + size - 1,) float32, written.
        sums: (W,) float32, written.
        roots: (W,) float32, written.
        count: W.
        size: of the window; an even one reaches one further toward the start.
        scale: what the plain sum is multiplied by.
        k: added to it.
    """
    for j in range(size // 2):
        squares[j] = 0
    for j in range(count + size // 2, count + size - 1):
        squares[j] = 0
    for c in range(count):
        squares[c + size // 2] = values[c] * values[c]
    _window_sums(squares, sums, count, size)
    _roots_of_sums(sums, roots, count, scale, k)


def forward_bytes(count: int, size: int) -> int:
    """Return the bytes of memory that `normalize_row` needs for a row and a window's size."""
    return 3 * row_bytes(count) + row_bytes(count + size)


def backward_bytes(count: int, size: int) -> int:
    """Return the bytes of memory that `differentiate_row` needs."""
    return forward_bytes(count, size) + row_bytes(count + size)


@functools.cache
def normalize_row(width: int, written: int) -> int:
    """Return the address of a function that normalizes a row across its channels.

    Its arguments are whole numbers:

    x: address of the row.
    y: address of what is written.
    W: numbers of the row.
    size: of the window; an even one reaches one further toward the start.
    scale, k: as `float_bits`: what the plain sum of squares is multiplied by, and added to it.
    relu: 1: take max(x, 0) for x.
    memory: address of `forward_bytes`.

    Args:
        width: bytes of a number that is read.
        written: bytes of a number that is written.
    """

    def normalize(
        x: int, y: int, W: int, size: int, scale: int, k: int, relu: int, memory: int
    ) -> None:
        row = (W + 15) // 16 * 64
        values, sums = pointer(memory, 4), pointer(memory + row, 4)
        roots, squares = pointer(memory + 2 * row, 4), pointer(memory + 3 * row, 4)
        source, target = pointer(x, width), pointer(y, written)
        for c in range(W):
            values[c] = read(source, c, relu != 0)
        _inverse_fourth_roots(values, squares, sums, roots, W, size, number(scale), number(k))
        for c in range(W):
            write(target, c, values[c] * (roots[c] * roots[c] * roots[c]), False)

    return compiled_function(normalize, fastmath=_FASTMATH)


@functools.cache
def differentiate_row(width: int) -> int:
    """Return the address of a function that turns gradients of a row's outputs into its inputs'.

    With p = s ** -0.75: dx = g p - 1.5 scale x * (sum of g x p / s over the windows that hold x).
    Its arguments are those of `normalize_row`, but for the second one:

    gradients: address of float32 numbers, changed in place.
    memory: address of `backward_bytes`.

    Args:
        width: bytes of a number of the row.
    """

    def differentiate(
        x: int, gradients: int, W: int, size: int, scale: int, k: int, relu: int, memory: int
    ) -> None:
        row = (W + 15) // 16 * 64
        values, sums = pointer(memory, 4), pointer(memory + row, 4)
        roots, squares = pointer(memory + 2 * row, 4), pointer(memory + 3 * row, 4)
        shares = pointer(memory + 3 * row + (W + size + 15) // 16 * 64, 4)
        source, g = pointer(x, width), pointer(gradients, 4)
        for c in range(W):
            values[c] = read(source, c, relu != 0)
        _inverse_fourth_roots(values, squares, sums, roots, W, size, number(scale), number(k))
        after = size - size // 2 - 1
        for j in range(after):
            shares[j] = 0
        for j in range(W + after, W + size - 1):
            shares[j] = 0
        for c in range(W):
            square = roots[c] * roots[c]
            g[c] *= square * roots[c]
            shares[c + after] = g[c] * values[c] * (square * square)
        _window_sums(shares, sums, W, size)
        _subtract_shared(g, values, sums, W, np.float32(1.5) * number(scale), relu != 0)

    return compiled_function(differentiate, fastmath=_FASTMATH)


@functools.cache
def _channels_forward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes: R rows of W numbers."""

    def normalize_rows(numbers: int, part: int, parts: int, memory: int) -> None:
        row, x, y, R, W, size, scale, k, relu = unpack(numbers, 9)
        for r in range(R * part // parts, R * (part + 1) // parts):
            shift = r * W * width
            call(row, x + shift, y + shift, W, size, scale, k, relu, memory)

    return compiled_function(normalize_rows)


@functools.cache
def _channels_backward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes: R rows of W numbers."""

    def differentiate_rows(numbers: int, part: int, parts: int, memory: int) -> None:
        row, x, g, dx, R, W, size, scale, k, relu = unpack(numbers, 10)
        gradients, own = pointer(memory, 4), memory + (W + 15) // 16 * 64
        for r in range(R * part // parts, R * (part + 1) // parts):
            shift = r * W * width
            source, target = pointer(g + shift, width), pointer(dx + shift, width)
            for c in range(W):
                gradients[c] = read(source, c, False)
            call(row, x + shift, memory, W, size, scale, k, relu, own)
            for c in range(W):
                write(target, c, gradients[c], False)

    return compiled_function(differentiate_rows)


@register_jitable
def _patch_sums(
    source: int, rows: Any, sums: Any, sizes: Any, before: int, size: int, y: int
) -> None:
    """Add up the rows of a patch that lie in the map, then neighbors in a row: sums (W, C)."""
    H, W, C = sizes
    for i in range(W * C):
        rows[i] = 0
        sums[i] = 0
    for i in range(max(0, y - before), min(H, y - before + size)):
        line = pointer(source + 4 * i * W * C, 4)
        for c in range(W * C):
            rows[c] += line[c]
    for w in range(W):
        for j in range(max(0, w - before), min(W, w - before + size)):
            for c in range(C):
                sums[w * C + c] += rows[j * C + c]


@functools.cache
def _spatial_forward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes.

    It normalizes each number of (N, H, W, C) by a size x size patch of its own map; an even size
    reaches one further toward the start.
    """

    def normalize_maps(numbers: int, part: int, parts: int, memory: int) -> None:
        x, y, N, H, W, C, size, scale, k, relu = unpack(numbers, 10)
        image, row = (H * W * C + 15) // 16 * 64, (W * C + 15) // 16 * 64
        values, squares = pointer(memory, 4), pointer(memory + image, 4)
        rows, s = pointer(memory + 2 * image, 4), pointer(memory + 2 * image + row, 4)
        q = pointer(memory + 2 * image + 2 * row, 4)
        for n in range(N * part // parts, N * (part + 1) // parts):
            source = pointer(x + n * H * W * C * width, width)
            target = pointer(y + n * H * W * C * width, width)
            for i in range(H * W * C):
                value = read(source, i, relu != 0)
                values[i] = value
                squares[i] = value * value
            for h in range(H):
                _patch_sums(memory + image, rows, s, (H, W, C), size // 2, size, h)
                _roots_of_sums(s, q, W * C, number(scale), number(k))
                first = h * W * C
                for i in range(W * C):
                    value = values[first + i] * (q[i] * q[i] * q[i])
                    write(target, first + i, value, False)

    return compiled_function(normalize_maps, fastmath=_FASTMATH)


@functools.cache
def _spatial_backward(width: int) -> int:
    """Return the address of the kernel that turns the gradient of outputs into that of inputs."""

    def differentiate_maps(numbers: int, part: int, parts: int, memory: int) -> None:
        x, g, dx, N, H, W, C, size, scale, k, relu, slope = unpack(numbers, 12)
        image, row = (H * W * C + 15) // 16 * 64, (W * C + 15) // 16 * 64
        before = size // 2
        in_squares, in_shares = memory + image, memory + 2 * image
        squares, shares = pointer(in_squares, 4), pointer(in_shares, 4)
        rows, s = pointer(memory + 4 * image, 4), pointer(memory + 4 * image + row, 4)
        q = pointer(memory + 4 * image + 2 * row, 4)
        for n in range(N * part // parts, N * (part + 1) // parts):
            shift = n * H * W * C * width
            source, gradient = pointer(x + shift, width), pointer(g + shift, width)
            target = pointer(dx + shift, width)
            values, gradients = pointer(memory, 4), pointer(memory + 3 * image, 4)
            for i in range(H * W * C):
                value = read(source, i, relu != 0)
                values[i] = value
                squares[i] = value * value
                gradients[i] = read(gradient, i, False)
            for h in range(H):
                _patch_sums(in_squares, rows, s, (H, W, C), before, size, h)
                _roots_of_sums(s, q, W * C, number(scale), number(k))
                first = h * W * C
                for i in range(W * C):
                    square = q[i] * q[i]
                    gradients[first + i] *= square * q[i]
                    shares[first + i] = gradients[first + i] * values[first + i] * (square * square)
            for h in range(H):
                _patch_sums(in_shares, rows, s, (H, W, C), size - before - 1, size, h)
                first = h * W * C
                values = pointer(memory + 4 * first, 4)
                gradients = pointer(memory + 3 * image + 4 * first, 4)
                _subtract_shared(gradients, values, s, W * C, number(slope), relu != 0)
                for i in range(W * C):
                    write(target, first + i, gradients[i], False)

    return compiled_function(differentiate_maps, fastmath=_FASTMATH)
