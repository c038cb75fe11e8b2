"""Plain kernels on addresses: compiled in a tenth of what array code takes, and called by address.

Of a large loop over arrays that is `parallel=True`, numba makes several functions and LLVM
optimizes each of them: 6 to 8 s for one kernel. So kernels are small functions of whole numbers
(`alexnet.kernels.numba.compiled_function`) that share one parallel loop, `share`, and one another,
by their addresses: each is compiled once, whoever calls it. What is read and written are pointers,
which know neither shapes nor strides and so leave numba little to find out.

Addresses are whole numbers, in bytes; whoever launches a kernel keeps the memory alive. Rows are
of float32 (4 bytes a number) or bfloat16 (2 bytes), which numba does not know; all arithmetic is
float32.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic as _intrinsic

from alexnet.kernels.numba import cached_njit, launch, prange, thread_count

__all__ = [
    "BYTES",
    "WORDS",
    "address",
    "bits",
    "call",
    "float_bits",
    "launch_parts",
    "number",
    "pointer",
    "read",
    "row_bytes",
    "unpack",
    "write",
]

# Typed as Any: whoever calls an intrinsic leaves out its first parameter.
intrinsic: Any = _intrinsic

BYTES, WORDS = 1, -4
"""Kinds of `pointer` beside 2 (bfloat16) and 4 (float32): uint8 and uint32."""

_KINDS = {1: types.uint8, 2: types.uint16, 4: types.float32, -4: types.uint32}
_FLOAT, _WORD, _HALF_WORD = ir.FloatType(), ir.IntType(32), ir.IntType(16)
_INDEX = ir.IntType(64)
_LINE = 64  # bytes of a cache's line: threads write to lines of their own


@intrinsic
def call(context: Any, function: Any, *arguments: Any) -> Any:
    """Call what `compiled_function` gave the address of, with whole numbers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, numbers = values
        count = len(signature.args[1])
        kind = ir.FunctionType(ir.VoidType(), [_INDEX] * count)
        callee = builder.inttoptr(address, kind.as_pointer())
        builder.call(callee, [builder.extract_value(numbers, i) for i in range(count)])
        return context.get_dummy_value()

    return types.void(types.int64, types.StarArgUniTuple(types.int64, len(arguments))), generate


@intrinsic(prefer_literal=True)
def unpack(context: Any, address: Any, count: Any) -> Any:
    """Return the `count` whole numbers (a literal) at an address, as a tuple."""
    result = types.UniTuple(types.int64, count.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start = builder.inttoptr(arguments[0], _INDEX.as_pointer())
        places = [builder.gep(start, [ir.Constant(_INDEX, i)]) for i in range(result.count)]
        values = [builder.load(place) for place in places]
        return context.make_tuple(builder, result, values)

    return result(types.int64, count), generate


@intrinsic(prefer_literal=True)
def pointer(context: Any, address: Any, kind: Any) -> Any:
    """Return a pointer to numbers of a kind at an address.

    Args:
        context: numba's.
        address: in bytes.
        kind: a literal: bytes of a number, 4 for float32 and 2 for bfloat16, or BYTES or WORDS.
    """
    result = types.CPointer(_KINDS[kind.literal_value])

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(result))

    return result(types.int64, kind), generate


@intrinsic
def read(context: Any, row: Any, place: Any, relu: Any) -> Any:
    """Return a number of a row, float32 or bfloat16, as float32.

    Args:
        context: numba's.
        row: pointer to numbers of 4 or 2 bytes.
        place: of the number.
        relu: put zero for what is below it; what is not a number stays so, as in torch.
    """
    narrow = row.dtype == types.uint16

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, place, relu = arguments
        value = builder.load(builder.gep(start, [place]))
        wide = _widened(builder, value) if narrow else value
        return builder.select(
            builder.and_(relu, _is_negative(builder, wide, narrow)), ir.Constant(_FLOAT, 0.0), wide
        )

    return types.float32(row, types.int64, types.boolean), generate


@intrinsic
def write(context: Any, row: Any, place: Any, value: Any, relu: Any) -> Any:
    """Write a float32 number into a row; bfloat16 is the nearest, ties to even.

    Args:
        context: numba's.
        row: pointer to numbers of 4 or 2 bytes.
        place: of the number.
        value: float32.
        relu: as for `read`.
    """
    narrow = row.dtype == types.uint16

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, place, value, relu = arguments
        kept = builder.select(
            builder.and_(relu, _is_negative(builder, value, narrow)),
            ir.Constant(_FLOAT, 0.0),
            value,
        )
        stored = _narrowed(builder, kept) if narrow else kept
        builder.store(stored, builder.gep(start, [place]))
        return context.get_dummy_value()

    return types.void(row, types.int64, types.float32, types.boolean), generate


def _widened(builder: Any, half: Any) -> Any:
    """Return the float32 whose upper half are the bits of a bfloat16."""
    shifted = builder.shl(builder.zext(half, _WORD), ir.Constant(_WORD, 16))
    return builder.bitcast(shifted, _FLOAT)


def _narrowed(builder: Any, value: Any) -> Any:
    """Return the bits of the nearest bfloat16."""
    word = builder.bitcast(value, _WORD)
    half = ir.Constant(_WORD, 16)
    # half of the last kept place, less one where that place is even: ties to even
    odd = builder.and_(builder.lshr(word, half), ir.Constant(_WORD, 1))
    rounded = builder.add(builder.add(word, ir.Constant(_WORD, 0x7FFF)), odd)
    return builder.trunc(builder.lshr(rounded, half), _HALF_WORD)


def _is_negative(builder: Any, value: Any, narrow: bool) -> Any:
    """Return whether a number is below zero; for bfloat16 also whether it is -0."""
    if not narrow:
        return builder.fcmp_ordered("<", value, ir.Constant(_FLOAT, 0.0))
    word = builder.bitcast(value, _WORD)  # compared as bits: NaNs with a sign lie above
    above = builder.icmp_unsigned(">=", word, ir.Constant(_WORD, 0x80000000))
    return builder.and_(above, builder.icmp_unsigned("<=", word, ir.Constant(_WORD, 0xFF800000)))


@intrinsic
def bits(context: Any, value: Any) -> Any:
    """Return the bits of a float32 as uint32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], _WORD)

    return types.uint32(types.float32), generate


@intrinsic
def number(context: Any, word: Any) -> Any:
    """Return the float32 that a whole number's lower 32 bits are."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = arguments[0]
        return builder.bitcast(builder.trunc(word, _WORD), _FLOAT)

    return types.float32(types.int64), generate


def float_bits(value: float) -> int:
    """Return a number, rounded to float32, as what `number` takes it from."""
    return int(np.float32(value).view(np.uint32))


def address(array: Any) -> int:
    """Return the address of a numpy array, which must have no gaps: kernels know no strides."""
    if not array.flags.c_contiguous:
        message = f"An array of shape {array.shape} has gaps in memory; kernels take none."
        raise ValueError(message)
    return array.ctypes.data


def row_bytes(numbers: int) -> int:
    """Return the bytes of a row of float32 numbers, up to the end of a cache's line."""
    return -(-4 * numbers // _LINE) * _LINE


@cached_njit(parallel=True)
def _share(function: int, numbers: int, parts: int, memory: int, size: int) -> None:
    for part in prange(parts):
        call(function, numbers, part, parts, memory + part * size)


def launch_parts(function: int, numbers: Sequence[Any], memory_bytes: int = 0) -> None:
    """Call a kernel once on each thread that torch uses.

    Args:
        function: its address. Its arguments are the address of `numbers`, the number of the part,
            how many parts there are, and the address of the part's own memory.
        numbers: whole numbers, also addresses; truth counts as 1 or 0.
        memory_bytes: of each part's memory.
    """
    parts = thread_count()
    size = -(-memory_bytes // _LINE) * _LINE
    memory: Any = np.empty(parts * size + _LINE, dtype=np.uint8)
    start = -(-memory.ctypes.data // _LINE) * _LINE
    packed: Any = np.array([operator.index(each) for each in numbers], dtype=np.int64)
    launch(_share, function, packed.ctypes.data, parts, start, size)
