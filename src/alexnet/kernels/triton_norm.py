# pyright: reportInvalidTypeForm=false, reportMissingParameterType=false, reportUntypedFunctionDecorator=false
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# A kernel that calls another only raises, seen from Python.
# pyright: reportGeneralTypeIssues=false
"""Response normalisation on a GPU in one pass over memory each way: kernels compiled by Triton.

As on a processor, the backward pass keeps nothing but the input and makes the sums again. All
arithmetic is float32, numbers are read and written as float32, bfloat16 or float16. Each number is
computed by one thread from a fixed number of neighbours, in a fixed order: the bits do not depend
on the size of the batch.

With the channels last in memory, the channels of a tower at one position lie in a row; so a number
is found by its place, and its channel is the place's remainder.

Importing this module fails where Triton is not installed: `response_norm` has another way. With
TRITON_INTERPRET=1 in the environment, before Triton is imported, the kernels run on a processor.

Legend: N pictures, C channels, H and W positions, WIDTH channels of a tower, SIZE of the window.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional

from alexnet.kernels.norm_settings import NormSettings
from alexnet.kernels.verify import difference

__all__ = ["formula", "run", "takes", "wrong"]

_LARGEST = 9  # maps in a window: the backward pass reads each one's own window too
_BLOCK = 1024  # numbers of one program
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def takes(norm: NormSettings, x: Tensor) -> bool:
    """Whether the kernels do this normalisation of (N, C, H, W), channels last.

    A window inside a map is left to torch: it reads SIZE * SIZE neighbours, which torch's pooling
    does in two passes.
    """
    return x.dtype in _DTYPES and norm.region == "channels" and norm.size <= _LARGEST


def run(norm: NormSettings, tensors: list[Tensor], *, rectify: bool) -> None:
    """Normalise, or turn gradients round; the last tensor is written.

    Args:
        norm: the settings.
        tensors: x and y for the forward pass; x, g and dx for the backward pass. All are
            (N, C, H, W), channels last in memory, of a type that `takes` allows.
        rectify: x goes through a ReLU first, and its gradient back through it.
    """
    x = tensors[0]
    kernel: Any = _forward if len(tensors) == 2 else _backward
    kernel[(triton.cdiv(x.numel(), _BLOCK),)](
        *tensors,
        x.numel(),
        float(norm.scale),
        float(norm.k),
        float(norm.beta),
        WIDTH=x.shape[1] // norm.towers,
        SIZE=norm.size,
        RECTIFY=rectify,
        THREE_QUARTERS=norm.beta == 0.75,
        BLOCK=_BLOCK,
        enable_fp_fusion=True,
    )


@triton.jit
def _places(total, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Return where this program's numbers lie, their channels in the tower, and which are there."""
    first = tl.program_id(0).to(tl.int64) * BLOCK
    steps = tl.arange(0, BLOCK)
    at = first + steps
    channel = ((first % WIDTH).to(tl.int32) + steps) % WIDTH
    return at, channel, at < total


@triton.jit
def _read(x, at, channel, there, SHIFT: tl.constexpr, WIDTH: tl.constexpr, RECTIFY: tl.constexpr):
    """Return the float32 numbers SHIFT channels further; zero beyond the tower."""
    place = channel + SHIFT
    inside = there & (place >= 0) & (place < WIDTH)
    value = tl.load(x + (at + SHIFT), mask=inside, other=0.0).to(tl.float32)
    if RECTIFY:
        value = tl.where(value < 0.0, 0.0, value)
    return value


@triton.jit
def _energy(
    x,
    at,
    channel,
    there,
    scale,
    k,
    SHIFT: tl.constexpr,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    RECTIFY: tl.constexpr,
):
    """Return k + scale * the sum of squares of the windows of numbers SHIFT channels further."""
    first: tl.constexpr = SHIFT - SIZE // 2
    value = _read(x, at, channel, there, first, WIDTH, RECTIFY)
    total = value * value
    for j in tl.static_range(1, SIZE):
        value = _read(x, at, channel, there, first + j, WIDTH, RECTIFY)
        total += value * value
    return k + scale * total


@triton.jit
def _power(s, beta, THREE_QUARTERS: tl.constexpr):
    """Return s ** -beta; three quarters by two square roots."""
    if THREE_QUARTERS:
        root = tl.rsqrt(s)
        found = root * tl.sqrt(root)
    else:
        found = tl.exp(-beta * tl.log(s))
    return found


@triton.jit(do_not_specialize=["total"])
def _forward(
    x,
    y,
    total,
    scale,
    k,
    beta,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    RECTIFY: tl.constexpr,
    THREE_QUARTERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write y = x * s ** -beta; all of them hold `total` numbers, the channels last."""
    at, channel, there = _places(total, WIDTH, BLOCK)
    s = _energy(x, at, channel, there, scale, k, 0, WIDTH, SIZE, RECTIFY)
    value = _read(x, at, channel, there, 0, WIDTH, RECTIFY)
    tl.store(y + at, value * _power(s, beta, THREE_QUARTERS), mask=there)


@triton.jit(do_not_specialize=["total"])
def _backward(
    x,
    g,
    dx,
    total,
    scale,
    k,
    beta,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    RECTIFY: tl.constexpr,
    THREE_QUARTERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write dx = g p - 2 scale beta x * (sum of g x p / s over the windows that hold x)."""
    at, channel, there = _places(total, WIDTH, BLOCK)
    after: tl.constexpr = SIZE - SIZE // 2 - 1
    shares = tl.zeros((BLOCK,), dtype=tl.float32)
    for j in tl.static_range(SIZE):
        s = _energy(x, at, channel, there, scale, k, j - after, WIDTH, SIZE, RECTIFY)
        value = _read(x, at, channel, there, j - after, WIDTH, RECTIFY)
        gradient = _read(g, at, channel, there, j - after, WIDTH, False)
        shares += gradient * value * _power(s, beta, THREE_QUARTERS) / s
    s = _energy(x, at, channel, there, scale, k, 0, WIDTH, SIZE, RECTIFY)
    value = _read(x, at, channel, there, 0, WIDTH, RECTIFY)
    gradient = _read(g, at, channel, there, 0, WIDTH, False)
    turned = gradient * _power(s, beta, THREE_QUARTERS) - 2 * scale * beta * value * shares
    if RECTIFY:
        turned = tl.where(value <= 0.0, 0.0, turned)
    tl.store(dx + at, turned, mask=there)


def formula(x: Tensor, norm: NormSettings, *, rectify: bool) -> Tensor:
    """Return (N, C, H, W) by the formula as it is printed; torch finds its derivative."""
    x = x.relu() if rectify else x
    parts = x.unflatten(1, (norm.towers, -1))
    before = norm.size // 2
    squares = functional.pad(parts.square(), (0, 0, 0, 0, before, norm.size - before - 1))
    width = parts.shape[2]
    energy = sum(squares[:, :, j : j + width] for j in range(norm.size))
    return (parts * (norm.k + norm.scale * energy) ** -norm.beta).flatten(1, 2)


_TRIALS: tuple[tuple[dict[str, Any], torch.dtype, bool, float], ...] = (
    ({"size": 5, "towers": 2}, torch.bfloat16, True, 2**-7),
    ({"size": 5, "towers": 2}, torch.float32, True, 1e-5),
    ({"size": 4, "beta": 0.6}, torch.float32, False, 1e-5),
)
"""Settings, type, whether a ReLU is taken over, and the largest difference."""


def wrong(device_kind: str) -> str | None:
    """Hold both passes against the formula in float64, on a device; return what is wrong."""
    # asked in the middle of anything: of answers without gradients, say, under autocast
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device_kind, enabled=False),
    ):
        found = (_tried(*trial, device_kind) for trial in _TRIALS)
        return next((each for each in found if each), None)


def _tried(
    settings: dict[str, Any], dtype: torch.dtype, rectify: bool, tolerance: float, device_kind: str
) -> str | None:
    norm = NormSettings(**settings, scale=1e-3)
    generator = torch.Generator().manual_seed(0)
    x, g = (
        (30 * torch.randn(2, 48, 3, 5, generator=generator))
        .to(device_kind, dtype)
        .contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    )
    y, dx = torch.empty_like(x), torch.empty_like(x)
    run(norm, [x, y], rectify=rectify)
    run(norm, [x, g, dx], rectify=rectify)
    exact = x.double().requires_grad_()
    wanted = formula(exact, norm, rectify=rectify)
    (gradient,) = torch.autograd.grad(wanted, exact, g.double())
    name = str(dtype).removeprefix("torch.")
    trouble = difference(f"the result in {name}", y, wanted.detach(), tolerance)
    return trouble or difference(f"the gradient in {name}", dx, gradient, tolerance)
