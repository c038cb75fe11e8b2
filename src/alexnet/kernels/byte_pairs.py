"""Pairs of bytes counted in one pass over a file, 32 at a time.

Importing this module fails where numba (extra: fast) is not installed or cannot compile for AVX2:
`images.decode_limits` has another way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from alexnet.kernels import byte_vectors as vectors
from alexnet.kernels.byte_vectors import cgutils, intrinsic
from alexnet.kernels.numba import cached_njit

__all__ = ["count_pairs"]

_STEP = 32


@intrinsic
def _count(typing: Any, source: Any, steps: Any, first: Any, second: Any) -> Any:
    """Count pairs that begin in the first 32 `steps` bytes; one byte more is read."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, steps, *pair = arguments
        wanted = [
            vectors.spread(builder, builder.trunc(each, vectors.BYTE), _STEP) for each in pair
        ]
        total = cgutils.alloca_once_value(builder, vectors.index(0))
        with cgutils.for_range(builder, steps, intp=vectors.INDEX) as step:
            at = builder.add(source, builder.mul(step.index, vectors.index(_STEP)))
            found = [
                builder.icmp_signed(
                    "==",
                    vectors.load(builder, builder.add(at, vectors.index(k)), vectors.BYTE, _STEP),
                    wanted[k],
                )
                for k in (0, 1)
            ]
            marks = builder.bitcast(builder.and_(*found), vectors.INT)
            count = builder.zext(builder.ctpop(marks), vectors.INDEX)
            builder.store(builder.add(builder.load(total), count), total)
        return builder.load(total)

    return types.intp(types.intp, types.intp, types.intp, types.intp), generate


@cached_njit()
def count_pairs(numbers: Any, first: int, second: int) -> int:
    """Return how often one byte follows another.

    Args:
        numbers: (n,) uint8, read-only, without gaps.
        first: a byte.
        second: a byte.
    """
    steps = max(len(numbers) - 1, 0) // _STEP
    count = _count(numbers.ctypes.data, steps, first, second)
    for i in range(_STEP * steps, len(numbers) - 1):
        count += np.int64(numbers[i] == first and numbers[i + 1] == second)
    return count
