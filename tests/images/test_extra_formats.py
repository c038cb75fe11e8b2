"""HEIC and JPEG XL: read where their packages are, else named with what to install."""

from __future__ import annotations

import importlib
import io

import numpy as np
import pytest
from PIL import Image

from alexnet.images import (
    UnreadableImage,
    decode,
    decoding,
    detect_format,
    extra_formats,
    format_from_suffix,
)
from alexnet.images.extra_formats import jpeg_xl_size

Y, X = np.mgrid[0:40, 0:60]
COLORS = np.stack([X * 4, Y * 6, X + Y], axis=2).astype(np.uint8)


@pytest.fixture
def codecs():
    return pytest.importorskip("imagecodecs", reason="needs imagecodecs")


@pytest.fixture
def heif():
    plugin = pytest.importorskip("pillow_heif", reason="needs pillow-heif")
    plugin.register_heif_opener()

    def make(image, **options):
        file = io.BytesIO()
        image.save(file, "HEIF", quality=-1, **options)
        return file.getvalue()

    return make


@pytest.mark.parametrize(("width", "height"), [(60, 40), (64, 64), (2, 300), (512, 256), (401, 7)])
def test_the_size_of_a_jpeg_xl_is_in_its_head(codecs, width, height):
    array = np.zeros((height, width, 3), np.uint8)
    bare = codecs.jpegxl_encode(array)
    boxed = codecs.jpegxl_encode(array, usecontainer=True)
    assert [jpeg_xl_size(data) for data in (bare, boxed)] == [(width, height)] * 2
    assert jpeg_xl_size(bare[:4]) is None
    assert jpeg_xl_size(boxed[:20]) is None


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_a_jpeg_xl_keeps_every_pixel(codecs, kind, samples):
    levels = np.dstack([COLORS, 255 - COLORS[:, :, 2]])[:, :, :samples]
    if samples == 2:
        levels = levels[:, :, [0, 0]]
    factor = {"u1": 1, "u2": 257, "f4": 1 / 255}[kind]
    array = (levels * np.float64(factor)).astype(kind)
    data = codecs.jpegxl_encode(array[:, :, 0] if samples == 1 else array, lossless=True)
    shown = levels[:, :, : 3 if samples > 2 else 1].astype(np.float64)
    if samples in (2, 4):
        alpha = levels[:, :, -1:] / 255
        shown = shown * alpha + 255 * (1 - alpha)
    assert np.abs(decode(data, "p") - np.broadcast_to(np.rint(shown), (40, 60, 3))).max() == 0


def test_a_jpeg_in_jpeg_xl_is_turned_upright_once(codecs):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(COLORS).save(file, "JPEG", exif=exif, quality=95, subsampling=0)
    found = decode(codecs.jpegxl_encode_jpeg(file.getvalue()), "p").astype(int)
    assert np.abs(found - decode(file.getvalue(), "p")).mean() < 2


def test_heic_is_read(heif):
    assert np.abs(decode(heif(Image.fromarray(COLORS)), "p").astype(int) - COLORS).max() < 6
    gray = decode(heif(Image.fromarray(COLORS[:, :, 1])), "p")
    assert (gray == gray[:, :, :1]).all()
    clear = Image.fromarray(np.dstack([COLORS, np.full((40, 60), 0, np.uint8)]))
    assert decode(heif(clear), "p").min() == 255


def test_heic_is_turned_upright_once(heif):
    image = Image.fromarray(COLORS)
    image.getexif()[0x0112] = 6
    found = decode(heif(image), "p").astype(int)  # the writer takes it from the image
    assert found.shape == (60, 40, 3)
    assert np.abs(found - COLORS[::-1].transpose(1, 0, 2)).max() < 6


@pytest.mark.parametrize("kind", ["heic", "jxl"])
def test_limits_hold_for_them_too(kind, heif, codecs, monkeypatch):
    data = heif(Image.fromarray(COLORS)) if kind == "heic" else codecs.jpegxl_encode(COLORS)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="it has 60 x 40 pixels, and the limit is 1,000"):
        decode(data, "p")


@pytest.mark.parametrize("kind", ["heic", "jxl"])
def test_damage_is_an_error(kind, heif, codecs):
    data = heif(Image.fromarray(COLORS)) if kind == "heic" else codecs.jpegxl_encode(COLORS)
    for end in (14, 30, len(data) // 2):
        with pytest.raises(UnreadableImage, match="damaged|cut off"):
            decode(data[:end], "p")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "it is a HEIC image, and reading it needs pillow-heif",
        ),
        (
            b"\xff\x0a\x09\x41\x24\x08\x04\x01\0\xe8\1K(2",
            "a JPEG XL image, and reading it needs imagec",
        ),
    ],
)
def test_without_the_packages_the_command_is_named(data, words, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setattr(extra_formats, "_registered", set())
    with pytest.raises(
        UnreadableImage, match=rf'{words}.*: pip install "alexnet\[formats\]", or co'
    ):
        decode(data, "p")


def test_their_formats_have_names_without_any_package():
    assert detect_format(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic") == "HEIF"
    assert detect_format(b"\xff\x0a\x09\x41") == "JXL"
    assert [format_from_suffix(f"a.{x}") for x in ("HEIC", "heif", "jxl")] == [
        "HEIF",
        "HEIF",
        "JXL",
    ]
