# pyright: reportInvalidTypeForm=false, reportMissingParameterType=false, reportUntypedFunctionDecorator=false
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Pictures cut, mirrored and turned into numbers on a GPU, in one pass: a kernel for Triton.

Each number of the batch is made from its byte by one thread, with the operations of
`Preprocessing.to_tensor` in their order: the bits are the same.

Importing this module fails where Triton is not installed: `finishing` has another way. With
TRITON_INTERPRET=1 in the environment, before Triton is imported, the kernel runs on a processor.

Legend: N pictures that lie there, n pictures of a batch, S (SIDE) side of a picture, c (CROP) side
of a crop.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["run"]

_BLOCK = 1024  # numbers of one program


def run(
    pixels: Tensor,
    places: Tensor,
    *,
    side: int,
    crop: int,
    central: bool,
    reverse: bool,
    mean: Tensor | None,
    shift: Tensor | None,
    divisor: Tensor | None,
    cut: bool,
) -> Tensor:
    """Return (n, c, c, 3) float32: (crop - mean + shift) / divisor.

    Args:
        pixels: (N, S, S, 3) uint8 pictures; or (n, c, c, 3) that are cut and mirrored already.
        places: (4, n) int64: picture, first row, first column, whether it is mirrored.
        side: S, of whole pictures.
        crop: c.
        central: a mean image is subtracted from every crop alike, not where the crop was taken.
        reverse: write blue, green, red.
        mean: (3,), or (c, c, 3) where `central`, else (S, S, 3); or nothing.
        shift: (n, 3) float32, or nothing.
        divisor: (3,) float32, or nothing.
        cut: whether `pixels` are whole pictures.
    """
    n, c = places.shape[1], crop
    numbers = torch.empty((n, c, c, 3), dtype=torch.float32, device=pixels.device)
    image = mean is not None and mean.ndim == 3
    kernel: Any = _finish
    kernel[(n, triton.cdiv(3 * c * c, _BLOCK))](
        pixels,
        places,
        mean,
        shift,
        divisor,
        numbers,
        n,
        SIDE=side,
        CROP=c,
        CUT=cut,
        COLOUR=mean is not None and not image,
        CENTRAL=image and central,
        MOVING=image and not central,
        SHIFT=shift is not None,
        DIVIDE=divisor is not None,
        REVERSED=reverse,
        BLOCK=_BLOCK,
        enable_fp_fusion=False,
    )
    return numbers


@triton.jit(do_not_specialize=["n"])
def _finish(
    pixels,
    places,
    mean,
    shift,
    divisor,
    numbers,
    n,
    SIDE: tl.constexpr,
    CROP: tl.constexpr,
    CUT: tl.constexpr,
    COLOUR: tl.constexpr,
    CENTRAL: tl.constexpr,
    MOVING: tl.constexpr,
    SHIFT: tl.constexpr,
    DIVIDE: tl.constexpr,
    REVERSED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write numbers of picture `program_id(0)`; places count in int64, pictures are many."""
    which = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    there = at < 3 * CROP * CROP
    pixel = at // 3
    channel = at % 3
    if REVERSED:
        channel = 2 - channel
    row = pixel // CROP
    column = pixel % CROP
    picture = tl.load(places + which)
    top = tl.load(places + n + which)
    left = tl.load(places + 2 * n + which)
    mirrored = tl.load(places + 3 * n + which)
    turned = tl.where(mirrored != 0, CROP - 1 - column, column)
    beneath = ((top + row) * SIDE + left + turned) * 3 + channel
    if CUT:
        source = picture * (3 * SIDE * SIDE) + beneath
    else:
        source = which * (3 * CROP * CROP) + pixel * 3 + channel
    value = tl.load(pixels + source, mask=there, other=0).to(tl.float32)
    if COLOUR:
        value -= tl.load(mean + channel)
    if CENTRAL:
        value -= tl.load(mean + pixel * 3 + channel, mask=there, other=0.0)
    if MOVING:
        value -= tl.load(mean + beneath, mask=there, other=0.0)
    if SHIFT:
        value += tl.load(shift + which * 3 + channel)
    if DIVIDE:
        value = tl.div_rn(value, tl.load(divisor + channel))
    tl.store(numbers + which * (3 * CROP * CROP) + at, value, mask=there)
