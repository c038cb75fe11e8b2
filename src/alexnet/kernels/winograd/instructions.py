"""What the kernels are made of: intrinsics that emit LLVM's instructions on vectors.

Addresses and strides are in bytes; m, r, rows and the like are literal, so that each form becomes
machine code of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types

from alexnet.kernels import vectors
from alexnet.kernels.vectors import FLOAT, FLOAT_BYTES, LANES, REGISTERS, VECTOR, intrinsic
from alexnet.kernels.winograd.linear import apply_both_sides
from alexnet.kernels.winograd.matrices import matrices

__all__ = [
    "GRADIENTS",
    "INPUTS",
    "MOST_ROWS",
    "add_rows",
    "clear_quads",
    "clear_vector",
    "copy_number",
    "copy_quads",
    "copy_vector",
    "measure",
    "read_patch",
    "tile_product",
    "write_tile",
]

MOST_ROWS = {4: 6, 3: 9, 2: 12} if REGISTERS == 32 else {3: 4, 2: 6}
"""The most rows of a tile of so many vectors.

24 to 27 sums and what is loaded fit 32 registers, 12 fit 16. Wide tiles read the left matrix less
often.
"""

_ROWS_BELOW = 100

# Of a float32 as bits: what leaves out the sign, and what half of them, shifted, lacks to the bits
# of the root.
_NO_SIGN, _ROOT = 0x7FFFFFFF, 0x1FBD1DF5

_QUAD = ir.VectorType(FLOAT, 4)

INPUTS, GRADIENTS = 0, 1
"""What `read_patch` transforms: a x a inputs by B^T, or m x m gradients of outputs by A."""


@intrinsic(prefer_literal=True)
def read_patch(
    context: Any,
    kind: Any,
    m: Any,
    r: Any,
    source: Any,
    row: Any,
    column: Any,
    target: Any,
    apart: Any,
) -> Any:
    """Transform the patch at an address into a x a numbers, `apart` from each other."""
    filtered = matrices(m.literal_value, r.literal_value)
    matrix = filtered.inputs if kind.literal_value == INPUTS else filtered.outputs.T
    signature = types.void(kind, m, r, *[types.int64] * 5)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, row, column, target, apart = arguments[3:]
        at = vectors.offset
        side = matrix.shape[1]
        patch = [
            [
                vectors.load(builder, at(builder, at(builder, source, row, i), column, j))
                for j in range(side)
            ]
            for i in range(side)
        ]
        numbers = [each for line in apply_both_sides(builder, matrix, patch) for each in line]
        for number, value in enumerate(numbers):
            vectors.store(builder, value, at(builder, target, apart, number))
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def write_tile(
    context: Any,
    m: Any,
    r: Any,
    source: Any,
    apart: Any,
    bias: Any,
    floor: Any,
    target: Any,
    row: Any,
    column: Any,
) -> Any:
    """Write a tile's m x m outputs: its a x a numbers transformed, plus bias, not below floor."""
    matrix = matrices(m.literal_value, r.literal_value).outputs
    signature = types.void(m, r, *[types.int64] * 7)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, apart, bias, floor, target, row, column = arguments[2:]
        at = vectors.offset
        a = matrix.shape[1]
        patch = [
            [vectors.load(builder, at(builder, source, apart, i * a + j)) for j in range(a)]
            for i in range(a)
        ]
        biases, lowest = vectors.load(builder, bias), vectors.broadcast(builder, floor)
        for i, line in enumerate(apply_both_sides(builder, matrix, patch)):
            for j, value in enumerate(line):
                total = builder.fadd(value, biases)
                below = builder.fcmp_ordered("<", total, lowest)  # a NaN stays one
                kept = builder.select(below, lowest, total)
                vectors.store(builder, kept, at(builder, at(builder, target, row, i), column, j))
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def tile_product(
    context: Any,
    width: Any,
    rows: Any,
    adds: Any,
    length: Any,
    left: Any,
    left_row: Any,
    left_step: Any,
    right: Any,
    right_step: Any,
    result: Any,
    result_row: Any,
    ahead: Any,
    ahead_step: Any,
) -> Any:
    """Write a tile of a product of matrices, or add it to what is there.

    The tile, of some rows and some vectors of `MOST_ROWS`, is kept in registers while the inner
    dimension, `length` at least 1, is run through; each size has code of its own. Meanwhile what
    lies from `ahead` on is fetched, `ahead_step` bytes at a time.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        width, rows, *others = arguments
        done = builder.append_basic_block("tiled")
        sizes = [(w, count) for w, most in MOST_ROWS.items() for count in range(1, most + 1)]
        size = builder.add(builder.mul(width, vectors.index(_ROWS_BELOW)), rows)
        choice = builder.switch(size, done)
        for w, count in sizes:
            case = builder.append_basic_block(f"tile{w}x{count}")
            choice.add_case(vectors.index(w * _ROWS_BELOW + count), case)
            builder.position_at_end(case)
            _emit_tile(builder, count, w, *others)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 13), generate


def _emit_tile(
    builder: Any,
    rows: int,
    width: int,
    adds: Any,
    length: Any,
    left: Any,
    left_row: Any,
    left_step: Any,
    right: Any,
    right_step: Any,
    result: Any,
    result_row: Any,
    ahead: Any,
    ahead_step: Any,
) -> None:
    """Emit the code of one tile of rows x width vectors; arguments as for `tile_product`."""
    at, vector = vectors.offset, vectors.index(FLOAT_BYTES * LANES)
    lefts = [at(builder, left, left_row, i) for i in range(rows)]
    places = [
        at(builder, at(builder, result, result_row, i), vector, v)
        for i in range(rows)
        for v in range(width)
    ]
    for place in places:  # the sums take longer than it takes to fetch the tile
        vectors.prefetch(builder, place, writing=True)

    def turn(values: list[Any]) -> list[Any]:
        shift, panel, line, *sums = values
        vectors.prefetch(builder, line)
        factors = [vectors.load(builder, at(builder, panel, vector, v)) for v in range(width)]
        totals: list[Any] = []
        for i in range(rows):
            factor = vectors.broadcast(builder, builder.add(lefts[i], shift))
            own = sums[i * width : (i + 1) * width]
            pairs = zip(factors, own, strict=True)
            totals += [vectors.fused(builder, factor, each, total) for each, total in pairs]
        steps = ((shift, left_step), (panel, right_step), (line, ahead_step))
        return [*(builder.add(value, step) for value, step in steps), *totals]

    zeros = [vectors.splat(0.0)] * len(places)
    results = vectors.repeat(builder, length, [vectors.index(0), right, ahead, *zeros], turn)
    adding = builder.icmp_signed("!=", adds, vectors.index(0))
    for place, total in zip(places, results[3:], strict=True):
        there = builder.select(adding, vectors.load(builder, place), vectors.splat(0.0))
        vectors.store(builder, builder.fadd(total, there), place)


@intrinsic
def copy_vector(context: Any, source: Any, target: Any) -> Any:
    """Copy a vector from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors.store(builder, vectors.load(builder, arguments[0]), arguments[1])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def clear_vector(context: Any, target: Any) -> Any:
    """Write zeros to a vector's place."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors.store(builder, vectors.splat(0.0), arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def copy_quads(context: Any, source: Any, target: Any, count: Any) -> Any:
    """Copy `count` times four numbers, at least once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, count = arguments
        _for_each_quad(
            builder,
            target,
            count,
            lambda shift: vectors.load(builder, builder.add(source, shift), _QUAD),
        )
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@intrinsic
def clear_quads(context: Any, target: Any, count: Any) -> Any:
    """Write `count` times four zeros, at least once."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, count = arguments
        _for_each_quad(builder, target, count, lambda shift: ir.Constant(_QUAD, [0.0] * 4))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def _for_each_quad(builder: Any, target: Any, count: Any, value: Callable[[Any], Any]) -> None:
    """Emit a loop that writes the value for each shift in bytes."""

    def turn(values: list[Any]) -> list[Any]:
        vectors.store(builder, value(values[0]), builder.add(target, values[0]))
        return [builder.add(values[0], vectors.index(4 * FLOAT_BYTES))]

    vectors.repeat(builder, count, [vectors.index(0)], turn)


@intrinsic
def copy_number(context: Any, source: Any, target: Any) -> Any:
    """Copy one number from one address to another."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = arguments
        vectors.store(builder, vectors.load(builder, source, FLOAT), target)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def add_rows(context: Any, source: Any, row: Any, count: Any, target: Any) -> Any:
    """Add `count` vectors, `row` bytes from each other, at least one, to the one at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, row, count, target = arguments

        def turn(values: list[Any]) -> list[Any]:
            place, total = values
            total = builder.fadd(total, vectors.load(builder, place))
            return [builder.add(place, row), total]

        start = [source, vectors.load(builder, target)]
        vectors.store(builder, vectors.repeat(builder, count, start, turn)[1], target)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), generate


@intrinsic
def measure(context: Any, source: Any, count: Any, found: Any) -> Any:
    """Write four vectors about `count` vectors, at least one; each lane is for itself.

    The largest magnitude, the sum of squares, the sum of the roots of magnitudes (within 6 %), and
    how many numbers are not zero.
    """
    words = ir.VectorType(ir.IntType(32), LANES)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, count, found = arguments
        zero, one, size = vectors.splat(0.0), vectors.splat(1.0), vectors.index(FLOAT_BYTES * LANES)

        def turn(values: list[Any]) -> list[Any]:
            place, largest, squares, roots, others = values
            value = vectors.load(builder, place)
            sign = ir.Constant(words, [_NO_SIGN] * LANES)
            bits = builder.and_(builder.bitcast(value, words), sign)
            magnitude = builder.bitcast(bits, VECTOR)
            # half of the exponent, as if the bits were a logarithm
            half = builder.lshr(bits, ir.Constant(words, [1] * LANES))
            root = builder.bitcast(builder.add(half, ir.Constant(words, [_ROOT] * LANES)), VECTOR)
            is_zero = builder.fcmp_ordered("==", value, zero)
            larger = builder.fcmp_ordered(">", magnitude, largest)
            return [
                builder.add(place, size),
                builder.select(larger, magnitude, largest),
                vectors.fused(builder, value, value, squares),
                builder.fadd(roots, builder.select(is_zero, zero, root)),
                builder.fadd(others, builder.select(is_zero, zero, one)),
            ]

        results = vectors.repeat(builder, count, [source, *[zero] * 4], turn)[1:]
        for number, result in enumerate(results):
            vectors.store(builder, result, vectors.offset(builder, found, size, number))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate
