"""A large image, strip by strip, has the pixels that it has as a whole."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, conversion, decode, decoding
from alexnet.images.conversion import to_gray, to_rgb

COLORS = np.random.default_rng(0).integers(0, 256, (23, 17, 4), dtype=np.uint8)
MODES = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"),
    *("HSV", "I", "F", "I;16", "I;16B"),
)


def image(mode: str) -> Image.Image:
    color = Image.fromarray(COLORS)
    if mode == "I":
        return Image.fromarray(COLORS[:, :, 0].astype(np.int32) * 257)
    if mode == "F":
        return Image.fromarray(COLORS[:, :, 0].astype(np.float32) * 99)
    if mode == "I;16":
        return Image.fromarray(COLORS[:, :, 0].astype(np.uint16) * 257)
    if mode == "I;16B":
        return Image.frombytes("I;16B", (17, 23), COLORS[:, :, :2].tobytes())
    if mode == "LAB":
        return Image.frombytes("LAB", (17, 23), COLORS[:, :, :3].tobytes())
    if mode == "RGBa":
        return color.convert(mode)
    if mode == "PA":
        return color.convert("RGB").convert("P").convert("PA")
    return color if mode == "RGBA" else color.convert("RGB").convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pixels", [1, 40, 17 * 23 - 1])
def test_strips_convert_to_the_pixels_of_the_whole(monkeypatch, mode, pixels):
    whole = to_rgb(image(mode))
    monkeypatch.setattr(conversion, "_STRIP_PIXELS", pixels)
    assert whole.shape == (23, 17, 3)
    assert np.array_equal(to_rgb(image(mode)), whole)


@pytest.mark.parametrize("clear", [3, bytes(range(0, 256, 2))])
def test_a_transparent_palette_keeps_it_in_strips(monkeypatch, clear):
    file = io.BytesIO()
    Image.fromarray(COLORS).convert("RGB").quantize(128).save(file, "PNG", transparency=clear)
    whole = decode(file.getvalue(), "p")
    monkeypatch.setattr(conversion, "_STRIP_PIXELS", 40)
    assert np.array_equal(decode(file.getvalue(), "p"), whole)
    assert (whole == 255).all(axis=2).any()


def test_one_white_for_all_strips_of_floating_point(monkeypatch):
    levels = np.zeros((20, 10), np.float32)
    levels[:10], levels[10:] = 0.5, 200
    whole = to_rgb(Image.fromarray(levels))
    monkeypatch.setattr(conversion, "_STRIP_PIXELS", 10)
    assert np.array_equal(to_rgb(Image.fromarray(levels)), whole)
    assert whole[0, 0, 0] == 0


def test_numbers_that_are_not_finite_bring_no_warning():
    levels = np.array([[np.nan, np.inf], [-np.inf, 1]], np.float32)
    levels.view(np.uint32)[0, 0] = 0x7F800001  # one that signals
    assert to_rgb(Image.fromarray(levels))[:, :, 0].tolist() == [[0, 255], [0, 255]]


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    at_once: list[int] = []
    inside = threading.Semaphore(8)

    def counting(image):
        with inside:
            at_once.append(inside._value)
            return to_rgb(image)

    file = io.BytesIO()
    Image.fromarray(COLORS).save(file, "PNG")
    monkeypatch.setattr(decoding, "to_rgb", counting)
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 100)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: decode(file.getvalue(), "p"), range(40)):
            assert found.shape == (23, 17, 3)
    assert set(at_once) == {7}


def test_a_failure_lets_the_next_large_image_in(monkeypatch):
    file = io.BytesIO()
    Image.fromarray(COLORS).save(file, "PNG")
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 100)
    for _ in range(2):
        with pytest.raises(UnreadableImage):
            decode(file.getvalue()[:800], "cut")
    assert decode(file.getvalue(), "p").shape == (23, 17, 3)


def test_gray_is_the_luma_that_opencv_gives_to_the_last_bit():
    cv2 = pytest.importorskip("cv2", reason="the reader that Caffe has")
    levels = np.random.default_rng(1).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    gray = to_gray(levels)
    assert gray.flags.c_contiguous
    assert np.array_equal(gray[:, :, 0], cv2.cvtColor(levels, cv2.COLOR_RGB2GRAY))
    assert (gray == gray[:, :, :1]).all()
    # OpenCV's own PNG reader drops what is behind the point, Pillow rounds with more bits.
    _, file = cv2.imencode(".png", levels[:, :, ::-1])
    pillow = np.asarray(Image.fromarray(levels).convert("L"))
    for other in (cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), pillow):
        assert np.abs(gray[:, :, 0].astype(int) - other).max() == 1


def test_what_is_gray_already_stays(monkeypatch):
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    monkeypatch.setattr(conversion, "_STRIP_PIXELS", 20)
    assert np.array_equal(to_gray(levels), levels)
    assert np.array_equal(to_gray(levels[:, ::-1]), levels[:, ::-1])


@pytest.mark.parametrize("largest", [1, 15, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", [b"P5", b"P6"])
def test_a_portable_map_is_spread_from_its_largest_number(kind, largest):
    samples = 3 if kind == b"P6" else 1
    levels = np.random.default_rng(2).integers(0, largest, (9, 7, samples), endpoint=True)
    levels[0, 0] = largest
    head = b"%s\n7 9\n%d\n" % (kind, largest)
    data = head + levels.astype(">u2" if largest > 255 else "u1").tobytes()
    wanted = np.broadcast_to(np.rint(levels / largest * 255), (9, 7, 3))
    assert np.array_equal(decode(data, "p"), wanted)


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_gray_of_16_bits_has_either_byte_order(mode):
    numbers = np.arange(0, 65536, 1024).reshape(8, 8)
    file = np.asarray(numbers, ">u2" if mode == "I;16B" else "<u2").tobytes()
    found = to_rgb(Image.frombytes(mode, (8, 8), file))
    assert np.array_equal(found[:, :, 0], np.rint(numbers / 257))


def test_inks_of_a_jpeg_are_the_colors_that_other_readers_give():
    cv2 = pytest.importorskip("cv2", reason="another reader")
    y, x = np.mgrid[0:64, 0:64]
    colors = np.stack([x * 3, y * 3, x + y], axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(colors).convert("CMYK").save(file, "JPEG", quality=100)
    assert b"Adobe" in file.getvalue()  # inks are stored inverted
    found = decode(file.getvalue(), "p").astype(int)
    assert np.abs(found - colors).max() <= 2
    other = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(found - other).max() <= 2
