"""What this machine does at most: products of matrices, copies, decoding."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from alexnet.benchmarking.timing import Turns
from alexnet.devices import cores, finish
from alexnet.images import decode

__all__ = ["COPYING", "DECODING", "PRODUCTS", "copying", "decoding", "products"]

PRODUCTS = {"fp32": "products in fp32", "bf16": "products in bf16"}
COPYING = "copying memory"
DECODING = "decoding JPEG files"

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_ENOUGH_S = 0.02  # of one product, so that starting it does not count
_LEAST_SIDE, _MOST_SIDE = 256, 8192
_COPIED = 16 << 20  # numbers: 64 MiB, more than caches hold


def products(precision: str, kind: str) -> Turns:
    """Multiply square matrices, as large as a moment allows; the rate is in GFLOP/s.

    Args:
        precision: "fp32" or "bf16".
        kind: "cpu" or "cuda".
    """
    side = _LEAST_SIDE
    multiply = _product(side, precision, kind)
    multiply()
    while side < _MOST_SIDE and _seconds(multiply) < _ENOUGH_S:
        side *= 2
        multiply = _product(side, precision, kind)
        multiply()

    def step() -> float:
        multiply()
        return 2 * side**3 / 1e9

    return Turns(PRODUCTS[precision], step)


def _product(side: int, precision: str, kind: str) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)  # the caller's random stream stays as it is
    numbers = torch.randn(side, side, generator=generator)
    a = numbers.to(kind, _DTYPES[precision])
    made = torch.empty_like(a)

    def multiply() -> None:
        torch.mm(a, a, out=made)
        finish(kind)

    return multiply


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def copying() -> Turns:
    """Copy memory of the processor; the rate is in GB/s, read and written."""
    source = torch.zeros(_COPIED)
    target = torch.zeros(_COPIED)

    def step() -> float:
        target.copy_(source)
        return 2 * source.numel() * source.element_size() / 1e9

    return Turns(COPYING, step)


def decoding(files: list[bytes], pool: ThreadPoolExecutor) -> Turns:
    """Decode JPEG files in full and nothing else, on every core; the rate is in images/s."""
    threads = cores()

    def some(first: int) -> None:
        for data in files[first::threads]:
            decode(data, "")

    def step() -> float:
        list(pool.map(some, range(threads)))
        return len(files)

    return Turns(DECODING, step)
