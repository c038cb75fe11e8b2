"""Waves against scipy's transform, alikeness against a plain correlation, what survives what."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from alexnet.data.checks.hashing import (
    HASH_BITS,
    MIRRORED_WAVES,
    THUMBNAIL_PX,
    alikeness,
    correlations,
    hashes,
    waves,
)

T = THUMBNAIL_PX


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, T, T, 3), dtype=np.uint8)


def scene(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    """Soft blots and a horizon, as far from noise as photographs are."""
    draw = np.random.default_rng(seed)
    small = draw.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def thumbnail(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((T, T), Image.Resampling.BILINEAR))


def test_waves_are_the_lowest_of_the_discrete_cosine_transform():
    dctn = pytest.importorskip("scipy.fft").dctn
    pictures = noise(5)
    grey = pictures.astype(np.float64) @ [0.299, 0.587, 0.114]
    found = waves(pictures)
    assert found.shape == (5, HASH_BITS)
    for one, picture in zip(found, grey, strict=True):
        wanted = dctn(picture, norm="ortho")
        down, across = np.mgrid[:T, :T]
        order = sorted(range(1, T * T), key=lambda i: (down.flat[i] ** 2 + across.flat[i] ** 2, i))
        values = [wanted.flat[i] for i in order[:HASH_BITS]]
        assert np.allclose(sorted(one), sorted(values), rtol=2e-3, atol=0.5)
        assert np.allclose(one[0:2], [wanted[0, 1], wanted[1, 0]], rtol=2e-3, atol=0.5)


def test_a_hash_is_the_signs():
    found = waves(noise(20))
    words = hashes(found)
    assert words.dtype == np.uint64
    bits = np.unpackbits(words.view(np.uint8).reshape(20, 8), axis=1)
    assert np.array_equal(bits == 1, found > 0)


def test_a_plain_picture_has_no_waves():
    plain = np.full((1, T, T, 3), 77, dtype=np.uint8)
    assert not waves(plain).any()
    assert alikeness(waves(plain)[0], waves(noise(3))).tolist() == [0, 0, 0]


def test_mirrored_waves_are_those_of_the_mirror_image():
    pictures = noise(10)
    mirrored = waves(np.ascontiguousarray(pictures[:, :, ::-1]))
    assert np.allclose(waves(pictures) * MIRRORED_WAVES, mirrored, rtol=2e-3, atol=0.1)


def test_alikeness_is_the_lesser_correlation():
    found = waves(np.stack([thumbnail(scene(i)) for i in range(6)]))
    every = correlations(found, found)
    for i in range(6):
        assert np.allclose(alikeness(found[i], found), every[i], atol=1e-5)
        assert np.allclose(alikeness(found, np.repeat(found[i : i + 1], 6, 0)), every[i], atol=1e-5)
    assert np.allclose(np.diag(every), 1, atol=1e-5)
    assert (every <= 1 + 1e-5).all()
    a, b = found[0].astype(float), found[1].astype(float)
    broad = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert every[0, 1] <= broad + 1e-5


def recompressed(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=30)
    return Image.open(file)


CHANGES = {
    "compressed": recompressed,
    "smaller": lambda image: image.resize((81, 60), Image.Resampling.BICUBIC),
    "larger": lambda image: image.resize((500, 375), Image.Resampling.BICUBIC),
    "squashed": lambda image: image.resize((100, 150), Image.Resampling.BICUBIC),
    "lighter": lambda image: image.point(lambda level: min(255, int(level * 1.15))),
    "flatter": lambda image: ImageEnhance.Contrast(image).enhance(0.6),
    "grey": lambda image: image.convert("L"),
    "trimmed": lambda image: image.crop((2, 2, 198, 148)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_copies_go_through_is_survived(change):
    pictures = [scene(i) for i in range(20)]
    before = waves(np.stack([thumbnail(each) for each in pictures]))
    after = waves(np.stack([thumbnail(change(each)) for each in pictures]))
    differing = [int(a ^ b).bit_count() for a, b in zip(hashes(before), hashes(after), strict=True)]
    assert max(differing) <= 8
    assert alikeness(before, after).min() > 0.9


def test_other_pictures_are_other():
    found = waves(np.stack([thumbnail(scene(i)) for i in range(60)]))
    every = correlations(found, found)[np.triu_indices(60, 1)]
    assert every.max() < 0.8
