"""Thumbnails in one pass against Pillow's reduce and resize: the same bits for any square."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

thumbnails = pytest.importorskip("alexnet.kernels.thumbnail", exc_type=ImportError)


def by_pillow(square: np.ndarray, factor: int, side: int) -> np.ndarray:
    image = Image.fromarray(square)
    image = image.reduce(factor) if factor > 1 else image
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def by_kernel(square: np.ndarray, factor: int, side: int) -> np.ndarray:
    rows = square.reshape(len(square), -1).view()
    rows.flags.writeable = False
    thumbnail = np.empty((side, 3 * side), dtype=np.uint8)
    thumbnails.squash(rows, factor, thumbnail)
    return thumbnail.reshape(side, side, 3)


@pytest.mark.parametrize("side", [*range(1, 70), 72, 127, 128, 131, 192, 224, 227, 256, 299, 512])
def test_squares_of_any_side_give_the_bits_of_pillow(side):
    rng = np.random.default_rng(side)
    noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    for square in (noise, (noise > 127).astype(np.uint8) * 255, np.full_like(noise, 255)):
        factor = max(1, side // 64)
        np.testing.assert_array_equal(by_kernel(square, factor, 16), by_pillow(square, factor, 16))


@pytest.mark.parametrize("factor", [2, 3, 5, 7])
@pytest.mark.parametrize("side", [16, 17, 23])
def test_blocks_that_do_not_fit_are_narrower_at_the_end(factor, side):
    square = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    np.testing.assert_array_equal(by_kernel(square, factor, 8), by_pillow(square, factor, 8))
