"""A convolution with a stride as one without: blocks of positions become channels.

A window of k x k positions that moves s at a time is a window of ceil(k / s) blocks of s x s
positions that moves one block at a time. The paper's first layer, 11 x 11 positions of 3 channels
at stride 4, becomes 3 x 3 blocks of 48 channels, with zeros for the 12th row and column.
"""

from __future__ import annotations

from typing import Any

import torch
from numba.extending import register_jitable
from torch import Tensor
from torch.nn import functional

from alexnet.kernels.vectors import FLOAT_BYTES
from alexnet.kernels.winograd.instructions import clear_quads, copy_number, copy_quads

__all__ = ["blocked_weight", "fill_blocks", "unblocked_weight"]


@register_jitable
def fill_blocks(
    image: Any, shape: Any, block: int, padding: int, first: int, rows: int, columns: int, out: Any
) -> None:
    """Copy positions of an image into rows of blocks; what lies outside the image is zero.

    Args:
        image: address of (H, W, C) float32, block * C a multiple of 4.
        shape: (H, W, C).
        block: side of a block in positions.
        padding: positions before the image.
        first: first row of blocks.
        rows: of blocks.
        columns: of blocks.
        out: address of (rows, columns, block * block * C), written; a block holds its rows in
            order.
    """
    H, W, C = shape
    run = FLOAT_BYTES * block * C
    for line in range(rows * block):
        y = first * block + line - padding
        source = image + FLOAT_BYTES * y * W * C
        target = out + line // block * (columns * block * run) + line % block * run
        for column in range(columns):
            x = column * block - padding
            at = target + column * block * run
            if 0 <= y < H and x >= 0 and x + block <= W:
                copy_quads(source + FLOAT_BYTES * x * C, at, run // 16)
                continue
            clear_quads(at, run // 16)
            if 0 <= y < H:
                for j in range(max(0, -x), min(block, W - x)):
                    for c in range(C):
                        copy_number(
                            source + FLOAT_BYTES * ((x + j) * C + c), at + FLOAT_BYTES * (j * C + c)
                        )


def blocked_weight(weight: Tensor, block: int) -> Tensor:
    """Return (K, block * block * C, r, r) for filters (K, C, k, k), r being ceil(k / block)."""
    outputs, channels, side, _ = weight.shape
    r = -(-side // block)
    padded = functional.pad(weight, (0, r * block - side, 0, r * block - side))
    split = padded.reshape(outputs, channels, r, block, r, block)
    return split.permute(0, 3, 5, 1, 2, 4).reshape(outputs, block * block * channels, r, r)


def unblocked_weight(blocked: Tensor, shape: torch.Size, block: int) -> Tensor:
    """Return the gradient of filters (K, C, k, k) whose form in blocks has this gradient."""
    outputs, channels, side, _ = shape
    r = blocked.shape[2]
    split = blocked.reshape(outputs, block, block, channels, r, r)
    padded = split.permute(0, 3, 4, 1, 5, 2).reshape(outputs, channels, r * block, r * block)
    return padded[:, :, :side, :side]
