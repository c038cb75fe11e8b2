"""A large picture, strip by strip, has the pixels that it has as a whole."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from alexnet.images import UnreadablePicture, decode, decoding
from alexnet.images import resize as converting
from alexnet.images.resize import rgb

COLOURS = np.random.default_rng(0).integers(0, 256, (23, 17, 4), dtype=np.uint8)
MODES = (
    *("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"),
    *("HSV", "I", "F", "I;16", "I;16B"),
)


def picture(mode: str) -> Image.Image:
    colour = Image.fromarray(COLOURS)
    if mode == "I":
        return Image.fromarray(COLOURS[:, :, 0].astype(np.int32) * 257)
    if mode == "F":
        return Image.fromarray(COLOURS[:, :, 0].astype(np.float32) * 99)
    if mode == "I;16":
        return Image.fromarray(COLOURS[:, :, 0].astype(np.uint16) * 257)
    if mode == "I;16B":
        return Image.frombytes("I;16B", (17, 23), COLOURS[:, :, :2].tobytes())
    if mode == "LAB":
        return Image.frombytes("LAB", (17, 23), COLOURS[:, :, :3].tobytes())
    if mode == "RGBa":
        return colour.convert(mode)
    if mode == "PA":
        return colour.convert("RGB").convert("P").convert("PA")
    return colour if mode == "RGBA" else colour.convert("RGB").convert(mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("pixels", [1, 40, 17 * 23 - 1])
def test_strips_have_the_pixels_of_the_whole(monkeypatch, mode, pixels):
    whole = rgb(picture(mode))
    monkeypatch.setattr(converting, "_STRIP_PIXELS", pixels)
    assert whole.shape == (23, 17, 3)
    assert np.array_equal(rgb(picture(mode)), whole)


@pytest.mark.parametrize("clear", [3, bytes(range(0, 256, 2))])
def test_a_transparent_palette_keeps_it_in_strips(monkeypatch, clear):
    file = io.BytesIO()
    Image.fromarray(COLOURS).convert("RGB").quantize(128).save(file, "PNG", transparency=clear)
    whole = decode(file.getvalue(), "p")
    monkeypatch.setattr(converting, "_STRIP_PIXELS", 40)
    assert np.array_equal(decode(file.getvalue(), "p"), whole)
    assert (whole == 255).all(axis=2).any()


def test_one_white_for_all_strips_of_floating_point(monkeypatch):
    levels = np.zeros((20, 10), np.float32)
    levels[:10], levels[10:] = 0.5, 200
    whole = rgb(Image.fromarray(levels))
    monkeypatch.setattr(converting, "_STRIP_PIXELS", 10)
    assert np.array_equal(rgb(Image.fromarray(levels)), whole)
    assert whole[0, 0, 0] == 0


def test_odd_numbers_are_no_remark():
    levels = np.array([[np.nan, np.inf], [-np.inf, 1]], np.float32)
    levels.view(np.uint32)[0, 0] = 0x7F800001  # one that signals
    assert rgb(Image.fromarray(levels))[:, :, 0].tolist() == [[0, 255], [0, 0]]


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    at_once: list[int] = []
    inside = threading.Semaphore(8)

    def counting(picture):
        with inside:
            at_once.append(inside._value)
            return rgb(picture)

    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "PNG")
    monkeypatch.setattr(decoding, "rgb", counting)
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 100)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: decode(file.getvalue(), "p"), range(40)):
            assert found.shape == (23, 17, 3)
    assert set(at_once) == {7}


def test_a_failure_lets_the_next_large_picture_in(monkeypatch):
    file = io.BytesIO()
    Image.fromarray(COLOURS).save(file, "PNG")
    monkeypatch.setattr(decoding, "_LARGE_PIXELS", 100)
    for _ in range(2):
        with pytest.raises(UnreadablePicture):
            decode(file.getvalue()[:800], "cut")
    assert decode(file.getvalue(), "p").shape == (23, 17, 3)
