"""Every pair of close words is found, as if each had been held against each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.data.checks import hashing as close_words
from alexnet.data.checks.hashing import close_pairs, differing_bits, groupings

WORD = st.integers(0, 2**64 - 1)


def found(words: np.ndarray, radius: int) -> set[tuple[int, int]]:
    portions = list(close_pairs(words, radius))
    assert len(portions) == groupings(radius)
    pairs = [pair for some, others in portions for pair in zip(some, others, strict=True)]
    return {(int(min(pair)), int(max(pair))) for pair in pairs}


def brute(words: np.ndarray, radius: int) -> set[tuple[int, int]]:
    ints = [int(word) for word in words]
    return {
        (i, j)
        for j in range(len(ints))
        for i in range(j)
        if (ints[i] ^ ints[j]).bit_count() <= radius
    }


@given(st.lists(WORD, min_size=1, max_size=50), st.lists(WORD, min_size=50, max_size=50))
def test_bits_are_counted_as_python_counts_them(some, others):
    others = others[: len(some)]
    counted = differing_bits(np.array(some, np.uint64), np.array(others, np.uint64))
    assert counted.tolist() == [(a ^ b).bit_count() for a, b in zip(some, others, strict=True)]


@settings(max_examples=25)
@given(
    st.lists(WORD, min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.sets(st.integers(0, 63), max_size=12)), max_size=25),
    st.sampled_from([0, 1, 5, 8]),
)
def test_equal_to_holding_all_pairs_against_each_other(seeds, changes, radius):
    """Words of a few families, so that many lie close to the limit on either side."""
    words = list(seeds)
    for family, bits in changes:
        words.append(seeds[family % len(seeds)] ^ sum(1 << bit for bit in bits))
    array = np.unique(np.array(words, dtype=np.uint64))
    assert found(array, radius) == brute(array, radius)


@pytest.mark.parametrize(
    "bits", [[0], [63], list(range(8)), list(range(0, 64, 8)), [*range(56, 64)]]
)
def test_bits_may_differ_anywhere(bits):
    word = 0x0123456789ABCDEF
    words = np.array([word, word ^ sum(1 << bit for bit in bits)], dtype=np.uint64)
    assert found(words, 8) == {(0, 1)}
    assert found(words, len(bits) - 1) == set()


@pytest.mark.parametrize("count", [0, 1])
def test_few_words_have_no_pairs(count):
    assert found(np.zeros(count, dtype=np.uint64), 8) == set()


def test_few_pairs_are_looked_at(monkeypatch):
    """Of 20,000 random words, some hundredth of all pairs, those that come again counted again."""
    looked_at: list[int] = []

    def counting(some, others):
        looked_at.append(len(some))
        return differing_bits(some, others)

    monkeypatch.setattr(close_words, "differing_bits", counting)
    words = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    words[1] = words[0] ^ np.uint64(0b1011 << 30)
    assert found(words, 8) == {(0, 1)}
    assert sum(looked_at) < len(words) ** 2 / 2 / 100
