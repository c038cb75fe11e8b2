"""Vectors of float32 inside kernels that numba compiles: what LLVM's own vectorizer does not find.

LLVM turns a plain loop over channels into vector instructions, but keeps no tile of sums in
registers, and spends minutes on transforms written out number by number. So kernels that need it
are written as intrinsics: Python functions that emit LLVM's instructions on whole vectors. They
need no compiler beside numba's, and take a second or two to become machine code.

Addresses are integers, in bytes; whoever calls a kernel keeps the memory alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic as _intrinsic

from alexnet.kernels.targets import compiles_for, compiles_for_arm64

__all__ = [
    "FLOAT",
    "FLOAT_BYTES",
    "INDEX",
    "LANES",
    "REGISTERS",
    "VECTOR",
    "add",
    "broadcast",
    "fused",
    "has_fma",
    "index",
    "intrinsic",
    "load",
    "offset",
    "prefetch",
    "repeat",
    "splat",
    "spread",
    "store",
]

# Typed as Any: whoever calls an intrinsic leaves out its first parameter.
_ir: Any = ir
intrinsic: Any = _intrinsic

FLOAT_BYTES = 4
_WIDE_VECTORS = compiles_for("avx512f")

LANES = 16 if _WIDE_VECTORS else 8
"""Numbers of a vector: of AVX-512, or of AVX2; LLVM makes two of one where they are narrower."""

REGISTERS = 32 if _WIDE_VECTORS else 16
"""Vectors that the processor holds at a time."""

FLOAT = ir.FloatType()
INDEX = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, LANES)


def has_fma() -> bool:
    """Whether a product and a sum are one instruction here, as on x86 since 2013 and on ARM64.

    False too where numba is told not to compile (NUMBA_DISABLE_JIT): instructions cannot be run
    as Python.
    """
    return compiles_for("fma") or compiles_for_arm64()


def index(value: int) -> Any:
    """Return a whole number as a constant."""
    return ir.Constant(INDEX, value)


def splat(value: float) -> Any:
    """Return a vector that holds one constant in each lane."""
    return ir.Constant(VECTOR, [float(value)] * LANES)


def offset(builder: Any, address: Any, stride: Any, count: int) -> Any:
    """Return an address that lies `count` strides further."""
    return builder.add(address, builder.mul(stride, index(count))) if count else address


def load(builder: Any, address: Any, kind: Any = VECTOR) -> Any:
    """Return the vector, or what else, at an address; it need not be aligned."""
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=FLOAT_BYTES)


def store(builder: Any, value: Any, address: Any) -> None:
    """Write a vector, or what else, to an address; it need not be aligned."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()), align=FLOAT_BYTES)


def broadcast(builder: Any, address: Any) -> Any:
    """Return a vector that holds the number at an address in each lane."""
    return spread(builder, load(builder, address, FLOAT))


def spread(builder: Any, number: Any) -> Any:
    """Return a vector that holds one number in each lane."""
    lane = ir.IntType(32)
    anything = _ir.Constant(VECTOR, _ir.Undefined)
    first = builder.insert_element(anything, number, ir.Constant(lane, 0))
    everywhere = ir.Constant(ir.VectorType(lane, LANES), [0] * LANES)
    return builder.shuffle_vector(first, anything, everywhere)


def fused(builder: Any, one: Any, two: Any, three: Any) -> Any:
    """Return one * two + three, rounded once: the same bits wherever LLVM compiles it."""
    name = f"llvm.fma.v{LANES}f32"
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
        function = ir.Function(builder.module, kind, name)
    return builder.call(function, [one, two, three])


def prefetch(builder: Any, address: Any, *, writing: bool = False) -> None:
    """Ask for the line of the cache that an address lies in: to be written at once, or read later.

    What is read later comes into the second level, where it drives nothing out of the first.
    """
    bits, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
    name = "llvm.prefetch.p0i8"
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [pointer, bits, bits, bits])
        function = ir.Function(builder.module, kind, name)
    for_writing, keep, data = (ir.Constant(bits, v) for v in ((1, 3, 1) if writing else (0, 2, 1)))
    builder.call(function, [builder.inttoptr(address, pointer), for_writing, keep, data])


def add(builder: Any, terms: Sequence[tuple[float, Any]]) -> Any:
    """Return the sum of vectors, each times a constant; zeros are left out."""
    total: Any = None
    for factor, value in terms:
        if factor == 0:
            continue
        if total is None:
            total = value if factor == 1 else builder.fmul(value, splat(factor))
        elif factor in (1, -1):
            total = (builder.fadd if factor == 1 else builder.fsub)(total, value)
        else:
            total = fused(builder, value, splat(factor), total)
    return splat(0.0) if total is None else total


def repeat(
    builder: Any, count: Any, starts: Sequence[Any], body: Callable[[list[Any]], Sequence[Any]]
) -> Sequence[Any]:
    """Emit a loop, and return the values after its last turn.

    Args:
        builder: where the loop begins; left where it ends.
        count: of turns, a whole number, at least 1.
        starts: values before the first turn.
        body: emits a turn, given the values before it; returns those after it.
    """
    before = builder.block
    turn, done = (builder.append_basic_block(name) for name in ("turn", "done"))
    builder.branch(turn)
    builder.position_at_end(turn)
    step, *values = [builder.phi(start.type) for start in (index(0), *starts)]
    results = body(values)
    following = builder.add(step, index(1))
    pairs = zip((step, *values), (index(0), *starts), (following, *results), strict=True)
    for value, start, after in pairs:
        value.add_incoming(start, before)
        value.add_incoming(after, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), turn, done)
    builder.position_at_end(done)
    return results
