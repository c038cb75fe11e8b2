"""DCT coefficients against scipy, similarities against a plain correlation, near hashes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from alexnet.data.checks import hashing
from alexnet.data.checks.hashing import (
    HASH_BITS,
    MIRROR_SIGNS,
    THUMBNAIL_PX,
    count_band_choices,
    dct_coefficients,
    find_near_pairs,
    hamming_distances,
    perceptual_hashes,
    similarities,
    similarity_matrix,
)

T = THUMBNAIL_PX


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, T, T, 3), dtype=np.uint8)


def scene(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    """Soft blots and a horizon, as far from noise as photographs are."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def thumbnail(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((T, T), Image.Resampling.BILINEAR))


def test_dct_coefficients_are_the_lowest_frequencies():
    dctn = pytest.importorskip("scipy.fft").dctn
    images = noise(5)
    gray = images.astype(np.float64) @ [0.299, 0.587, 0.114]
    coefficients = dct_coefficients(images)
    assert coefficients.shape == (5, HASH_BITS)
    for one, image in zip(coefficients, gray, strict=True):
        expected = dctn(image, norm="ortho")
        down, across = np.mgrid[:T, :T]
        order = sorted(range(1, T * T), key=lambda i: (down.flat[i] ** 2 + across.flat[i] ** 2, i))
        values = [expected.flat[i] for i in order[:HASH_BITS]]
        assert np.allclose(sorted(one), sorted(values), rtol=2e-3, atol=0.5)
        assert np.allclose(one[0:2], [expected[0, 1], expected[1, 0]], rtol=2e-3, atol=0.5)


def test_a_perceptual_hash_is_the_signs():
    coefficients = dct_coefficients(noise(20))
    words = perceptual_hashes(coefficients)
    assert words.dtype == np.uint64
    bits = np.unpackbits(words.view(np.uint8).reshape(20, 8), axis=1)
    assert np.array_equal(bits == 1, coefficients > 0)


def test_an_image_of_one_color_has_no_coefficients():
    plain = np.full((1, T, T, 3), 77, dtype=np.uint8)
    assert not dct_coefficients(plain).any()
    assert similarities(dct_coefficients(plain)[0], dct_coefficients(noise(3))).tolist() == [
        0,
        0,
        0,
    ]


def test_mirror_signs_give_the_coefficients_of_the_mirror_image():
    images = noise(10)
    mirrored = dct_coefficients(np.ascontiguousarray(images[:, :, ::-1]))
    assert np.allclose(dct_coefficients(images) * MIRROR_SIGNS, mirrored, rtol=2e-3, atol=0.1)


def test_similarity_is_the_lesser_correlation():
    coefficients = dct_coefficients(np.stack([thumbnail(scene(i)) for i in range(6)]))
    every = similarity_matrix(coefficients, coefficients)
    for i in range(6):
        assert np.allclose(similarities(coefficients[i], coefficients), every[i], atol=1e-5)
        assert np.allclose(
            similarities(coefficients, np.repeat(coefficients[i : i + 1], 6, 0)),
            every[i],
            atol=1e-5,
        )
    assert np.allclose(np.diag(every), 1, atol=1e-5)
    assert (every <= 1 + 1e-5).all()
    a, b = coefficients[0].astype(float), coefficients[1].astype(float)
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
    "gray": lambda image: image.convert("L"),
    "trimmed": lambda image: image.crop((2, 2, 198, 148)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_copies_stay_similar(change):
    images = [scene(i) for i in range(20)]
    before = dct_coefficients(np.stack([thumbnail(each) for each in images]))
    after = dct_coefficients(np.stack([thumbnail(change(each)) for each in images]))
    differing = [
        int(a ^ b).bit_count()
        for a, b in zip(perceptual_hashes(before), perceptual_hashes(after), strict=True)
    ]
    assert max(differing) <= 8
    assert similarities(before, after).min() > 0.9


def test_other_images_are_not_similar():
    coefficients = dct_coefficients(np.stack([thumbnail(scene(i)) for i in range(60)]))
    every = similarity_matrix(coefficients, coefficients)[np.triu_indices(60, 1)]
    assert every.max() < 0.8


WORD = st.integers(0, 2**64 - 1)


def near_pairs(words: np.ndarray, radius: int) -> set[tuple[int, int]]:
    chunks = list(find_near_pairs(words, radius))
    assert len(chunks) == count_band_choices(radius)
    pairs = [pair for some, others in chunks for pair in zip(some, others, strict=True)]
    return {(int(min(pair)), int(max(pair))) for pair in pairs}


def brute_force(words: np.ndarray, radius: int) -> set[tuple[int, int]]:
    ints = [int(word) for word in words]
    return {
        (i, j)
        for j in range(len(ints))
        for i in range(j)
        if (ints[i] ^ ints[j]).bit_count() <= radius
    }


@given(st.lists(WORD, min_size=1, max_size=50), st.lists(WORD, min_size=50, max_size=50))
def test_hamming_distances_are_those_of_python(some, others):
    others = others[: len(some)]
    counted = hamming_distances(np.array(some, np.uint64), np.array(others, np.uint64))
    assert counted.tolist() == [(a ^ b).bit_count() for a, b in zip(some, others, strict=True)]


@settings(max_examples=25)
@given(
    st.lists(WORD, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 63), max_size=12)), max_size=25),
    st.sampled_from([0, 1, 5, 8]),
)
def test_near_pairs_are_those_of_all_pairs(seeds, changes, radius):
    """Words of a few families, so that many lie near the limit on either side."""
    words = list(seeds)
    for family, bits in changes:
        words.append(seeds[family % len(seeds)] ^ sum(1 << bit for bit in bits))
    array = np.unique(np.array(words, dtype=np.uint64))
    assert near_pairs(array, radius) == brute_force(array, radius)


@pytest.mark.parametrize(
    "bits", [[0], [63], list(range(8)), list(range(0, 64, 8)), [*range(56, 64)]]
)
def test_bits_of_near_pairs_may_differ_anywhere(bits):
    word = 0x0123456789ABCDEF
    words = np.array([word, word ^ sum(1 << bit for bit in bits)], dtype=np.uint64)
    assert near_pairs(words, 8) == {(0, 1)}
    assert near_pairs(words, len(bits) - 1) == set()


@pytest.mark.parametrize("count", [0, 1])
def test_few_hashes_have_no_near_pairs(count):
    assert near_pairs(np.zeros(count, dtype=np.uint64), 8) == set()


def test_few_pairs_are_compared(monkeypatch):
    """Of 20,000 random words, some hundredth of all pairs, those that come again counted again."""
    compared: list[int] = []

    def counting(a, b):
        compared.append(len(a))
        return hamming_distances(a, b)

    monkeypatch.setattr(hashing, "hamming_distances", counting)
    words = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    words[1] = words[0] ^ np.uint64(0b1011 << 30)
    assert near_pairs(words, 8) == {(0, 1)}
    assert sum(compared) < len(words) ** 2 / 2 / 100
