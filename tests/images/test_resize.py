"""Crop, squash and pad, against Pillow's own antialiased resize."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.images import read_image, resize, resize_to_square
from alexnet.images.decoding import decode_unoriented
from alexnet.kernels.late import LateKernels

RNG = np.random.default_rng(0)


def smooth(height: int, width: int) -> np.ndarray:
    small = RNG.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def by_pillow(image: np.ndarray, height: int, width: int) -> np.ndarray:
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one.astype(int) - other.astype(int)).max() <= 1)


@pytest.mark.parametrize("shape", [(90, 60), (60, 90), (37, 41), (300, 20), (16, 16)])
def test_crop_keeps_the_central_square(shape):
    image = smooth(*shape)
    edge = min(shape)
    top, left = (shape[0] - edge) // 2, (shape[1] - edge) // 2
    square = image[top : top + edge, left : left + edge]
    assert close(resize_to_square(image, 32, "crop"), by_pillow(square, 32, 32))


@pytest.mark.parametrize("shape", [(90, 60), (7, 200), (16, 16)])
def test_squash_keeps_everything_and_changes_proportions(shape):
    image = smooth(*shape)
    assert close(resize_to_square(image, 32, "squash"), by_pillow(image, 32, 32))


@pytest.mark.parametrize(
    ("shape", "inner"), [((90, 60), (32, 21)), ((60, 90), (21, 32)), ((3, 300), (1, 32))]
)
def test_pad_keeps_the_whole_image_between_gray_bars(shape, inner):
    image = smooth(*shape)
    found = resize_to_square(image, 32, "pad")
    top, left = (32 - inner[0]) // 2, (32 - inner[1]) // 2
    window = np.s_[top : top + inner[0], left : left + inner[1]]
    assert close(found[window], by_pillow(image, *inner))
    rest = np.ones((32, 32), dtype=bool)
    rest[window] = False
    assert (found[rest] == 128).all()


@pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
def test_an_image_of_the_right_size_keeps_its_bits(resize_mode):
    image = smooth(32, 32)
    found = resize_to_square(image, 32, resize_mode)
    assert (found == image).all()
    assert not np.shares_memory(found, image)


@pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
@pytest.mark.parametrize("shape", [(2, 2), (2, 500), (500, 2)])
def test_any_shape_becomes_a_square(resize_mode, shape):
    found = resize_to_square(
        smooth(16, 16)[:2, :2].repeat(250, 0).repeat(250, 1)[: shape[0], : shape[1]], 9, resize_mode
    )
    assert found.shape == (9, 9, 3)
    assert found.flags.c_contiguous


def test_a_resize_is_antialiased():
    lines = np.zeros((256, 256, 3), dtype=np.uint8)
    lines[::2] = 255
    inside = resize_to_square(lines, 32, "crop")[1:-1]  # at the edge the filter is cut
    assert np.abs(inside.astype(int) - 127).max() <= 2


def photographs() -> list[bytes]:
    archive = Path(os.environ.get("ALEXNET_TEST_DATA", "../shared/data")) / "hymenoptera.tar"
    if not archive.is_file():
        pytest.skip("the photographs of ants and bees are not here")
    with tarfile.open(archive) as tar:
        members = [each for each in tar if each.name.endswith(".jpg")][::40]
        files = [tar.extractfile(each) for each in members]
        return [file.read() for file in files if file is not None]


def full_way(data: bytes, side: int) -> np.ndarray:
    """Decode in full, cut the center, and let Pillow resize it."""
    full = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    edge = min(full.shape[:2])
    top, left = (full.shape[0] - edge) // 2, (full.shape[1] - edge) // 2
    return by_pillow(full[top : top + edge, left : left + edge], side, side)


def difference(data: bytes, side: int) -> float:
    found = read_image(data, name="photograph", image_px=side, resize_mode="crop")
    return float(np.abs(found.astype(int) - full_way(data, side)).mean())


@pytest.mark.parametrize("side", [32, 64, 224, 256])
def test_photographs_differ_little_from_a_full_decode_and_pillow(side):
    """Mean absolute difference at most one gray level, also where a JPEG is decoded at a part."""
    for data in photographs():
        assert difference(data, side) <= 1.0


@pytest.mark.parametrize("factor", [2, 4])
def test_the_difference_is_small_where_a_jpeg_is_only_just_reduced(factor):
    """Where the least is left of it for the side that is expected: the worst case."""
    for data in photographs():
        shorter = min(Image.open(io.BytesIO(data)).size)
        side = int(shorter // factor / 2.5)
        assert decode_unoriented(data, "photograph", least_px=side).reduction == factor
        assert difference(data, side) <= 1.0


def test_a_photograph_of_twelve_megapixels_differs_little_too():
    """Edges, gradients and noise; real ones of that size are not among the test data."""
    y, x = np.mgrid[0:375, 0:500]
    waves = [127 + 60 * np.sin(x / a + y / b) for a, b in ((170, 31), (23, -190), (410, 130))]
    pixels = np.stack(waves, axis=2) + RNG.normal(size=(375, 500, 1)) * 8
    pixels[90:150, 100:200] = (200, 30, 60)
    tile = pixels.clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.tile(tile, (8, 8, 1))).save(file, "JPEG", quality=90)
    assert decode_unoriented(file.getvalue(), "large", least_px=256).reduction == 4
    assert difference(file.getvalue(), 256) <= 1.0


class TestKernel:
    """What is resized from the two thousandth image on, against what is before."""

    @pytest.fixture(autouse=True)
    def kernel(self):
        pytest.importorskip("alexnet.kernels.resample", exc_type=ImportError)

    @pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
    @pytest.mark.parametrize("reduction", [1, 2, 4])
    @pytest.mark.parametrize("side", [20, 64, 227])
    def test_the_bits_are_the_same(self, monkeypatch, resize_mode, reduction, side):
        for height, width in [(180, 132), (131, 210), (64, 64), (20, 190), (190, 12)]:
            image = smooth(height, width)
            asked = {"full_size": (height * reduction, width * reduction), "reduction": reduction}
            monkeypatch.setattr(resize, "_kernels", LateKernels("resample", calls=10**9))
            before = resize_to_square(image, side, resize_mode, **asked)
            monkeypatch.setattr(resize, "_kernels", LateKernels("resample", calls=0))
            np.testing.assert_array_equal(
                resize_to_square(image, side, resize_mode, **asked), before
            )

    def test_images_that_are_views_are_resized_too(self, monkeypatch):
        monkeypatch.setattr(resize, "_kernels", LateKernels("resample", calls=0))
        image = smooth(90, 120)
        wanted = resize_to_square(np.ascontiguousarray(image[:, ::-1]), 32, "crop")
        np.testing.assert_array_equal(resize_to_square(image[:, ::-1], 32, "crop"), wanted)
