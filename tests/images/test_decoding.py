"""One decoder: every kind of image comes out upright, in RGB, or as a sentence."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet.errors import SourceError
from alexnet.images import UnreadableImage, decode, decoding, read_image
from alexnet.images.decoding import decode_unoriented

COLORS = np.random.default_rng(0).integers(0, 256, (14, 20, 3), dtype=np.uint8)


def file_of(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photograph(height: int = 240, width: int = 320) -> Image.Image:
    """A smooth image with edges: what JPEG is made for."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x / a + y / b) for a, b in ((17, 31), (23, -19), (41, 13))]
    pixels = np.stack(waves, axis=2)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = (200, 30, 60)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "TGA"])
def test_lossless_formats_keep_every_pixel(kind):
    found = decode(file_of(Image.fromarray(COLORS), kind), "p")
    assert (found == COLORS).all()
    assert found.dtype == np.uint8


def test_webp_and_gif_are_read_too():
    lossless = file_of(Image.fromarray(COLORS), "WEBP", lossless=True)
    assert (decode(lossless, "p") == COLORS).all()
    palette = Image.fromarray(COLORS).quantize(16)
    assert (decode(file_of(palette, "GIF"), "p") == np.asarray(palette.convert("RGB"))).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_exif_turns_the_image_as_the_camera_meant_it(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(file_of(Image.fromarray(COLORS), kind, exif=exif), "p")
    turned = {
        1: COLORS,
        2: COLORS[:, ::-1],
        3: COLORS[::-1, ::-1],
        4: COLORS[::-1],
        5: COLORS.transpose(1, 0, 2),
        6: COLORS[::-1].transpose(1, 0, 2),
        7: COLORS[::-1, ::-1].transpose(1, 0, 2),
        8: COLORS[:, ::-1].transpose(1, 0, 2),
    }
    assert (found == turned[orientation]).all()


def test_exif_turns_a_jpeg_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(file_of(photograph(), "JPEG", exif=exif), "p")
    plain = decode(file_of(photograph(), "JPEG"), "p")
    assert turned.shape == (320, 240, 3)
    assert (turned == plain[::-1].transpose(1, 0, 2)).all()


def test_gray_images_have_three_equal_channels():
    gray = Image.fromarray(COLORS[:, :, 0])
    for data in (file_of(gray), file_of(gray, "JPEG"), file_of(gray.convert("LA"))):
        found = decode(data, "p")
        assert (found == found[:, :, :1]).all()
    assert (decode(file_of(gray), "p")[:, :, 0] == COLORS[:, :, 0]).all()
    assert set(np.unique(decode(file_of(gray.convert("1")), "p"))) <= {0, 255}


def test_transparency_lies_over_white():
    pixels = np.dstack([COLORS, np.full(COLORS.shape[:2], 255, np.uint8)])
    pixels[:5, :, 3] = 0
    found = decode(file_of(Image.fromarray(pixels)), "p")
    assert (found[:5] == 255).all()
    assert (found[5:] == COLORS[5:]).all()


def test_a_transparent_palette_lies_over_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 200, 30, 60])
    palette.putpixel((0, 0), 0)
    found = decode(file_of(palette, "PNG", transparency=0), "p")
    assert found[0, 0].tolist() == [255, 255, 255]
    assert found[1, 1].tolist() == [200, 30, 60]
    as_bytes = file_of(palette, "PNG", transparency=bytes([0, 255]))
    assert (decode(as_bytes, "p") == found).all()


def test_cmyk_becomes_rgb():
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        found = decode(file_of(image, kind), "p")
        assert found[8, 8] == pytest.approx([255, 0, 0], abs=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(kind):
    levels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    found = decode(file_of(Image.fromarray(levels), kind), "p")
    assert found[:, :, 0] == pytest.approx(levels / 257, abs=0.51)


def test_floating_point_is_brought_to_gray_levels():
    gray = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    for factor, white in ((1, 255), (255, 255), (65535, 255)):
        found = decode(file_of(Image.fromarray(gray * np.float32(factor)), "TIFF"), "p")
        assert found[:, :, 1] == pytest.approx(gray * white, abs=0.51)


def test_an_animation_is_its_first_frame():
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = file_of(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert decode(data, "p")[2, 2] == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("least_px", [None, 24, 48, 96, 97, 500])
def test_the_fast_decoder_gives_the_bits_of_pillow(monkeypatch, gray, least_px):
    pytest.importorskip("simplejpeg", reason="the fast decoder is not installed")
    image = photograph(483, 641)
    for subsampling in (0, 1, 2):
        image = image.convert("L") if gray else image
        data = file_of(image, "JPEG", quality=85, subsampling=subsampling)
        fast = decode_unoriented(data, "p", least_px=least_px)
        monkeypatch.setattr(decoding, "simplejpeg", None)
        plain = decode_unoriented(data, "p", least_px=least_px)
        assert np.array_equal(plain.pixels, fast.pixels)
        assert (
            (plain.full_size, plain.reduction)
            == (fast.full_size, fast.reduction)
            == ((483, 641), fast.reduction)
        )
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("least_px", "shape"), [(None, 600), (256, 600), (121, 600), (120, 300), (60, 150)]
)
def test_a_large_jpeg_keeps_at_least_two_and_a_half_times_the_wanted_side(least_px, shape):
    data = file_of(photograph(600, 800), "JPEG")
    assert decode_unoriented(data, "p", least_px=least_px).pixels.shape[0] == shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_square_is_turned_like_the_image(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(photograph(483, 641), "JPEG", exif=exif)
    upright = file_of(Image.fromarray(decode(data, "p")))
    for side in (40, 300):
        found = read_image(data, name="p", image_px=side, resize_mode="crop")
        expected = read_image(upright, name="p", image_px=side, resize_mode="crop")
        assert np.abs(found.astype(int) - expected.astype(int)).mean() < 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"hello, I am a text", "it is a text and no image"),
        (b"\x01\x02\x03\xff\xfe\xf0 no start", "it is not an image of a format that is known here"),
        (b"\x89PNG\r\n", "it begins like a PNG and is damaged or cut off"),
        (b"\xff\xd8\xff\xe0", "it begins like a JPEG and is damaged or cut off"),
    ],
)
def test_files_that_are_no_images_are_errors(data, words):
    with pytest.raises(UnreadableImage, match=rf"cats/text\.jpg cannot be read: {words}") as told:
        decode(data, "cats/text.jpg")
    assert told.value.reason == words
    assert isinstance(told.value, SourceError)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "TIFF"])
def test_a_truncated_file_is_unreadable(kind):
    data = file_of(photograph(), kind)
    with pytest.raises(UnreadableImage, match="cannot be read: it is"):
        decode(data[: len(data) * 2 // 3], "cut")


def test_one_pixel_is_too_few():
    with pytest.raises(UnreadableImage, match="it has 1 x 1 pixels, and the least is 2 x 2"):
        decode(file_of(Image.new("RGB", (1, 1))), "dot")
    with pytest.raises(UnreadableImage, match="it has 300 x 1 pixels, and the least"):
        decode(file_of(Image.new("RGB", (300, 1)), "JPEG"), "line")


def bomb(width: int, height: int) -> bytes:
    """A PNG that only claims its size: decoding it would fail, or fill the memory."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (60_000, 3_000)])
def test_too_many_pixels_are_refused_before_decoding(width, height):
    with pytest.raises(UnreadableImage, match=r"pixels, (which is|and) the limit"):
        decode(bomb(width, height), "bomb")


def test_the_limit_holds_for_jpeg_headers_too(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match="320 x 240 pixels, and the limit is 1,000"):
        decode(file_of(photograph(), "JPEG"), "large")


def test_warnings_of_pillow_stay_off_the_screen():
    """An image of 100 million pixels is allowed; Pillow would warn, and warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadableImage, match="it is cut off"):
            decode(bomb(10_000, 10_000), "wide")


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"]),
    where=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
    cut=st.floats(0.1, 1),
)
def test_a_damaged_file_is_an_image_or_an_error(kind, where, value, cut):
    data = bytearray(file_of(Image.fromarray(COLORS), kind))
    data[int(where * len(data))] = value
    try:
        found = decode(bytes(data[: int(cut * len(data))]), "odd")
    except UnreadableImage:
        return
    assert found.ndim == 3
    assert found.shape[2] == 3


def test_too_little_memory_is_not_called_damage(monkeypatch):
    def fail(image):
        raise MemoryError

    monkeypatch.setattr(decoding, "to_rgb", fail)
    data = io.BytesIO()
    Image.new("RGB", (8, 8)).save(data, "PNG")
    with pytest.raises(UnreadableImage, match="too little memory to decode it"):
        decode(data.getvalue(), "photo.png")
