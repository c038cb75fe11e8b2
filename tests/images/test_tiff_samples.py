"""What the numbers of a TIFF mean: palettes, YCbCr, 32 bits and floating point."""

from __future__ import annotations

import numpy as np
import pytest

from alexnet.images import UnreadableImage, decode

from .tiff_files import (
    BLACK,
    CMYK,
    COLORS,
    PALETTE,
    RGB,
    RNG,
    WHITE,
    YCBCR,
    H,
    W,
    by_hand,
    expected,
    numbers,
    written,
)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_16_and_of_8_bits_are_read(bits):
    colors = RNG.integers(256, 65536, (3, 2**bits))
    array = RNG.integers(0, 2**bits, (H, W, 1))
    for table in (colors, colors >> 8):
        data = by_hand(array, bits, PALETTE, more=[(320, 3, table.ravel().tolist())])
        assert np.array_equal(decode(data, "p"), (colors >> 8).T[array[:, :, 0]])


def test_a_transparent_palette_lies_over_white():
    table = [0, 65535, 0, 0, 0, 65535]  # two colors: green is none of them
    array = np.array([[[0, 255], [1, 255]], [[0, 0], [1, 0]]])
    table = [*table[:2], *[0] * 254, *table[2:4], *[0] * 254, *table[4:], *[0] * 254]
    data = by_hand(array, 8, PALETTE, more=[(320, 3, table), (338, 3, [2])])
    assert decode(data, "p").tolist() == [[[0, 0, 0], [255, 0, 255]], [[255] * 3] * 2]


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_floating_point_has_one_white_for_all_channels(white):
    array = RNG.random((H, W, 3)).astype(np.float32) * 0.4
    array[0, 0, 2] = 1
    data = written(array * np.float32(white), RGB)
    assert np.abs(decode(data, "p") - expected(array, RGB, white=1)).max() <= 1


def test_32_bits_without_a_high_number_are_read_as_16():
    low = RNG.integers(0, 65535, (H, W, 1), endpoint=True)
    for kind in ("u4", "i4"):
        data = written(low.astype(kind), BLACK)
        assert np.array_equal(decode(data, "p"), expected(low, BLACK, white=65535))
    high = numbers("u4", 1)
    assert np.array_equal(decode(written(high, BLACK), "p"), expected(high, BLACK, white=2**32 - 1))


@pytest.mark.parametrize(
    ("kind", "photometric", "words"),
    [
        ("i1", BLACK, "its numbers of 8 bits have a sign, and which of them is black is not said"),
        ("i2", RGB, "its numbers of 16 bits have a sign"),
        ("i4", BLACK, "some of its numbers are below 0, and which of them is black is not said"),
        ("f4", WHITE, "it is a TIFF of floating point in other colors than gray and RGB"),
        ("f4", CMYK, "it is a TIFF of floating point in other colors than gray and RGB"),
        ("c8", BLACK, "it is a TIFF of 64 bits a sample, complex"),
    ],
)
def test_numbers_without_an_agreed_white_are_refused_by_name(kind, photometric, words):
    array = -np.ones((H, W, COLORS[photometric])).astype(kind)
    with pytest.raises(UnreadableImage, match=words):
        decode(written(array, photometric), "p")


@pytest.mark.parametrize(
    ("largest", "white"), [(1.00003, 1), (1.6, 1), (10, 1), (260, 255), (500, 255), (70000, 65535)]
)
def test_floating_point_may_exceed_its_white_a_little(largest, white):
    array = (RNG.random((H, W, 3)) * white).astype(np.float32)
    array[0, 0, 0], array[0, 1, 0], array[0, 2, 0] = largest, np.nan, np.inf
    found = decode(written(array, RGB), "p").astype(int)
    wanted = expected(np.nan_to_num(array, posinf=1e30), RGB, white=white)
    assert np.abs(found - wanted).max() <= 1
    assert 100 < found.mean() < 156


def test_floating_point_beyond_any_white_is_refused():
    array = RNG.random((H, W, 1)).astype(np.float32) * np.float32(3e38)
    with pytest.raises(UnreadableImage, match=r"its numbers reach [\d.]+e\+38, and which of them"):
        decode(written(array, BLACK), "p")


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("luma", [(299, 587, 114), (2126, 7152, 722)])
def test_ycbcr_is_turned_to_rgb_by_the_coefficients_of_the_file(luma, planar):
    wanted = RNG.integers(0, 256, (H, W, 3)).astype(np.float64)
    red, _, blue = weights = np.array(luma) / sum(luma)
    y = wanted @ weights
    chroma = [(wanted[..., 2] - y) / (2 - 2 * blue), (wanted[..., 0] - y) / (2 - 2 * red)]
    array = np.rint(np.stack([y, *(np.clip(part + 128, 0, 255) for part in chroma)], 2)).astype(int)
    fractions = [number for part in luma for number in (part, sum(luma))]
    more = [(530, 3, [1, 1]), (529, 5, fractions)]
    found = decode(by_hand(array, 8, YCBCR, planar=planar, more=more), "p")
    assert np.abs(found - wanted).max() <= 2
