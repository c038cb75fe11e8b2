"""A few rows times a matrix whose numbers are kept in 16 or 8 bits (extra: fast).

For a few rows such a product takes as long as reading the matrix from memory. Kept in half the
bytes it takes half the time: each number is widened to float32 on its way into a register, exactly,
and all sums are float32. The matrix stays as it lies, one row for each output.

Each output is summed in one order: lane by lane along the row, then the lanes in pairs. So the bits
depend neither on how many rows come at once nor on the number of threads.

Legend: m rows (m, K), weights (n, K), outputs (m, n).
"""

from __future__ import annotations

from typing import Any

import torch
from llvmlite import ir
from numba import types
from torch import Tensor

from alexnet.kernels import vectors
from alexnet.kernels.numba import cached_njit, launch, prange, thread_count
from alexnet.kernels.vectors import FLOAT, FLOAT_BYTES, LANES, VECTOR, intrinsic

__all__ = ["multiply", "supports"]

# numba knows neither of the two kinds of 16 bits, so that arrays of whole numbers stand for them.
_BITS = {torch.float16: torch.uint16, torch.bfloat16: torch.int16, torch.int8: torch.int8}

_AHEAD = 1024  # bytes that are fetched in advance: a tenth faster than the processor's own guess
_COLUMNS = 8  # outputs of a block: as many streams from memory
_ROWS = 4  # at most, of a tile: with four outputs 16 sums, which fit the registers of AVX2


def supports(weights: Tensor) -> bool:
    """Whether the kernel multiplies with (n, K) numbers kept as these are."""
    if weights.dtype is torch.float16 and not _widens_halves():
        return False
    return weights.dtype in _BITS and weights.shape[1] > 0 and weights.shape[1] % LANES == 0


def multiply(x: Tensor, weights: Tensor) -> Tensor:
    """Return x times the transposed weights.

    Args:
        x: (m, K) float32.
        weights: (n, K) float16, bfloat16 or int8, contiguous, as `supports` allows.

    Returns:
        (m, n) float32.
    """
    x = x.contiguous()
    y = torch.empty((len(x), len(weights)), dtype=torch.float32)
    bits = weights.detach().view(_BITS[weights.dtype]).numpy()
    launch(_multiply, x.detach().numpy(), bits, y.numpy(), thread_count())
    return y


def _widens_halves() -> bool:
    """Whether numba compiles for a processor with F16C, or for ARM64, which has the like."""
    return vectors.has_fma()  # every processor with the one has the other


@intrinsic(prefer_literal=True)
def _tile(
    context: Any, rows: Any, columns: Any, weights: Any, x: Any, place: Any, y: Any, K: Any, n: Any
) -> Any:
    """Write the outputs of some rows and some columns, both literal, to the address y.

    x and place are the addresses of the first row and of the first weight; `weights` says by its
    type how they are kept.
    """
    signature = types.void(rows, columns, weights, *[types.int64] * 5)
    sizes = rows.literal_value, columns.literal_value, weights.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, place, y, K, n = arguments[3:]
        sums = _emit_sums(builder, *sizes, x, place, K)
        line = builder.mul(n, vectors.index(FLOAT_BYTES))
        for m, row in enumerate(sums):
            for r, total in enumerate(row):
                at = vectors.offset(builder, y, line, m)
                number = _emit_lanes_sum(builder, total)
                vectors.store(builder, number, builder.add(at, vectors.index(FLOAT_BYTES * r)))
        return context.get_dummy_value()

    return signature, generate


def _emit_sums(
    builder: Any, rows: int, columns: int, kind: Any, x: Any, place: Any, K: Any
) -> list[list[Any]]:
    """Emit the loop along K; return the sums of each row and column, lane by lane."""
    size = kind.bitwidth // 8
    line, stride = (builder.mul(K, vectors.index(each)) for each in (FLOAT_BYTES, size))

    def turn(carried: list[Any]) -> list[Any]:
        numbers, shift, *sums = carried
        values = [
            vectors.load(builder, builder.add(vectors.offset(builder, x, line, m), numbers))
            for m in range(rows)
        ]
        totals = list(sums)
        for r in range(columns):
            at = builder.add(vectors.offset(builder, place, stride, r), shift)
            vectors.prefetch(builder, builder.add(at, vectors.index(_AHEAD)))
            wide = _emit_widened(builder, at, kind)
            for m in range(rows):
                i = m * columns + r
                totals[i] = vectors.fused(builder, values[m], wide, sums[i])
        further = (vectors.index(each * LANES) for each in (FLOAT_BYTES, size))
        return [*map(builder.add, (numbers, shift), further), *totals]

    start = [*[vectors.index(0)] * 2, *[vectors.splat(0.0)] * (rows * columns)]
    turns = builder.sdiv(K, vectors.index(LANES))
    totals = vectors.repeat(builder, turns, start, turn)[2:]
    return [list(totals[m * columns : (m + 1) * columns]) for m in range(rows)]


def _emit_widened(builder: Any, at: Any, kind: Any) -> Any:
    """Emit loading LANES weights and making float32 of them, exactly."""
    wide = ir.VectorType(ir.IntType(32), LANES)

    def load(lane: Any, align: int) -> Any:
        pointer = builder.inttoptr(at, ir.VectorType(lane, LANES).as_pointer())
        return builder.load(pointer, align=align)

    if kind == types.int8:
        return builder.sitofp(builder.sext(load(ir.IntType(8), 1), wide), VECTOR)
    if kind == types.int16:  # bfloat16: the upper half of a float32
        upper = builder.zext(load(ir.IntType(16), 2), wide)
        return builder.bitcast(builder.shl(upper, ir.Constant(wide, [16] * LANES)), VECTOR)
    return builder.fpext(load(ir.HalfType(), 2), VECTOR)


def _emit_lanes_sum(builder: Any, total: Any) -> Any:
    """Emit the sum of a vector's lanes, halves onto each other."""
    lane, width = ir.IntType(32), LANES
    while width > 1:
        width //= 2
        parts = [
            ir.Constant(ir.VectorType(lane, width), [*range(first, first + width)])
            for first in (0, width)
        ]
        low, high = (builder.shuffle_vector(total, total, part) for part in parts)
        total = builder.fadd(low, high)
    return builder.bitcast(builder.extract_element(total, ir.Constant(lane, 0)), FLOAT)


@cached_njit(parallel=True)
def _multiply(x: Any, weights: Any, y: Any, threads: int) -> None:
    """Write y = x times the transposed weights; a thread makes some of the columns."""
    m, K = x.shape
    n, size = weights.shape[0], weights.itemsize
    rows, places, outputs = x.ctypes.data, weights.ctypes.data, y.ctypes.data
    blocks = (n + _COLUMNS - 1) // _COLUMNS
    for thread in prange(threads):
        for block in range(blocks * thread // threads, blocks * (thread + 1) // threads):
            first = block * _COLUMNS
            last = min(first + _COLUMNS, n)
            for i in range(0, m, _ROWS):  # the block's weights stay in the cache meanwhile
                count, a = min(_ROWS, m - i), rows + i * K * FLOAT_BYTES
                j = first
                while j < last:
                    w, b = places + j * K * size, outputs + (i * n + j) * FLOAT_BYTES
                    if count == 1 and last - j == 8:
                        _tile(1, 8, weights, a, w, b, K, n)
                        j += 8
                    elif count == 2 and last - j == 8:
                        _tile(2, 8, weights, a, w, b, K, n)
                        j += 8
                    elif count == 3 and last - j >= 4:
                        _tile(3, 4, weights, a, w, b, K, n)
                        j += 4
                    elif count == 4 and last - j >= 4:
                        _tile(4, 4, weights, a, w, b, K, n)
                        j += 4
                    else:
                        for r in range(count):
                            shift = r * FLOAT_BYTES
                            _tile(1, 1, weights, a + shift * K, w, b + shift * n, K, n)
                        j += 1
