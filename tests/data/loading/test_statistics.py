from __future__ import annotations

import numpy as np
import pytest

from alexnet.data.loading import statistics
from alexnet.data.loading.statistics import (
    channel_deviation,
    channel_mean,
    mean_image,
    principal_colours,
)
from alexnet.errors import SourceError


def some_pixels(n=700, side=6, seed=0):
    """Pictures whose channels vary together, as in photographs."""
    rng = np.random.default_rng(seed)
    light = rng.integers(0, 200, (n, side, side, 1))
    return (light + rng.integers(0, 56, (n, side, side, 3)) // [1, 2, 4]).astype(np.uint8)


@pytest.fixture
def pixels():
    return some_pixels()


@pytest.fixture
def pack(pixels, pack_of_pixels):
    return pack_of_pixels(pixels)


def test_mean_image_matches_numpy_on_the_named_pictures_alone(pack, pixels):
    train = np.random.default_rng(1).permutation(700)[:513]
    found = mean_image(pack, train)
    assert found.dtype == np.float32
    assert np.array_equal(found, pixels[train].mean(axis=0, dtype=np.float64).astype(np.float32))


def test_channel_mean_and_deviation_match_numpy(pack, pixels):
    train = np.arange(100, 700)
    flat = pixels[train].reshape(-1, 3).astype(np.float64)
    assert channel_mean(pack, train) == pytest.approx(flat.mean(axis=0), rel=1e-6)
    assert channel_deviation(pack, train) == pytest.approx(flat.std(axis=0), rel=1e-6)
    assert channel_mean(pack, train).dtype == channel_deviation(pack, train).dtype == np.float32


def test_principal_colours_match_numpys_covariance(pack, pixels):
    train = np.arange(0, 700, 2)
    flat = pixels[train].reshape(-1, 3).astype(np.float64)
    found = principal_colours(pack, train)
    again = found.vectors * found.deviations**2 @ found.vectors.T
    assert again == pytest.approx(np.cov(flat.T, bias=True), rel=1e-9)
    assert found.vectors.T @ found.vectors == pytest.approx(np.eye(3), abs=1e-12)
    assert list(found.deviations) == sorted(found.deviations, reverse=True)
    assert (found.vectors[0] > 0).all()


def test_most_varied_colour_of_pictures_that_vary_in_lightness_is_grey(pack):
    found = principal_colours(pack, np.arange(700))
    assert found.vectors[:, 0] == pytest.approx([0.577] * 3, abs=0.05)


def test_sums_do_not_depend_on_the_portions(pack, monkeypatch):
    train = np.arange(700)
    before = mean_image(pack, train), principal_colours(pack, train).vectors
    monkeypatch.setattr(statistics, "_PORTION", 7)
    assert np.array_equal(before[0], mean_image(pack, train))
    assert np.array_equal(before[1], principal_colours(pack, train).vectors)


def test_white_pictures_do_not_overflow(pack_of_pixels):
    pack = pack_of_pixels(np.full((600, 2, 2, 3), 255, dtype=np.uint8))
    assert (mean_image(pack, np.arange(600)) == 255).all()
    assert list(channel_mean(pack, np.arange(600))) == [255] * 3


def test_a_channel_that_never_varies_is_divided_by_1(pack_of_pixels):
    pixels = np.zeros((4, 2, 2, 3), dtype=np.uint8)
    pixels[:2, :, :, 0] = 20
    found = channel_deviation(pack_of_pixels(pixels), np.arange(4))
    assert list(found) == [10, 1, 1]


@pytest.mark.parametrize("take", [mean_image, channel_mean, channel_deviation, principal_colours])
def test_no_pictures_have_no_mean(pack, take):
    with pytest.raises(SourceError, match="no training pictures to take a mean of"):
        take(pack, np.arange(0))


def test_the_same_pictures_of_the_same_pack_are_summed_up_once(pixels, pack_of_pixels, monkeypatch):
    pack, other = pack_of_pixels(pixels), pack_of_pixels(255 - pixels)
    read, count = type(pack).read, []
    monkeypatch.setattr(type(pack), "read", lambda *args: count.append(args) or read(*args))
    train = np.arange(600)
    first = mean_image(pack, train)
    once = len(count)
    first[:] = 0  # what a caller does to it is remembered by nobody
    assert np.array_equal(mean_image(pack, train[::-1]), plain_mean(pixels[:600]))
    assert len(count) == once
    assert np.array_equal(mean_image(other, train), plain_mean(255 - pixels[:600]))
    assert np.array_equal(mean_image(pack, train[:99]), plain_mean(pixels[:99]))
    assert len(count) > once


def plain_mean(pixels):
    return pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
