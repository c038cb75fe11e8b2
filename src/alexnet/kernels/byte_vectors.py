"""Vectors of whole numbers inside kernels that numba compiles, by the instructions of AVX2.

`vectors` has the like for float32. Addresses are integers, in bytes; whoever calls a kernel keeps
the memory alive. Importing this module fails where numba cannot compile for AVX2: to LLVM, an
instruction that the processor lacks is the end of the process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba.core import cgutils as _cgutils

from alexnet.kernels.targets import compiles_for
from alexnet.kernels.vectors import INDEX, index, intrinsic

__all__ = [
    "BYTE",
    "INDEX",
    "INT",
    "LONG",
    "SHORT",
    "WIDE",
    "cgutils",
    "index",
    "interleave",
    "intrinsic",
    "join",
    "kind",
    "load",
    "load_index",
    "load_row",
    "loop",
    "multiply_pairs",
    "multiply_without_carry",
    "rotate_right",
    "shuffle",
    "spread",
    "spread_pair",
    "store",
    "store_parts",
    "transpose",
]

# Typed as Any: numba's own annotations do not say what it becomes.
cgutils: Any = _cgutils

_UNDEFINED = cast("Any", ir.Undefined)  # pyright: ignore[reportUnknownMemberType]

BYTE, SHORT, INT, LONG = (ir.IntType(bits) for bits in (8, 16, 32, 64))

if not compiles_for("avx2"):
    raise ImportError("numba does not compile for AVX2 here")

WIDE = compiles_for("avx512bw")
"""Whether vectors may have 64 bytes."""


def kind(number: Any, lanes: int) -> Any:
    """Return the type of a vector."""
    return ir.VectorType(number, lanes)


def load(builder: Any, address: Any, number: Any, lanes: int) -> Any:
    """Return the vector at an address, which need not be aligned."""
    return builder.load(builder.inttoptr(address, kind(number, lanes).as_pointer()), align=1)


def load_row(builder: Any, table: Any, row: Any, number: Any, lanes: int) -> Any:
    """Return a row of a table, its first address given."""
    offset = builder.mul(row, index(lanes * number.width // 8))
    return load(builder, builder.add(table, offset), number, lanes)


def load_index(builder: Any, table: Any, row: Any, columns: int, column: int) -> Any:
    """Return one number of a table of int64, its first address given."""
    place = builder.add(builder.mul(row, index(columns)), index(column))
    address = builder.add(table, builder.mul(place, index(8)))
    return builder.load(builder.inttoptr(address, INDEX.as_pointer()))


def store(builder: Any, value: Any, address: Any) -> None:
    """Write a vector, or a number, to an address, which need not be aligned."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=1)


def store_parts(builder: Any, value: Any, address: Any, step: int) -> None:
    """Write a vector in parts of 4 bytes, each `step` bytes after the one before, in that order."""
    parts = value.type.count // 4
    numbers = builder.bitcast(value, kind(INT, parts))
    for part in range(parts):
        number = builder.extract_element(numbers, ir.Constant(INT, part))
        store(builder, number, builder.add(address, index(step * part)))


def spread(builder: Any, number: Any, lanes: int) -> Any:
    """Return a vector that holds one number in each lane."""
    nothing = ir.Constant(kind(number.type, lanes), _UNDEFINED)
    first = builder.insert_element(nothing, number, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(kind(INT, lanes), [0] * lanes))


def spread_pair(builder: Any, table: Any, row: Any, lanes: int) -> Any:
    """Return `lanes` numbers of 16 bits: the two of a row of a table, again and again."""
    address = builder.add(table, builder.mul(row, index(4)))
    pair = builder.load(builder.inttoptr(address, INT.as_pointer()), align=1)
    return builder.bitcast(spread(builder, pair, lanes // 2), kind(SHORT, lanes))


def join(builder: Any, one: Any, other: Any) -> Any:
    """Return a vector of twice the lanes: those of one, then those of the other."""
    lanes = 2 * one.type.count
    return builder.shuffle_vector(one, other, ir.Constant(kind(INT, lanes), list(range(lanes))))


def interleave(builder: Any, one: Any, other: Any) -> tuple[Any, Any]:
    """Return the lower lanes of two vectors in turns, and the upper ones."""
    lanes = one.type.count
    orders = [
        [lane + side * lanes for lane in range(start, start + lanes // 2) for side in (0, 1)]
        for start in (0, lanes // 2)
    ]
    low, high = (
        builder.shuffle_vector(one, other, ir.Constant(kind(INT, lanes), order)) for order in orders
    )
    return low, high


def shuffle(builder: Any, values: Any, order: Any) -> Any:
    """Return 32 bytes, within each 16 in the order that 32 others say; from 128 on they are 0."""
    return _call(builder, "llvm.x86.avx2.pshuf.b", kind(BYTE, 32), values, order)


def multiply_pairs(builder: Any, values: Any, factors: Any) -> Any:
    """Return v[2 i] f[2 i] + v[2 i + 1] f[2 i + 1] in 32 bits.

    Args:
        builder: of the function.
        values: 16 or 32 numbers of 16 bits, or twice as many bytes that hold them.
        factors: as many numbers of 16 bits.
    """
    lanes = factors.type.count
    name = {16: "llvm.x86.avx2.pmadd.wd", 32: "llvm.x86.avx512.pmaddw.d.512"}[lanes]
    wide = builder.zext if values.type.count == lanes else builder.bitcast
    return _call(builder, name, kind(INT, lanes // 2), wide(values, kind(SHORT, lanes)), factors)


def multiply_without_carry(builder: Any, one: Any, other: Any, halves: int) -> Any:
    """Return the product of 64 bits of each of two vectors of 128, as polynomials of bits.

    Args:
        builder: of the function.
        one: two numbers of 64 bits.
        other: likewise.
        halves: 0x00: the first ones; 0x11: the second ones.
    """
    choice = ir.Constant(BYTE, halves)
    return _call(builder, "llvm.x86.pclmulqdq", kind(LONG, 2), one, other, choice)


def rotate_right(builder: Any, words: Any, bits: int) -> Any:
    """Return words of 64 bits, each rotated."""
    lanes = words.type.count
    if not WIDE and bits % 8 == 0:  # AVX2 rotates by a shuffle of bytes alone
        order = [8 * word + (byte + bits // 8) % 8 for word in range(lanes) for byte in range(8)]
        small = kind(BYTE, 8 * lanes)
        moved = builder.shuffle_vector(
            builder.bitcast(words, small),
            ir.Constant(small, _UNDEFINED),
            ir.Constant(kind(INT, 8 * lanes), order),
        )
        return builder.bitcast(moved, words.type)
    right, left = (ir.Constant(words.type, [by] * lanes) for by in (bits, 64 - bits))
    return builder.or_(builder.lshr(words, right), builder.shl(words, left))


def transpose(builder: Any, rows: list[Any]) -> list[Any]:
    """Return the columns of as many vectors as they have lanes, a power of two."""
    lanes = len(rows)
    step = 1
    while step < lanes:
        upper = [lane if not lane & step else lane - step + lanes for lane in range(lanes)]
        lower = [lane + step if not lane & step else lane + lanes for lane in range(lanes)]
        for row in range(lanes):
            if not row & step:
                pair = rows[row], rows[row + step]
                for place, order in ((row, upper), (row + step, lower)):
                    constant = ir.Constant(kind(INT, lanes), order)
                    rows[place] = builder.shuffle_vector(*pair, constant)
        step *= 2
    return rows


def loop(builder: Any, count: Any, first: Any, step: Callable[[Any, Any], Any]) -> Any:
    """Return what `step(value, i)` makes of a value, or of a tuple, for i in 0 .. count - 1.

    Args:
        builder: of the function.
        count: a number: written out; or one that is known when the function runs.
        first: the value before the first step.
        step: emits one.
    """
    if isinstance(count, int):
        for i in range(count):
            first = step(first, index(i))
        return first
    values = cast("tuple[Any, ...]", first if isinstance(first, tuple) else (first,))
    places: list[Any] = [cgutils.alloca_once_value(builder, value) for value in values]
    with cgutils.for_range(builder, count, intp=INDEX) as each:
        now = tuple(builder.load(place) for place in places)
        later = step(now if isinstance(first, tuple) else now[0], each.index)
        stored = cast("tuple[Any, ...]", later if isinstance(later, tuple) else (later,))
        for value, place in zip(stored, places, strict=True):
            builder.store(value, place)
    last = tuple(builder.load(place) for place in places)
    return last if isinstance(first, tuple) else last[0]


def _call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an instruction of the processor."""
    function = builder.module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(result, [argument.type for argument in arguments])
        function = ir.Function(builder.module, signature, name)
    return builder.call(function, arguments)
