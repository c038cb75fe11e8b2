"""CRC-32 by carry-less products: the numbers of zlib, in a quarter of the time.

A remainder does not change when 64 bytes are folded into the next 64: multiplied by x^512
modulo the polynomial (Gopal et al., Fast CRC Computation Using PCLMULQDQ, Intel, 2009). What is
left of all is 64 bytes, whose checksum zlib computes.

Importing this module fails where numba (extra: fast) is not installed or cannot compile for AVX2;
every processor with AVX2 has carry-less products.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from alexnet.kernels import byte_vectors as vectors
from alexnet.kernels.byte_vectors import cgutils, intrinsic
from alexnet.kernels.numba import cached_njit

__all__ = ["crc32"]

_FOLDED = 64  # bytes
_FACTORS = (0x154442BD4, 0x1C6E41596)
"""x^(512 + 32) and x^(512 - 32) modulo the polynomial, bits reflected."""

_ALL_ONES = 0xFFFFFFFF


@intrinsic
def _fold(typing: Any, source: Any, blocks: Any, target: Any) -> Any:
    """Fold blocks of 64 bytes, at least one, into 64 bytes at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, blocks, target = arguments
        kind = vectors.kind(vectors.LONG, 2)
        factors = ir.Constant(kind, _FACTORS)

        def quarters(address: Any) -> list[Any]:
            offsets = (vectors.index(16 * quarter) for quarter in range(4))
            return [
                vectors.load(builder, builder.add(address, offset), vectors.LONG, 2)
                for offset in offsets
            ]

        first = quarters(source)
        start = ir.Constant(kind, (_ALL_ONES, 0))  # where zlib's remainder begins
        first[0] = builder.xor(first[0], start)
        places: list[Any] = [cgutils.alloca_once_value(builder, quarter) for quarter in first]
        more = builder.sub(blocks, vectors.index(1))
        with cgutils.for_range(builder, more, intp=vectors.INDEX) as block:
            number = builder.add(block.index, vectors.index(1))
            address = builder.add(source, builder.mul(number, vectors.index(_FOLDED)))
            for place, quarter in zip(places, quarters(address), strict=True):
                folded = builder.load(place)
                low, high = (
                    vectors.multiply_without_carry(builder, folded, factors, half)
                    for half in (0x00, 0x11)
                )
                builder.store(builder.xor(quarter, builder.xor(low, high)), place)
        for quarter, place in enumerate(places):
            at = builder.add(target, vectors.index(16 * quarter))
            vectors.store(builder, builder.load(place), at)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@cached_njit()
def _fold_array(numbers: Any, folded: Any) -> None:
    """Fold (n,) bytes but the last few into (64,)."""
    _fold(numbers.ctypes.data, len(numbers) // _FOLDED, folded.ctypes.data)


def crc32(numbers: NDArray[np.uint8]) -> int:
    """Return the CRC-32 of (n,) bytes without gaps, as `zlib.crc32`."""
    count = len(numbers) - len(numbers) % _FOLDED
    if not count:
        return zlib.crc32(numbers.data)
    folded = np.empty(_FOLDED, dtype=np.uint8)
    fixed = numbers.view()
    fixed.flags.writeable = False  # one type to numba, whether or not it was writable
    _fold_array(fixed, folded)
    # The remainder's start is folded in already; zlib inverts what it is given.
    return zlib.crc32(numbers[count:].data, zlib.crc32(folded.data, _ALL_ONES))
