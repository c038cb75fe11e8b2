from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from alexnet.images import resize, resize_to_square
from alexnet.images.antialias import antialias_resize
from alexnet.images.resize import resize_without_torch


def by_torch(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    batch = torch.from_numpy(image).unsqueeze(0).permute(0, 3, 1, 2)
    resized = functional.interpolate(batch, size, mode="bilinear", antialias=True)
    return resized[0].permute(1, 2, 0).numpy()


sides = st.integers(1, 330)


@given(sides, sides, st.integers(1, 90), st.integers(1, 90), st.booleans())
def test_the_bits_are_those_of_torch(height, width, rows, columns, hard):
    draw = np.random.default_rng(height + 400 * width)
    image = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if hard:  # sums at their ends, and nothing between
        image = np.where(image > 127, 255, 0).astype(np.uint8)
    size = (rows, columns)
    np.testing.assert_array_equal(antialias_resize(image, size), by_torch(image, size))


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (256, 256), (300, 7)])
def test_a_photograph_is_reduced_and_enlarged_as_torch_does(size):
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (517, 1030, 3), dtype=np.uint8)
    window = image[3:500, 17:901]  # not of its own memory
    np.testing.assert_array_equal(
        antialias_resize(window, size), by_torch(np.ascontiguousarray(window), size)
    )


def test_one_side_alone_is_resized():
    image = np.random.default_rng(1).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    for size in ((40, 11), (13, 30), (40, 30)):
        np.testing.assert_array_equal(antialias_resize(image, size), by_torch(image, size))


@pytest.mark.parametrize("resize_mode", ["crop", "squash", "pad"])
@pytest.mark.parametrize(("shape", "reduction"), [((90, 61), 1), ((45, 31), 2), ((47, 33), 8)])
def test_squares_are_the_same_without_torch(monkeypatch, resize_mode, shape, reduction):
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), dtype=np.uint8)
    full = (reduction * shape[0] - 1, reduction * shape[1]) if reduction > 1 else shape
    options = {"full_size": full, "reduction": reduction}
    expected = resize_to_square(image, 24, resize_mode, **options)
    monkeypatch.setattr(resize, "_loads_torch", True)
    resize_without_torch()
    monkeypatch.setattr(resize, "sys", SimpleNamespace(modules={}))
    monkeypatch.setattr(resize, "_resize_by_torch", None)
    np.testing.assert_array_equal(resize_to_square(image, 24, resize_mode, **options), expected)
