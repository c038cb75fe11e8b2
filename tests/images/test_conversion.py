"""A large image, strip by strip, has the pixels that it has as a whole."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadableImage, conversion, decode, decoding
from alexnet.images.conversion import to_rgb

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
    assert to_rgb(Image.fromarray(levels))[:, :, 0].tolist() == [[0, 255], [0, 0]]


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
