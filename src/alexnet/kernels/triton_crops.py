# pyright: reportInvalidTypeForm=false, reportMissingParameterType=false, reportUntypedFunctionDecorator=false
# pyright: reportMissingImports=false, reportUnknownParameterType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Images cropped, mirrored and normalized on a GPU, in one pass: a kernel for Triton.

Each number of the batch is made from its byte by one thread, with the operations of
`Preprocessing.normalize` in their order: the bits are the same.

Importing this module fails where Triton is not installed: `images.device_preprocessing` has another
way. With TRITON_INTERPRET=1 in the environment, before Triton is imported, the kernel runs on a
processor.

Legend: N stored images, n images of a batch, S side of an image, c side of a crop.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["crop_and_normalize"]

_BLOCK = 1024  # numbers of one program


def crop_and_normalize(
    pixels: Tensor,
    places: Tensor,
    *,
    image_px: int,
    crop_px: int,
    center_mean: bool,
    bgr: bool,
    mean: Tensor | None,
    shift: Tensor | None,
    divisor: Tensor | None,
    crop: bool,
) -> Tensor:
    """Return (n, c, c, 3) float32: (crop - mean + shift) / divisor.

    Args:
        pixels: (N, S, S, 3) uint8 images; or (n, c, c, 3) that are cropped and mirrored already.
        places: (4, n) int64: image, first row, first column, whether it is mirrored.
        image_px: S, of whole images.
        crop_px: c.
        center_mean: a mean image is subtracted from every crop alike, not where the crop was taken.
        bgr: write blue, green, red.
        mean: (3,), or (c, c, 3) where `center_mean`, else (S, S, 3); or nothing.
        shift: (n, 3) float32, or nothing.
        divisor: (3,) float32, or nothing.
        crop: whether `pixels` are whole images.
    """
    n, c = places.shape[1], crop_px
    numbers = torch.empty((n, c, c, 3), dtype=torch.float32, device=pixels.device)
    mean_image = mean is not None and mean.ndim == 3
    kernel: Any = _crop_and_normalize
    kernel[(n, triton.cdiv(3 * c * c, _BLOCK))](
        pixels,
        places,
        mean,
        shift,
        divisor,
        numbers,
        n,
        IMAGE_PX=image_px,
        CROP_PX=c,
        WHOLE_IMAGES=crop,
        MEAN_COLOR=mean is not None and not mean_image,
        CENTER_MEAN=mean_image and center_mean,
        MEAN_AT_CROP=mean_image and not center_mean,
        SHIFT=shift is not None,
        DIVIDE=divisor is not None,
        BGR=bgr,
        BLOCK=_BLOCK,
        enable_fp_fusion=False,  # numpy and torch round after each operation
    )
    return numbers


# `n` is not specialized: the last batch of an epoch is smaller, and would compile anew.
@triton.jit(do_not_specialize=["n"])
def _crop_and_normalize(
    pixels,
    places,
    mean,
    shift,
    divisor,
    numbers,
    n,
    IMAGE_PX: tl.constexpr,
    CROP_PX: tl.constexpr,
    WHOLE_IMAGES: tl.constexpr,
    MEAN_COLOR: tl.constexpr,
    CENTER_MEAN: tl.constexpr,
    MEAN_AT_CROP: tl.constexpr,
    SHIFT: tl.constexpr,
    DIVIDE: tl.constexpr,
    BGR: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write a block of the numbers of image `program_id(0)`."""
    batch_index = tl.program_id(0).to(tl.int64)  # offsets in all images pass 2**31
    offset = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = offset < 3 * CROP_PX * CROP_PX
    pixel = offset // 3
    channel = offset % 3
    if BGR:
        channel = 2 - channel
    row = pixel // CROP_PX
    column = pixel % CROP_PX
    image = tl.load(places + batch_index)
    top = tl.load(places + n + batch_index)
    left = tl.load(places + 2 * n + batch_index)
    mirrored = tl.load(places + 3 * n + batch_index)
    source_column = tl.where(mirrored != 0, CROP_PX - 1 - column, column)
    in_image = ((top + row) * IMAGE_PX + left + source_column) * 3 + channel
    if WHOLE_IMAGES:
        source = image * (3 * IMAGE_PX * IMAGE_PX) + in_image
    else:
        source = batch_index * (3 * CROP_PX * CROP_PX) + pixel * 3 + channel
    value = tl.load(pixels + source, mask=mask, other=0).to(tl.float32)
    if MEAN_COLOR:
        value -= tl.load(mean + channel)
    if CENTER_MEAN:
        value -= tl.load(mean + pixel * 3 + channel, mask=mask, other=0.0)
    if MEAN_AT_CROP:
        value -= tl.load(mean + in_image, mask=mask, other=0.0)
    if SHIFT:
        value += tl.load(shift + batch_index * 3 + channel)
    if DIVIDE:
        value = tl.div_rn(value, tl.load(divisor + channel))  # "/" would be approximate
    tl.store(numbers + batch_index * (3 * CROP_PX * CROP_PX) + offset, value, mask=mask)
