from __future__ import annotations

import numpy as np
import pytest

from alexnet.data.loading import statistics
from alexnet.data.loading.statistics import (
    channel_mean,
    channel_std,
    color_pca,
    mean_image,
)
from alexnet.errors import SourceError


def some_pixels(n=700, side=6, seed=0):
    """Images whose channels vary together, as in photographs."""
    rng = np.random.default_rng(seed)
    light = rng.integers(0, 200, (n, side, side, 1))
    return (light + rng.integers(0, 56, (n, side, side, 3)) // [1, 2, 4]).astype(np.uint8)


@pytest.fixture
def pixels():
    return some_pixels()


@pytest.fixture
def pack(pixels, pack_of_pixels):
    return pack_of_pixels(pixels)


def test_mean_image_matches_numpy_on_the_named_images_alone(pack, pixels):
    train = np.random.default_rng(1).permutation(700)[:513]
    found = mean_image(pack, train)
    assert found.dtype == np.float32
    assert np.array_equal(found, pixels[train].mean(axis=0, dtype=np.float64).astype(np.float32))


def test_channel_mean_and_std_match_numpy(pack, pixels):
    train = np.arange(100, 700)
    flat = pixels[train].reshape(-1, 3).astype(np.float64)
    assert channel_mean(pack, train) == pytest.approx(flat.mean(axis=0), rel=1e-6)
    assert channel_std(pack, train) == pytest.approx(flat.std(axis=0), rel=1e-6)
    assert channel_mean(pack, train).dtype == channel_std(pack, train).dtype == np.float32


def test_color_pca_matches_numpys_covariance(pack, pixels):
    train = np.arange(0, 700, 2)
    flat = pixels[train].reshape(-1, 3).astype(np.float64)
    found = color_pca(pack, train)
    again = found.components * found.stds**2 @ found.components.T
    assert again == pytest.approx(np.cov(flat.T, bias=True), rel=1e-9)
    assert found.components.T @ found.components == pytest.approx(np.eye(3), abs=1e-12)
    assert list(found.stds) == sorted(found.stds, reverse=True)
    assert (found.components[0] > 0).all()


def test_the_first_component_of_images_that_vary_in_lightness_is_gray(pack):
    found = color_pca(pack, np.arange(700))
    assert found.components[:, 0] == pytest.approx([0.577] * 3, abs=0.05)


def test_sums_do_not_depend_on_the_chunks(pack, monkeypatch):
    train = np.arange(700)
    before = mean_image(pack, train), color_pca(pack, train).components
    monkeypatch.setattr(statistics, "_CHUNK_IMAGES", 7)
    assert np.array_equal(before[0], mean_image(pack, train))
    assert np.array_equal(before[1], color_pca(pack, train).components)


def test_white_images_do_not_overflow(pack_of_pixels):
    pack = pack_of_pixels(np.full((600, 2, 2, 3), 255, dtype=np.uint8))
    assert (mean_image(pack, np.arange(600)) == 255).all()
    assert list(channel_mean(pack, np.arange(600))) == [255] * 3


def test_a_channel_that_never_varies_is_divided_by_1(pack_of_pixels):
    pixels = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    pixels[:2, :, :, 0] = 20
    found = channel_std(pack_of_pixels(pixels), np.arange(4))
    assert list(found) == [10, 1, 1]


@pytest.mark.parametrize("take", [mean_image, channel_mean, channel_std, color_pca])
def test_no_images_have_no_mean(pack, take):
    with pytest.raises(SourceError, match="no training images to take a mean of"):
        take(pack, np.arange(0))


def test_sums_of_the_same_images_are_cached(pixels, pack_of_pixels, monkeypatch):
    pack, other = pack_of_pixels(pixels), pack_of_pixels(255 - pixels)
    read, count = type(pack).read, []
    monkeypatch.setattr(type(pack), "read", lambda *args: count.append(args) or read(*args))
    train = np.arange(600)
    first = mean_image(pack, train)
    once = len(count)
    first[:] = 0  # a caller may change what it got
    assert np.array_equal(mean_image(pack, train[::-1]), plain_mean(pixels[:600]))
    assert len(count) == once
    assert np.array_equal(mean_image(other, train), plain_mean(255 - pixels[:600]))
    assert np.array_equal(mean_image(pack, train[:99]), plain_mean(pixels[:99]))
    assert len(count) > once


def plain_mean(pixels):
    return pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
