"""Antialiased resizing of bytes in one pass: rows are resized, and summed while the cache has them.

The arithmetic is that of torch (2.13) and Pillow-SIMD: along the rows, then along the columns,
rounded to bytes between, each weight a whole number of 16 bits. Sums of whole numbers are the same
in any order, so the bits are torch's too. torch resizes all rows, then all columns, and copies a
window of an image first; here a resized row goes into a ring of the few that the next output needs.

Along a row, a vector of 32 bytes holds for 8 outputs the two pixels under the taps 2 p and 2 p + 1
of their filters: two loads, one shuffle by a table, one product that adds the pairs.

Importing this module fails where numba (extra: fast) is not installed or cannot compile for AVX2:
`images.resize` has another way, with the same bits.

Legend: n pixels along a side before and m after, k taps of a filter, P pairs of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types

from alexnet.kernels import byte_vectors as vectors
from alexnet.kernels.byte_vectors import cgutils, intrinsic
from alexnet.kernels.integer_weights import integer_weights
from alexnet.kernels.numba import cached_njit

__all__ = ["resample", "takes"]

_FEWEST_COLUMNS = 11
"""Pixels that a row must have, before and after: fewer are not the 32 bytes of a vector."""

_NOTHING = np.uint8(0x80)  # in a table of a shuffle: a zero


def takes(image: Any, left: int, size: tuple[int, int]) -> bool:
    """Whether `resample` resizes an image, from a column on, to that height and width."""
    columns = min(image.shape[1] - left, size[1])
    return columns >= _FEWEST_COLUMNS and image.dtype == np.uint8 and image.flags.c_contiguous


def _fits_densely(first: Any) -> bool:
    """Whether four outputs in a row, whatever channels, find each pair of taps in 16 bytes."""
    most = int(np.diff(first).max(initial=0))
    return 3 * (most + 1) + 3 <= 16


@cached_njit()
def _tables(first: Any, weights: Any, step: int, limit: int) -> Any:
    """Return from where the bytes of each vector come, their order, and their weights.

    Args:
        first: (m,) of `integer_weights`.
        weights: (m, 2 P) likewise.
        step: outputs of a half of a vector that count: 4, whatever pixels they are of, or 3, one
            pixel, where four would not find their pixels in 16 bytes.
        limit: bytes that may be read of a row.

    Returns:
        (vectors, P, 2) int64 where the halves are loaded; (vectors, P, 32) uint8 order of the
        bytes; (vectors, P, 16) int16 weights.
    """
    count, pairs = len(first), weights.shape[1] // 2
    total = 2 * -(-3 * count // (4 * step))
    bases = np.empty((total, pairs, 2), dtype=np.int64)
    orders = np.full((total, pairs, 32), _NOTHING, dtype=np.uint8)
    factors = np.zeros((total, pairs, 16), dtype=np.int16)
    for v in range(total):
        for half in range(2):
            output = (2 * v + half) * step
            for p in range(pairs):
                pixel = min(output // 3, count - 1)
                base = min(3 * (first[pixel] + 2 * p), limit - 16)
                bases[v, p, half] = base
                for lane in range(step):
                    pixel, channel = (output + lane) // 3, (output + lane) % 3
                    if pixel >= count:
                        break
                    for tap in range(2):
                        weight = weights[pixel, 2 * p + tap]
                        if weight != 0:
                            place = 8 * half + 2 * lane + tap
                            byte = 3 * (first[pixel] + 2 * p + tap) + channel - base
                            orders[v, p, 2 * place] = byte
                            factors[v, p, place] = weight
    return bases, orders, factors


def _rounding(builder: Any, precision: Any, lanes: int) -> tuple[Any, Any]:
    """Return half a unit of the weights, and the bits that the sums have too many, in each lane."""
    bits = builder.trunc(precision, vectors.INT)
    one = ir.Constant(vectors.INT, 1)
    half = builder.shl(one, builder.sub(bits, one))
    return vectors.spread(builder, half, lanes), vectors.spread(builder, bits, lanes)


def _filter_columns(pairs: int | None, *, dense: bool) -> Any:
    """Return the intrinsic that resizes one row, 16 or 12 outputs at a time.

    Args:
        pairs: of taps; None: any number.
        dense: whether all lanes count, or three of four, see `_tables`.
    """

    @intrinsic
    def filter_columns(
        typing: Any,
        source: Any,
        bases: Any,
        orders: Any,
        factors: Any,
        total: Any,
        taps: Any,
        precision: Any,
        target: Any,
    ) -> Any:
        signature = types.void(*[types.intp] * 8)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, *tables, total, taps, precision, target = arguments
            half, shift = _rounding(builder, precision, 8)
            count = vectors.index(pairs) if pairs else taps
            with cgutils.for_range(builder, total, intp=vectors.INDEX) as each:
                sums: list[Any] = []
                for side in (0, 1):
                    vector = builder.add(
                        builder.mul(each.index, vectors.index(2)), vectors.index(side)
                    )
                    start = builder.mul(vector, count)
                    add_pair = _pair_adder(builder, source, tables, start)
                    sums.append(vectors.loop(builder, pairs or count, half, add_pair))
                both = builder.lshr(
                    vectors.join(builder, *sums), vectors.join(builder, shift, shift)
                )
                outputs = builder.trunc(both, vectors.kind(vectors.BYTE, 16))
                if dense:
                    offset = builder.mul(each.index, vectors.index(16))
                    vectors.store(builder, outputs, builder.add(target, offset))
                else:
                    offset = builder.mul(each.index, vectors.index(12))
                    vectors.store_parts(builder, outputs, builder.add(target, offset), 3)
            return context.get_dummy_value()

        return signature, generate

    return filter_columns


def _pair_adder(
    builder: Any, source: Any, tables: list[Any], start: Any
) -> Callable[[Any, Any], Any]:
    """Return what adds the products of a pair of taps to 8 sums.

    Args:
        builder: of the function.
        source: address of the row.
        tables: addresses of those of `_tables`.
        start: row in them of the vector's first pair.
    """
    bases, orders, factors = tables

    def add_pair(sums: Any, pair: Any) -> Any:
        at = builder.add(start, pair)
        places = [vectors.load_index(builder, bases, at, 2, side) for side in (0, 1)]
        halves = [
            vectors.load(builder, builder.add(source, place), vectors.BYTE, 16) for place in places
        ]
        order = vectors.load_row(builder, orders, at, vectors.BYTE, 32)
        factor = vectors.load_row(builder, factors, at, vectors.SHORT, 16)
        chosen = vectors.shuffle(builder, vectors.join(builder, *halves), order)
        return builder.add(sums, vectors.multiply_pairs(builder, chosen, factor))

    return add_pair


def _filter_rows(pairs: int | None, lanes: int) -> Any:
    """Return the intrinsic that sums rows to one, for so many pairs of taps; None: any number."""

    @intrinsic
    def filter_rows(
        typing: Any, rows: Any, factors: Any, taps: Any, precision: Any, length: Any, target: Any
    ) -> Any:
        signature = types.void(*[types.intp] * 6)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            rows, factors, taps, precision, length, target = arguments
            half, shift = _rounding(builder, precision, lanes // 2)
            last = builder.sub(length, vectors.index(lanes))
            total = builder.sdiv(
                builder.add(length, vectors.index(lanes - 1)), vectors.index(lanes)
            )
            with cgutils.for_range(builder, total, intp=vectors.INDEX) as vector:
                usual = builder.mul(vector.index, vectors.index(lanes))
                late = builder.icmp_signed(">", usual, last)
                at = builder.select(late, last, usual)  # the last vector ends where the row does

                def add_pair(sums: Any, pair: Any) -> Any:
                    one, other = (
                        vectors.load(
                            builder,
                            builder.add(at, vectors.load_index(builder, rows, pair, 2, k)),
                            vectors.BYTE,
                            lanes,
                        )
                        for k in (0, 1)
                    )
                    factor = vectors.spread_pair(builder, factors, pair, lanes)
                    low, high = vectors.interleave(builder, one, other)
                    return tuple(
                        builder.add(total, vectors.multiply_pairs(builder, bytes_, factor))
                        for total, bytes_ in zip(sums, (low, high), strict=True)
                    )

                low, high = vectors.loop(builder, pairs or taps, (half, half), add_pair)
                small = vectors.kind(vectors.BYTE, lanes // 2)
                outputs = vectors.join(
                    builder,
                    *(builder.trunc(builder.lshr(total, shift), small) for total in (low, high)),
                )
                vectors.store(builder, outputs, builder.add(target, at))
            return context.get_dummy_value()

        return signature, generate

    return filter_rows


_LANES = 32 if vectors.WIDE else 16
_dense_2, _dense_3, _dense = (_filter_columns(pairs, dense=True) for pairs in (2, 3, None))
_sparse = _filter_columns(None, dense=False)
_rows_2, _rows_3 = (_filter_rows(pairs, _LANES) for pairs in (2, 3))
_rows_any = _filter_rows(None, _LANES)


@cached_njit()
def _resize_row(
    source: int, bases: Any, orders: Any, factors: Any, precision: int, target: int, step: int
) -> None:
    """Resize one row by the tables; from `target` on, 16 bytes more than the row may be written."""
    total, pairs = factors.shape[0] // 2, factors.shape[1]
    places = bases.ctypes.data, orders.ctypes.data, factors.ctypes.data
    if step == 3:
        _sparse(source, *places, total, pairs, precision, target)
    elif pairs == 2:
        _dense_2(source, *places, total, pairs, precision, target)
    elif pairs == 3:
        _dense_3(source, *places, total, pairs, precision, target)
    else:
        _dense(source, *places, total, pairs, precision, target)


@cached_njit()
def _sum_rows(
    rows: Any, factors: int, pairs: int, precision: int, length: int, target: int
) -> None:
    """Write the sum of rows, each by its weight."""
    place = rows.ctypes.data
    if pairs == 2:
        _rows_2(place, factors, pairs, precision, length, target)
    elif pairs == 3:
        _rows_3(place, factors, pairs, precision, length, target)
    else:
        _rows_any(place, factors, pairs, precision, length, target)


def resample(
    image: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    resized: Any,
    first_row: int,
    first_column: int,
    rows: int,
    columns: int,
) -> None:
    """Resize a window of an image into a window of another one, by a triangle filter.

    Args:
        image: (H, W, 3) uint8, read-only, without gaps.
        top: first row of the window that is read.
        left: first column.
        height: its rows.
        width: its columns, such that `takes` is true.
        resized: (h, w, 3) uint8, without gaps, written.
        first_row: of the window that is written.
        first_column: likewise.
        rows: its rows.
        columns: likewise.
    """
    first, weights, precision = integer_weights(width, columns)
    step = 4 if _fits_densely(first) else 3
    tables = _tables(first, weights, step, 3 * (image.shape[1] - left))
    source = image.ctypes.data + 3 * (top * image.shape[1] + left)
    target = resized.ctypes.data + 3 * (first_row * resized.shape[1] + first_column)
    lines = (source, 3 * image.shape[1], target, 3 * resized.shape[1])
    _resize_lines(*lines, height, columns, *tables, precision, step, *integer_weights(height, rows))


@cached_njit()
def _resize_lines(
    source: int,
    source_bytes: int,
    target: int,
    target_bytes: int,
    height: int,
    columns: int,
    bases: Any,
    orders: Any,
    factors: Any,
    column_precision: int,
    step: int,
    first: Any,
    weights: Any,
    row_precision: int,
) -> None:
    """Resize a window; addresses and distances of rows are in bytes, tables are of `_tables`."""
    taps = weights.shape[1]
    ring = np.empty((taps, 4 * columns + 80), dtype=np.uint8)
    places = np.empty(taps, dtype=np.int64)
    done = 0
    for y in range(len(first)):
        end = min(first[y] + taps, height)
        for row in range(max(done, first[y]), end):
            place = ring[row % taps].ctypes.data
            _resize_row(
                source + row * source_bytes, bases, orders, factors, column_precision, place, step
            )
        done = max(done, end)
        for j in range(taps):
            row = min(first[y] + j, height - 1)
            places[j] = ring[row % taps].ctypes.data
        _sum_rows(
            places,
            weights[y].ctypes.data,
            taps // 2,
            row_precision,
            3 * columns,
            target + y * target_bytes,
        )
