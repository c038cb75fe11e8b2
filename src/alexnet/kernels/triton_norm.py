# pyright: reportInvalidTypeForm=false, reportMissingParameterType=false, reportUntypedFunctionDecorator=false
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# A kernel that calls another only raises, seen from Python.
# pyright: reportGeneralTypeIssues=false
"""Response normalization on a GPU in one pass over memory each way: kernels compiled by Triton.

As on a processor, the backward pass keeps nothing but the input and makes the sums again. All
arithmetic is float32, numbers are read and written as float32, bfloat16 or float16. Each number is
computed by one thread from a fixed number of neighbors, in a fixed order: the bits do not depend
on the size of the batch.

With the channels last in memory, the channels of a tower at one position lie in a row; so a number
is found by its offset, and its channel is the offset's remainder.

Importing this module fails where Triton is not installed: `response_norm` has another way. With
TRITON_INTERPRET=1 in the environment, before Triton is imported, the kernels run on a processor.

Legend: N images, C channels, H and W positions, WIDTH channels of a tower, SIZE of the window.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from alexnet.kernels.norm_reference import NormSettings, reference_norm
from alexnet.kernels.verify import mismatch

__all__ = ["backward", "find_mismatch", "forward", "supports"]

_LARGEST = 9  # maps in a window: the backward pass reads each one's own window too
_BLOCK = 1024  # numbers of one program
_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def supports(norm: NormSettings, x: Tensor) -> bool:
    """Whether the kernels do this normalization of (N, C, H, W), channels last.

    A window inside a map is left to torch: it reads SIZE * SIZE neighbors, which torch's pooling
    does in two passes.
    """
    return x.dtype in _DTYPES and norm.region == "channels" and norm.size <= _LARGEST


def forward(norm: NormSettings, x: Tensor, y: Tensor, *, relu: bool) -> None:
    """Normalize x into y.

    Args:
        norm: the settings.
        x: (N, C, H, W), channels last in memory, of a type that `supports` allows.
        y: the same, written.
        relu: x goes through a ReLU first.
    """
    _launch(_forward, norm, [x, y], relu)


def backward(norm: NormSettings, x: Tensor, g: Tensor, dx: Tensor, *, relu: bool) -> None:
    """Write the gradient of the input.

    Args:
        norm: as in `forward`.
        x: as in `forward`.
        g: gradient of the output, like x.
        dx: like x, written.
        relu: as in `forward`.
    """
    _launch(_backward, norm, [x, g, dx], relu)


def _launch(kernel: Any, norm: NormSettings, tensors: list[Tensor], relu: bool) -> None:
    x = tensors[0]
    kernel[(triton.cdiv(x.numel(), _BLOCK),)](
        *tensors,
        x.numel(),
        float(norm.scale),
        float(norm.k),
        float(norm.beta),
        WIDTH=x.shape[1] // norm.towers,
        SIZE=norm.size,
        RELU=relu,
        THREE_QUARTERS=norm.beta == 0.75,
        BLOCK=_BLOCK,
        enable_fp_fusion=True,
    )


@triton.jit
def _locate(total, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Return the offsets of this program's numbers, their channels in the tower, and a mask.

    Offsets count in int64: a batch of activations can hold more than 2**31 numbers.
    """
    first = tl.program_id(0).to(tl.int64) * BLOCK
    steps = tl.arange(0, BLOCK)
    offset = first + steps
    channel = ((first % WIDTH).to(tl.int32) + steps) % WIDTH
    return offset, channel, offset < total


@triton.jit
def _read(x, offset, channel, mask, SHIFT: tl.constexpr, WIDTH: tl.constexpr, RELU: tl.constexpr):
    """Return the float32 numbers SHIFT channels further; zero beyond the tower."""
    neighbor = channel + SHIFT
    inside = mask & (neighbor >= 0) & (neighbor < WIDTH)
    value = tl.load(x + (offset + SHIFT), mask=inside, other=0.0).to(tl.float32)
    if RELU:
        value = tl.where(value < 0.0, 0.0, value)
    return value


@triton.jit
def _energy(
    x,
    offset,
    channel,
    mask,
    scale,
    k,
    SHIFT: tl.constexpr,
    WIDTH: tl.constexpr,
    SIZE: tl.constexpr,
    RELU: tl.constexpr,
):
    """Return k + scale * the sum of squares of the windows of numbers SHIFT channels further."""
    first: tl.constexpr = SHIFT - SIZE // 2
    value = _read(x, offset, channel, mask, first, WIDTH, RELU)
    total = value * value
    for j in tl.static_range(1, SIZE):
        value = _read(x, offset, channel, mask, first + j, WIDTH, RELU)
        total += value * value
    return k + scale * total


@triton.jit
def _power(s, beta, THREE_QUARTERS: tl.constexpr):
    """Return s ** -beta; three quarters by two square roots."""
    if THREE_QUARTERS:
        root = tl.rsqrt(s)
        power = root * tl.sqrt(root)
    else:
        power = tl.exp(-beta * tl.log(s))
    return power


# `total` is not specialized: the last batch of an epoch is smaller, and would compile anew.
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
    RELU: tl.constexpr,
    THREE_QUARTERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write y = x * s ** -beta; all of them hold `total` numbers, the channels last."""
    offset, channel, mask = _locate(total, WIDTH, BLOCK)
    s = _energy(x, offset, channel, mask, scale, k, 0, WIDTH, SIZE, RELU)
    value = _read(x, offset, channel, mask, 0, WIDTH, RELU)
    tl.store(y + offset, value * _power(s, beta, THREE_QUARTERS), mask=mask)


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
    RELU: tl.constexpr,
    THREE_QUARTERS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write dx = g p - 2 scale beta x * (sum of g x p / s over the windows that hold x)."""
    offset, channel, mask = _locate(total, WIDTH, BLOCK)
    after: tl.constexpr = SIZE - SIZE // 2 - 1
    shares = tl.zeros((BLOCK,), dtype=tl.float32)
    for j in tl.static_range(SIZE):
        s = _energy(x, offset, channel, mask, scale, k, j - after, WIDTH, SIZE, RELU)
        value = _read(x, offset, channel, mask, j - after, WIDTH, RELU)
        gradient = _read(g, offset, channel, mask, j - after, WIDTH, False)
        shares += gradient * value * _power(s, beta, THREE_QUARTERS) / s
    s = _energy(x, offset, channel, mask, scale, k, 0, WIDTH, SIZE, RELU)
    value = _read(x, offset, channel, mask, 0, WIDTH, RELU)
    gradient = _read(g, offset, channel, mask, 0, WIDTH, False)
    result = gradient * _power(s, beta, THREE_QUARTERS) - 2 * scale * beta * value * shares
    if RELU:
        result = tl.where(value <= 0.0, 0.0, result)
    tl.store(dx + offset, result, mask=mask)


_CHECKS: tuple[tuple[dict[str, Any], torch.dtype, bool, float], ...] = (
    ({"size": 5, "towers": 2}, torch.bfloat16, True, 2**-7),
    ({"size": 5, "towers": 2}, torch.float32, True, 1e-5),
    ({"size": 4, "beta": 0.6}, torch.float32, False, 1e-5),
)
"""Settings, type, whether a ReLU is taken over, and the largest difference."""


def find_mismatch(device_kind: str) -> str | None:
    """Compare both passes with the formula in float64, on a device; return what differs."""
    # It may be called in the middle of anything, without gradients and under autocast.
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device_kind, enabled=False),
    ):
        problems = (_compare(*check, device_kind) for check in _CHECKS)
        return next((problem for problem in problems if problem), None)


def _compare(
    settings: dict[str, Any], dtype: torch.dtype, relu: bool, tolerance: float, device_kind: str
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
    forward(norm, x, y, relu=relu)
    backward(norm, x, g, dx, relu=relu)
    exact = x.double().requires_grad_()
    reference = reference_norm(exact, norm, relu=relu)
    (gradient,) = torch.autograd.grad(reference, exact, g.double())
    name = str(dtype).removeprefix("torch.")
    problem = mismatch(f"the result in {name}", y, reference.detach(), tolerance)
    return problem or mismatch(f"the gradient in {name}", dx, gradient, tolerance)
