"""PNGs of 16 bits and of a transparent level, against numbers that are laid over white by hand."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, decode, decoding

RNG = np.random.default_rng(0)
SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}


def chunk(name, content):
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png(array, depth, color, *, clear=None, interlaced=False):
    """Write a PNG by its specification, every row without a filter."""
    height, width = array.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    passes = [(0, 0, 1, 1)]
    if interlaced:  # first row and column of each pass, and the steps to the next ones
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
        passes += [(0, 1, 2, 2), (1, 0, 2, 1)]
    body = b"".join(rows(array[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    transparent = b"" if clear is None else chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear))
    parts = chunk(b"IHDR", header), transparent, chunk(b"IDAT", zlib.compress(body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def rows(array, depth):
    flat = array.reshape(len(array), -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in flat]
    elif depth == 8:
        lines = [row.astype(np.uint8).tobytes() for row in flat]
    else:
        bits = (flat[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
        lines = [np.packbits(row).tobytes() for row in bits.reshape(len(flat), -1).astype(np.uint8)]
    return b"".join(b"\0" + line for line in lines) if array.size else b""


def expected(array, depth, color, clear):
    largest = 2**depth - 1
    levels = array[:, :, : 3 if color in (2, 6) else 1] / largest
    if color in (4, 6):
        alpha = array[:, :, -1:] / largest
        levels = levels * alpha + 1 - alpha
    if clear is not None:
        levels[(array == np.array(clear)).all(axis=2)] = 1
    return np.broadcast_to(np.rint(levels * 255), (*array.shape[:2], 3))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize(
    ("depth", "color"),
    [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 2), (16, 2), (16, 4), (16, 6)],
)
def test_every_depth_and_color_is_what_the_numbers_say(depth, color, clear, interlaced):
    array = RNG.integers(0, 2**depth, (19, 23, SAMPLES[color]))
    array[1, 1] = 2**depth - 1
    level = tuple(array[0, 0].tolist()) if clear and color < 4 else None
    data = png(array, depth, color, clear=level, interlaced=interlaced)
    assert np.array_equal(decode(data, "p"), expected(array, depth, color, level))


def test_a_level_near_the_transparent_one_stays():
    array = np.array([[[1000], [1001]], [[999], [1000]]])
    found = decode(png(array, 16, 0, clear=(1000,)), "p")
    assert found[:, :, 0].tolist() == [[255, 4], [4, 255]]


def test_large_ones_are_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100)
    with pytest.raises(UnreadableImage, match="it has 23 x 19 pixels, and the limit is 100"):
        decode(png(RNG.integers(0, 9, (19, 23, 3)), 16, 2), "p")


def test_exif_turns_them_too(tmp_path):
    array = RNG.integers(0, 65536, (4, 6, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    data = png(array, 16, 2)
    turned = data[:33] + chunk(b"eXIf", block) + data[33:]
    assert np.array_equal(decode(turned, "p"), decode(data, "p")[::-1].transpose(1, 0, 2))


@pytest.mark.parametrize("color", [0, 2, 4, 6])
def test_a_cut_off_file_is_unreadable(color):
    data = png(RNG.integers(0, 65536, (60, 60, SAMPLES[color])), 16, color)
    for part in (0.3, 0.8):
        with pytest.raises(UnreadableImage, match="it is (cut off|damaged)"):
            decode(data[: int(part * len(data))], "p")
