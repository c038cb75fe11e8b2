"""Max pooling in one pass over memory each way: kernels compiled by numba (extra: fast).

Torch's backward pass first writes zeros and then scatters into them, number by number. Here every
window remembers which of its positions was the largest, one byte a number, and the backward pass
collects for each position from the windows that hold it: written once, vectorized.

Every number is made by itself in a fixed order, so the bits do not depend on the number of threads.

Legend: N images, H x W positions in, P x Q positions out, C channels.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from alexnet.kernels.numba import channels_last_array, compiled_function, register_jitable
from alexnet.kernels.pointers import (
    BYTES,
    WORDS,
    address,
    call,
    launch_parts,
    pointer,
    read,
    row_bytes,
    unpack,
    write,
)

__all__ = [
    "backward",
    "forward",
    "pool_window",
    "sum_gradients",
    "window_bytes",
    "windows_over",
]

_NO_GRADIENT = np.uint8(255)


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
    channels = x.shape[1]
    width = x.element_size()
    launch_parts(
        _forward(width),
        [
            pool_window(width, width),
            *[address(array) for array in arrays],
            *arrays[0].shape,
            *arrays[1].shape[1:3],
            kernel,
            stride,
            relu,
        ],
        window_bytes(channels),
    )


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
    width = g.element_size()
    launch_parts(
        _backward(width),
        [
            *[address(array) for array in arrays],
            *arrays[2].shape,
            *arrays[1].shape[1:3],
            kernel,
            stride,
        ],
        row_bytes(g.shape[1]),
    )


def window_bytes(channels: int) -> int:
    """Return the bytes of memory that `pool_window` needs."""
    return 4 * row_bytes(channels)


@functools.cache
def _forward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes."""

    def pool_maps(numbers: int, part: int, parts: int, memory: int) -> None:
        window, x, y, argmax, N, H, W, C, P, Q, kernel, stride, relu = unpack(numbers, 13)
        line, pixel = W * C * width, C * width
        for job in range(N * P * part // parts, N * P * (part + 1) // parts):
            top = job % P * stride
            image = x + job // P * H * line
            high = min(kernel, H - top)
            for q in range(Q):
                left = q * stride
                place = (job * Q + q) * C
                call(
                    window,
                    image + left * pixel,
                    line,
                    H,
                    top,
                    high,
                    min(kernel, W - left),
                    C,
                    kernel,
                    relu,
                    y + place * width,
                    argmax + place,
                    memory,
                )

    return compiled_function(pool_maps)


@register_jitable
def _larger(value: Any, best: Any) -> Any:
    """Whether a number takes the place of another; what is not a number does, as in torch."""
    return value > best or value != value


# What is written lies elsewhere than what is read: of a maximum in place LLVM makes stores under a
# mask (vmaskmov, or a scatter), about ten times as slow as plain ones on AMD's processors with
# AVX2. And the index is as wide as the numbers, because AVX2 has no cheap way from a mask of 32-bit
# lanes to one of 8-bit lanes.
@register_jitable
def _max_of_two(
    best: Any, index: Any, row: Any, count: int, number: Any, next_best: Any, next_index: Any
) -> None:
    """Write the larger ones of two rows, and which they are.

    Args:
        best: float32.
        index: uint32, the numbers of the rows that `best` is from.
        row: float32 or bfloat16.
        count: of the numbers.
        number: uint32, of the row.
        next_best: float32, written.
        next_index: uint32, written.
    """
    for c in range(count):
        value, top, at = read(row, c, False), best[c], index[c]
        larger = _larger(value, top)
        next_best[c] = value if larger else top
        next_index[c] = number if larger else at


@register_jitable
def _max_with_three(
    best: Any,
    index: Any,
    rows: Any,
    count: int,
    number: Any,
    next_best: Any,
    next_index: Any,
) -> None:
    """Do what `_max_of_two` does with three rows, of which `number` is the first one's.

    Three positions at a time stay in registers, which is twice as fast as one at a time through the
    cache; and three is the paper's window.
    """
    for c in range(count):
        top, at = best[c], index[c]
        for j in range(3):  # LLVM writes it out
            value = read(rows, j * count + c, False)
            larger = _larger(value, top)
            top = value if larger else top
            at = number + np.uint32(j) if larger else at
        next_best[c] = top
        next_index[c] = at


@functools.cache
def pool_window(width: int, written: int) -> int:
    """Return the address of a function that writes a window's largest numbers and where they were.

    Its arguments are whole numbers; addresses and distances are in bytes:

    source: address of the first column's numbers in the line that has place 0.
    line: distance of lines.
    places: after so many lines the first one comes again.
    top: number of the window's first line.
    high, wide: lines and columns of the window that lie in the map.
    C: channels.
    kernel: side of the window.
    relu: 1: a ReLU stands before or after: what is below zero becomes zero, without a gradient.
    y: address of C numbers, written.
    argmax: address of C bytes, written.
    memory: address of `window_bytes`.

    Args:
        width: bytes of a number that is read.
        written: bytes of a number that is written.
    """

    def pool(
        source: int,
        line: int,
        places: int,
        top: int,
        high: int,
        wide: int,
        C: int,
        kernel: int,
        relu: int,
        y: int,
        argmax: int,
        memory: int,
    ) -> None:
        size = (C + 15) // 16 * 64
        last = 0
        best, index = pointer(memory, 4), pointer(memory + 2 * size, WORDS)
        first = pointer(source + top % places * line, width)
        for c in range(C):
            best[c] = read(first, c, False)
            index[c] = np.uint32(0)
        for i in range(high):
            rows = source + (top + i) % places * line
            steps = 1 if wide == 3 else wide
            for j in range(steps):
                best = pointer(memory + last * size, 4)
                index = pointer(memory + (2 + last) * size, WORDS)
                last = 1 - last
                next_best = pointer(memory + last * size, 4)
                next_index = pointer(memory + (2 + last) * size, WORDS)
                number = np.uint32(i * kernel + j)
                row = pointer(rows + j * C * width, width)
                if wide == 3:
                    _max_with_three(best, index, row, C, number, next_best, next_index)
                else:
                    _max_of_two(best, index, row, C, number, next_best, next_index)
        best = pointer(memory + last * size, 4)
        index = pointer(memory + (2 + last) * size, WORDS)
        largest, out = pointer(argmax, BYTES), pointer(y, written)
        for c in range(C):
            none = relu != 0 and best[c] <= 0
            largest[c] = _NO_GRADIENT if none else np.uint8(index[c])
        for c in range(C):
            write(out, c, best[c], relu != 0)

    return compiled_function(pool)


@register_jitable
def windows_over(position: int, count: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the first and the last of `count` windows in a line that hold a position."""
    return max(0, (position - kernel + stride) // stride), min(count - 1, position // stride)


@register_jitable
def _sum_windows(
    g: Any,
    argmax: Any,
    position: tuple[int, int],
    over: tuple[int, int, int, int],
    sizes: tuple[int, int, int, int],
    total: Any,
) -> None:
    """Add up the gradients of the windows in which a position was the largest.

    Args:
        g: (P, Q, C) gradients of an image's outputs.
        argmax: (P, Q, C) uint8, where in its window each was.
        position: row and column.
        over: first and last window over its row, first and last over its column.
        sizes: Q, C, side of a window, stride of the windows.
        total: (C,) float32, written.
    """
    h, w = position
    top, bottom, left, right = over
    Q, C, kernel, stride = sizes
    for c in range(C):
        total[c] = np.float32(0)
    for p in range(top, bottom + 1):
        for q in range(left, right + 1):
            number = np.uint8((h - p * stride) * kernel + w - q * stride)
            place = (p * Q + q) * C
            for c in range(C):
                value = read(g, place + c, False)
                total[c] += value if argmax[place + c] == number else np.float32(0)


@functools.cache
def sum_gradients(width: int) -> int:
    """Return the address of a function that adds up the gradients of a position.

    They are those of the windows in which it was the largest. Its arguments are whole numbers:

    g: address of an image's (P, Q, C) gradients.
    argmax: address of (P, Q, C) bytes: where in its window each was.
    h, w: row and column of the position.
    P, Q, C: sizes.
    kernel, stride: of the windows.
    sums: address of C float32 numbers, written.

    Args:
        width: bytes of a gradient.
    """

    def add_up(
        g: int,
        argmax: int,
        h: int,
        w: int,
        P: int,
        Q: int,
        C: int,
        kernel: int,
        stride: int,
        sums: int,
    ) -> None:
        over = (*windows_over(h, P, kernel, stride), *windows_over(w, Q, kernel, stride))
        sizes = (Q, C, kernel, stride)
        gradients, largest = pointer(g, width), pointer(argmax, BYTES)
        _sum_windows(gradients, largest, (h, w), over, sizes, pointer(sums, 4))

    return compiled_function(add_up)


@functools.cache
def _backward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes."""

    def pool_back(numbers: int, part: int, parts: int, memory: int) -> None:
        g, argmax, dx, N, H, W, C, P, Q, kernel, stride = unpack(numbers, 11)
        sums, sizes = pointer(memory, 4), (Q, C, kernel, stride)
        for job in range(N * H * part // parts, N * H * (part + 1) // parts):
            outputs, h = job // H * P * Q * C, job % H
            gradients = pointer(g + outputs * width, width)
            largest = pointer(argmax + outputs, BYTES)
            over_h = windows_over(h, P, kernel, stride)
            for w in range(W):
                over = (*over_h, *windows_over(w, Q, kernel, stride))
                _sum_windows(gradients, largest, (h, w), over, sizes, sums)
                row = pointer(dx + (job * W + w) * C * width, width)
                for c in range(C):
                    write(row, c, sums[c], False)

    return compiled_function(pool_back)
