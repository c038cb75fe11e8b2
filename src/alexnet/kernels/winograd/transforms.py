"""Winograd's transforms of channels-last maps, as parts of kernels (extra: fast).

Legend: maps are N images of H x W positions and C channels, `groups` groups of D channels. An image
is cut into rows and columns of tiles of m x m outputs; filters are r x r, a = m + r - 1. A plane
holds one of the a x a numbers of every tile: (T, D) for T tiles, one plane for each number and
group, in this order.

Addresses and strides are in bytes, as integers.
"""

from __future__ import annotations

import functools

import numpy as np

from alexnet.kernels.numba import compiled_function, register_jitable
from alexnet.kernels.pointers import BYTES, number, pointer, unpack
from alexnet.kernels.vectors import FLOAT_BYTES, LANES
from alexnet.kernels.winograd.instructions import (
    INPUTS,
    clear_vector,
    copy_vector,
    measure,
    read_patch,
    write_tile,
)

__all__ = ["mark_wild", "plane_numbers", "read_row", "write_row"]

_LARGEST, _SMALLEST = np.float32(1e12), np.float32(1e-12)
"""Root mean squares of an image between which products of transformed numbers stay in range."""

_VECTOR = FLOAT_BYTES * LANES


@register_jitable
def plane_numbers(tiles: int, channels: int) -> int:
    """Return how many numbers one plane begins after the one before it.

    A vector more than it holds: at distances of some kilobytes exactly, all numbers of a tile would
    compete for the same lines of the cache.
    """
    return tiles * channels + LANES


@functools.cache
def mark_wild() -> int:
    """Return the address of the kernel that marks images whose numbers lie too far apart.

    Those are left to plain convolution, and so are images that hold what is no number. Its numbers:

    maps: address of (N, count) float32; count is a multiple of a vector of numbers.
    wild: address of (N,) bytes; 1 is written for such an image.
    N, count: sizes.
    outlier: as `float_bits`, how many times as large as is usual a number may be.

    A part's own memory holds four vectors.
    """

    def mark(numbers: int, part: int, parts: int, memory: int) -> None:
        maps, wild, N, count, outlier = unpack(numbers, 5)
        found, marks = pointer(memory, 4), pointer(wild, BYTES)
        for n in range(N * part // parts, N * (part + 1) // parts):
            measure(maps + FLOAT_BYTES * n * count, count // LANES, memory)
            largest, squares, roots, others = np.float32(0), 0.0, 0.0, 0.0
            for lane in range(LANES):
                largest = max(largest, found[lane])
                squares += found[LANES + lane]
                roots += found[2 * LANES + lane]
                others += found[3 * LANES + lane]
            if others == 0:  # no number but zero
                continue
            # A mean of roots, squared: one number, however large, hardly changes it.
            usual = (roots / others) ** 2
            rms = np.sqrt(squares / others)
            sound = _SMALLEST < rms < _LARGEST and largest < number(outlier) * usual
            if not sound:  # also where the sums are no numbers
                marks[n] = 1

    return compiled_function(mark)


@functools.cache
def read_row(m: int, r: int, kind: int) -> int:
    """Return the address of a function that transforms a row of tiles of one image.

    Inputs become B^T d B, gradients A g A^T. Its arguments are whole numbers:

    source: address of the image (H, W, C).
    H, W, C: what lies outside counts as zero; C is the distance of positions.
    top, left: position of the first tile's patch; may be negative.
    columns: tiles.
    zeros: 1: take zeros for the image.
    target: address of the first tile's numbers in the first plane.
    width: D, channels of a group: those from `source` on are transformed.
    apart: bytes from one of a tile's numbers to the next.
    edge: address of memory for a patch of vectors.

    Args:
        m: outputs of a tile in a row.
        r: side of the filter.
        kind: INPUTS or GRADIENTS.
    """
    side = m + r - 1 if kind == INPUTS else m

    def read(
        source: int,
        H: int,
        W: int,
        C: int,
        top: int,
        left: int,
        columns: int,
        zeros: int,
        target: int,
        width: int,
        apart: int,
        edge: int,
    ) -> None:
        pixel = FLOAT_BYTES * C
        for column in range(columns):
            x = left + column * m
            inside = top >= 0 and x >= 0 and top + side <= H and x + side <= W and zeros == 0
            corner = source + (top * W + x) * pixel
            place = target + FLOAT_BYTES * column * width
            for c in range(0, width, LANES):
                at = place + FLOAT_BYTES * c
                patch = corner + FLOAT_BYTES * c
                if not inside:
                    for i in range(side):
                        whole = 0 <= top + i < H and zeros == 0
                        for j in range(side):
                            copied = edge + (i * side + j) * _VECTOR
                            if whole and 0 <= x + j < W:
                                copy_vector(patch + (i * W + j) * pixel, copied)
                            else:
                                clear_vector(copied)
                    patch = edge
                # written once: it is much code, and takes long to compile
                row = W * pixel if inside else side * _VECTOR
                step = pixel if inside else _VECTOR
                read_patch(kind, m, r, patch, row, step, at, apart)

    return compiled_function(read)


@functools.cache
def write_row(m: int, r: int) -> int:
    """Return the address of a function that writes the outputs of a row of tiles of one image.

    They are A^T p A for the a x a numbers p of a tile. Its arguments are whole numbers:

    source: address of the first tile's numbers in the first plane (T, channels).
    apart: bytes from one plane to the next.
    target: address of the image (H, W, C) at the first of the channels.
    H, W, C: what would lie outside is not written.
    top: position of the first tile.
    columns: tiles.
    channels: that are written, a multiple of a vector.
    bias: address of these channels' biases.
    floor: address of the number that is put for what lies below it.
    edge: address of memory for a tile of vectors.

    Args:
        m: outputs of a tile in a row.
        r: side of the filter.
    """

    def write(
        source: int,
        apart: int,
        target: int,
        H: int,
        W: int,
        C: int,
        top: int,
        columns: int,
        channels: int,
        bias: int,
        floor: int,
        edge: int,
    ) -> None:
        pixel = FLOAT_BYTES * C
        high = min(m, H - top)
        for column in range(columns):
            left = column * m
            wide = min(m, W - left)
            whole = high == m and wide == m
            for c in range(0, channels, LANES):
                numbers = source + FLOAT_BYTES * (column * channels + c)
                corner = target + (top * W + left) * pixel + FLOAT_BYTES * c
                write_tile(
                    m,
                    r,
                    numbers,
                    apart,
                    bias + FLOAT_BYTES * c,
                    floor,
                    corner if whole else edge,
                    W * pixel if whole else m * _VECTOR,
                    pixel if whole else _VECTOR,
                )
                if not whole:
                    for i in range(high):
                        for j in range(wide):
                            copy_vector(edge + (i * m + j) * _VECTOR, corner + (i * W + j) * pixel)

    return compiled_function(write)
