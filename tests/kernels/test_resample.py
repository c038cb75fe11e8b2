"""Resizing in one pass against torch's kernel: the same bits for any size of image and window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

resample = pytest.importorskip("alexnet.kernels.resample", exc_type=ImportError)


def by_torch(window: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    batch = torch.from_numpy(np.ascontiguousarray(window)).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(batch, size, mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


def by_kernel(image: np.ndarray, window: tuple[int, int, int, int], size: tuple[int, int]):
    fixed = image.view()
    fixed.flags.writeable = False
    resized = np.empty((*size, 3), dtype=np.uint8)
    resample.resample(fixed, *window, resized, 0, 0, *size)
    return resized


def image_of(height: int, width: int, kind: str = "noise") -> np.ndarray:
    if kind == "white":
        return np.full((height, width, 3), 255, dtype=np.uint8)
    rng = np.random.default_rng([height, width])
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return (noise > 127).astype(np.uint8) * np.uint8(255) if kind == "edges" else noise


@st.composite
def cases(draw):
    height, width = draw(st.integers(1, 300)), draw(st.integers(11, 300))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 11))
    window = (top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))
    size = (draw(st.integers(1, 200)), draw(st.integers(11, 200)))
    kind = draw(st.sampled_from(["noise", "edges", "white"]))
    return image_of(height, width, kind), window, size


@given(cases())
def test_any_window_to_any_size_gives_the_bits_of_torch(case):
    image, window, size = case
    top, left, height, width = window
    wanted = by_torch(image[top : top + height, left : left + width], size)
    np.testing.assert_array_equal(by_kernel(image, window, size), wanted)


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((375, 500), (256, 256)),  # three taps
        ((500, 600), (224, 224)),  # six
        ((64, 64), (32, 32)),
        ((40, 30), (256, 256)),  # enlarged
        ((900, 1200), (64, 64)),  # many taps: one pixel in each half of a vector
        ((20, 2000), (11, 11)),
        ((100, 11), (100, 64)),  # one side alone
    ],
)
@pytest.mark.parametrize("kind", ["noise", "edges", "white"])
def test_usual_and_extreme_sizes_give_the_bits_of_torch(shape, size, kind):
    image = image_of(*shape, kind)
    wanted = by_torch(image, size)
    np.testing.assert_array_equal(by_kernel(image, (0, 0, *shape), size), wanted)


def test_nothing_is_written_beside_the_window():
    image, resized = image_of(60, 50), np.full((40, 30, 3), 7, dtype=np.uint8)
    image.flags.writeable = False
    resample.resample(image, 0, 0, 60, 50, resized, 5, 6, 20, 13)
    np.testing.assert_array_equal(resized[5:25, 6:19], by_torch(image.copy(), (20, 13)))
    resized[5:25, 6:19] = 7
    assert (resized == 7).all()


@pytest.mark.parametrize(
    ("shape", "left", "size", "taken"),
    [
        ((50, 11, 3), 0, (9, 11), True),
        ((50, 11, 3), 1, (9, 11), False),
        ((50, 60, 3), 0, (9, 10), False),
    ],
)
def test_narrow_images_are_left_to_another_way(shape, left, size, taken):
    assert resample.takes(np.zeros(shape, dtype=np.uint8), left, size) is taken


def test_images_with_gaps_are_left_to_another_way():
    image = np.zeros((50, 60, 3), dtype=np.uint8)
    assert not resample.takes(image[:, ::2], 0, (20, 20))
    assert not resample.takes(image.astype(np.float32), 0, (20, 20))
