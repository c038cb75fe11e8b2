"""ReLU, normalization across maps and max pooling in one pass over memory (extra: fast).

The paper's first two stages are memory traffic: here what lies between the convolution and the
pooled maps is never written. Forward, some rows are normalized into the cache and pooled there;
backward, the gradient of a normalized row is summed over its windows and used at once.

Legend: N images, H x W positions in, P x Q positions out, C channels, D channels of a tower.
"""

from __future__ import annotations

import functools
from typing import Any

from torch import Tensor

from alexnet.kernels.norm import backward_bytes, differentiate_row, forward_bytes, normalize_row
from alexnet.kernels.norm_reference import NormSettings
from alexnet.kernels.numba import channels_last_array, compiled_function
from alexnet.kernels.pointers import (
    address,
    call,
    float_bits,
    launch_parts,
    pointer,
    row_bytes,
    unpack,
    write,
)
from alexnet.kernels.pool import pool_window, sum_gradients, window_bytes

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
    channels, columns = x.shape[1], x.shape[3]
    width = x.element_size()
    launch_parts(
        _forward(width),
        [
            normalize_row(width, 4),
            pool_window(4, width),
            *[address(array) for array in arrays],
            *arrays[0].shape,
            *arrays[1].shape[1:3],
            *_numbers(norm),
            *window,
            *relu,
            row_bytes(window[0] * columns * channels),
        ],
        row_bytes(window[0] * columns * channels)
        + max(window_bytes(channels), forward_bytes(channels, norm.size)),
    )


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
    channels, width = x.shape[1], x.element_size()
    launch_parts(
        _backward(width),
        [
            differentiate_row(width),
            sum_gradients(width),
            *[address(array) for array in arrays],
            *arrays[0].shape,
            *arrays[1].shape[1:3],
            *_numbers(norm),
            *window,
            relu,
            row_bytes(channels),
        ],
        row_bytes(channels) + backward_bytes(channels, norm.size),
    )


def _numbers(norm: NormSettings) -> tuple[Any, ...]:
    return norm.size, float_bits(norm.scale), float_bits(norm.k), norm.towers


@functools.cache
def _forward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes."""

    def normalize_and_pool(numbers: int, part: int, parts: int, memory: int) -> None:
        (
            normalize,
            pool,
            x,
            y,
            argmax,
            N,
            H,
            W,
            C,
            P,
            Q,
            size,
            scale,
            k,
            towers,
            kernel,
            stride,
            relu_before,
            relu_after,
            kept,
        ) = unpack(numbers, 20)
        D = C // towers
        line, own = 4 * W * C, memory + kept
        for n in range(N * part // parts, N * (part + 1) // parts):
            done = 0
            for p in range(P):
                top = p * stride
                bottom = min(top + kernel, H)
                # Rows under the present windows, row h in slot h % kernel: each is normalized once,
                # though windows overlap.
                for h in range(max(done, top), bottom):
                    source = x + (n * H + h) * W * C * width
                    target = memory + h % kernel * line
                    for row in range(W * towers):
                        call(
                            normalize,
                            source + row * D * width,
                            target + 4 * row * D,
                            D,
                            size,
                            scale,
                            k,
                            relu_before,
                            own,
                        )
                done = bottom
                for q in range(Q):
                    left = q * stride
                    place = ((n * P + p) * Q + q) * C
                    call(
                        pool,
                        memory + 4 * left * C,
                        line,
                        kernel,
                        top,
                        bottom - top,
                        min(kernel, W - left),
                        C,
                        kernel,
                        relu_after,
                        y + place * width,
                        argmax + place,
                        own,
                    )

    return compiled_function(normalize_and_pool)


# The sums of squares are made again: one row of them lies in the cache, where all of them would be
# a second tensor of the input's size to write and to read.
@functools.cache
def _backward(width: int) -> int:
    """Return the address of the kernel for numbers of so many bytes."""

    def pool_and_normalize_back(numbers: int, part: int, parts: int, memory: int) -> None:
        (
            differentiate,
            add_up,
            x,
            g,
            argmax,
            dx,
            N,
            H,
            W,
            C,
            P,
            Q,
            size,
            scale,
            k,
            towers,
            kernel,
            stride,
            relu,
            kept,
        ) = unpack(numbers, 20)
        D = C // towers
        for position in range(N * part // parts * H * W, N * (part + 1) // parts * H * W):
            place, w = position // W, position % W
            outputs = place // H * P * Q * C
            shift = position * C * width
            sums = dx + shift if width == 4 else memory
            call(
                add_up,
                g + outputs * width,
                argmax + outputs,
                place % H,
                w,
                P,
                Q,
                C,
                kernel,
                stride,
                sums,
            )
            for tower in range(towers):
                call(
                    differentiate,
                    x + shift + tower * D * width,
                    sums + 4 * tower * D,
                    D,
                    size,
                    scale,
                    k,
                    relu,
                    memory + kept,
                )
            if width == 4:
                continue
            values, row = pointer(memory, 4), pointer(dx + shift, width)
            for c in range(C):
                write(row, c, values[c], False)

    return compiled_function(pool_and_normalize_back)
