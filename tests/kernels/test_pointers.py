"""Kernels on addresses: numbers read and written, and parts that are shared among threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="the compiled form needs numba")

from alexnet.kernels.numba import compiled_function, thread_count
from alexnet.kernels.pointers import (
    address,
    float_bits,
    launch_parts,
    number,
    pointer,
    read,
    unpack,
    write,
)

VALUES = [0.0, -0.0, 1.0, -1.5, 3.14159, 1e-40, -1e-40, float("inf"), float("-inf"), float("nan")]


def copy(source: int, target: int):
    def copy_numbers(numbers: int, part: int, parts: int, memory: int) -> None:
        x, y, count, relu = unpack(numbers, 4)
        first, second = pointer(x, source), pointer(y, target)
        for i in range(count * part // parts, count * (part + 1) // parts):
            write(second, i, read(first, i, relu != 0), False)

    return compiled_function(copy_numbers)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("source", "target"), [("float32", "bfloat16"), ("bfloat16", "float32"), ("float32", "float32")]
)
def test_numbers_are_converted_as_torch_does_it(source, target, relu):
    kinds = [getattr(torch, kind) for kind in (source, target)]
    x = torch.tensor(VALUES).to(kinds[0])
    y = torch.empty_like(x, dtype=kinds[1])
    kernel = copy(x.element_size(), y.element_size())
    launch_parts(kernel, [x.data_ptr(), y.data_ptr(), len(x), relu])
    torch.testing.assert_close(
        y, (x.relu() if relu else x).to(kinds[1]), rtol=0, atol=0, equal_nan=True
    )


def test_each_part_runs_once_with_memory_of_its_own():
    def mark(numbers: int, part: int, parts: int, memory: int) -> None:
        seen, value = unpack(numbers, 2)
        own = pointer(memory, 4)
        own[0] = number(value)
        pointer(seen, 4)[part] += own[0]

    seen = np.zeros(thread_count(), dtype=np.float32)
    launch_parts(compiled_function(mark), [address(seen), float_bits(0.1)], 4)
    np.testing.assert_array_equal(seen, np.float32(0.1))


def test_memory_with_gaps_is_no_kernel_s():
    with pytest.raises(ValueError, match="gaps"):
        address(np.zeros((4, 4))[:, ::2])
