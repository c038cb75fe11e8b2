"""JPEG 2000 of 9 to 16 bits is spread to 8 from its own white; color never turns over."""

from __future__ import annotations

import importlib
import struct

import numpy as np
import pytest

from alexnet.images import UnreadableImage, decode, decoding
from alexnet.images.jpeg2000 import read_jpeg2000

codecs = pytest.importorskip("imagecodecs", reason="writes the files")
RNG = np.random.default_rng(0)


def encoded(levels, bits, **options):
    pixels = (levels[:, :, 0] if levels.shape[2] == 1 else levels).astype(
        "u2" if bits > 8 else "u1"
    )
    return codecs.jpeg2k_encode(pixels, bitspersample=bits, reversible=True, level=0, **options)


@pytest.mark.parametrize("form", ["jp2", "j2k"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_every_number_of_bits_is_read(bits, samples, form):
    if (form, samples) in (("j2k", 2), ("j2k", 4)):
        samples -= 1  # a bare stream does not say that the last one is alpha
    white = 2**bits - 1
    levels = RNG.integers(0, white, (13, 17, samples), endpoint=True)
    levels[0, 0], levels[0, 1] = 0, white
    data = encoded(levels, bits, codecformat=form)
    shown = levels[:, :, : 3 if samples > 2 else 1] / white
    if samples in (2, 4):
        alpha = levels[:, :, -1:] / white
        shown = shown * alpha + 1 - alpha
    wanted = np.broadcast_to(np.rint(shown * 255), (13, 17, 3))
    assert np.abs(decode(data, "p") - wanted).max() <= (bits == 8 and samples in (2, 4))


def test_the_head_says_size_and_bits():
    header = read_jpeg2000(encoded(np.zeros((13, 17, 3), int), 12))
    assert header is not None
    assert (header.size, header.bits, header.is_plain) == ((17, 13), (12, 12, 12), True)
    assert read_jpeg2000(b"\xff\x4f\xff\x51\0") is None
    assert read_jpeg2000(b"no image") is None


def test_color_without_the_package_names_the_command(monkeypatch):
    data = encoded(np.zeros((13, 17, 3), int), 12)

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        UnreadableImage, match=r'of 12 bits a sample, and .*"alexnet\[formats\]", or'
    ):
        decode(data, "p")


def test_numbers_with_a_sign_are_refused():
    data = codecs.jpeg2k_encode(np.zeros((13, 17), "i2"), bitspersample=12, level=0)
    with pytest.raises(
        UnreadableImage, match="12 bits a sample in other colors than gray and sRGB"
    ):
        decode(data, "p")


def test_limits_and_damage(monkeypatch):
    data = encoded(RNG.integers(0, 4096, (64, 64, 3)), 12)
    with pytest.raises(UnreadableImage, match="it is (cut off|damaged)"):
        decode(data[: len(data) // 8], "p")
    monkeypatch.setattr(decoding, "MAX_PIXELS", 100)
    with pytest.raises(UnreadableImage, match="it has 64 x 64 pixels, and the limit is 100"):
        decode(data, "p")


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def with_palette(numbers, palette, *, places=None):
    """Return a JP2 file whose pixels are numbers of colors, by the specification of its boxes."""
    parts = [
        box(b"ihdr", struct.pack(">IIHBBBB", *numbers.shape, 1, 7, 7, 0, 0)),
        box(b"colr", struct.pack(">BBBI", 1, 0, 0, 16)),
        box(b"pclr", struct.pack(">HBBBB", len(palette), 3, 7, 7, 7) + palette.tobytes()),
        box(b"cmap", b"".join(struct.pack(">HBB", 0, 1, column) for column in range(3))),
    ]
    if places:
        entries = b"".join(struct.pack(">HHH", i, 0, color) for i, color in enumerate(places))
        parts.append(box(b"cdef", struct.pack(">H", 3) + entries))
    stream = codecs.jpeg2k_encode(numbers, codecformat="j2k", reversible=True, level=0)
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", b"".join(parts)) + box(b"jp2c", stream)


def test_a_palette_keeps_its_places_where_colors_come_again():
    palette = RNG.integers(0, 256, (200, 3)).astype(np.uint8)
    palette[:40] = 0
    numbers = RNG.integers(0, 200, (13, 17)).astype(np.uint8)
    assert np.array_equal(decode(with_palette(numbers, palette), "p"), palette[numbers])
    turned = with_palette(numbers, palette, places=(3, 1, 2))  # its first column is blue
    assert np.array_equal(decode(turned, "p"), palette[numbers][:, :, [1, 2, 0]])


def test_a_palette_that_is_too_short_is_damage():
    numbers = np.full((13, 17), 9, np.uint8)
    with pytest.raises(UnreadableImage, match="its palette is too short"):
        decode(with_palette(numbers, np.zeros((9, 3), np.uint8)), "p")
