"""The limits of this machine: matrix products, memory copies, JPEG decoding."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from alexnet.benchmarking.measurement import Measurement
from alexnet.devices import cores, synchronize
from alexnet.images import decode

__all__ = ["JPEG_DECODING", "MATMUL", "MEMORY_COPY", "jpeg_decoding", "matmul", "memory_copy"]

MATMUL = {"fp32": "matmul, fp32", "bf16": "matmul, bf16"}
MEMORY_COPY = "memory copy"
JPEG_DECODING = "JPEG decoding"

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_MIN_PRODUCT_S = 0.02  # so that the overhead of a call does not count
_MIN_SIDE, _MAX_SIDE = 256, 8192
_COPY_SIZE = 16 << 20  # floats: 64 MiB, more than caches hold


def matmul(precision: str, kind: str) -> Measurement:
    """Multiply square matrices that are large enough; the rate is in GFLOP/s.

    Args:
        precision: "fp32" or "bf16".
        kind: "cpu" or "cuda".
    """
    side = _MIN_SIDE
    multiply = _make_product(side, precision, kind)
    multiply()
    while side < _MAX_SIDE and _seconds(multiply) < _MIN_PRODUCT_S:
        side *= 2
        multiply = _make_product(side, precision, kind)
        multiply()

    def step() -> float:
        multiply()
        return 2 * side**3 / 1e9

    return Measurement(MATMUL[precision], step)


def _make_product(side: int, precision: str, kind: str) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)  # the caller's random stream stays as it is
    values = torch.randn(side, side, generator=generator)
    a = values.to(kind, _DTYPES[precision])
    out = torch.empty_like(a)

    def multiply() -> None:
        torch.mm(a, a, out=out)
        synchronize(kind)

    return multiply


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def memory_copy() -> Measurement:
    """Copy memory of the CPU; the rate is in GB/s, read and written."""
    source = torch.zeros(_COPY_SIZE)
    target = torch.zeros(_COPY_SIZE)

    def step() -> float:
        target.copy_(source)
        return 2 * source.numel() * source.element_size() / 1e9

    return Measurement(MEMORY_COPY, step)


def jpeg_decoding(files: list[bytes], pool: ThreadPoolExecutor) -> Measurement:
    """Decode JPEG files at full size on every core; the rate is in images/s."""
    threads = cores()

    def decode_part(first: int) -> None:
        for data in files[first::threads]:
            decode(data, "")

    def step() -> float:
        list(pool.map(decode_part, range(threads)))
        return len(files)

    return Measurement(JPEG_DECODING, step)
