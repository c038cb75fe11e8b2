"""Groups equal those of holding every image against every other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.data.checks import duplicates
from alexnet.data.checks.duplicates import (
    MAX_MIN_SIMILARITY,
    MIN_SIMILARITY,
    RADIUS,
    UnionFind,
    choose_min_similarity,
    near_duplicate_groups,
)
from alexnet.data.checks.hashing import HASH_BITS, MIRROR_SIGNS, perceptual_hashes, similarities


def random_coefficients(count: int, seed: int) -> np.ndarray:
    """Coefficients as photographs have them: the higher the frequency, the smaller."""
    fading = 400 / np.sqrt(np.arange(1, HASH_BITS + 1))
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, HASH_BITS)) * fading).astype(np.float16)


def near(coefficients: np.ndarray, i: int, j: int, min_similarity: float) -> bool:
    words = perceptual_hashes(coefficients[[i, j]])
    close = int(words[0] ^ words[1]).bit_count() <= RADIUS
    return (
        close
        and float(similarities(coefficients[i : i + 1], coefficients[j : j + 1])[0])
        >= min_similarity
    )


def brute_force(
    coefficients: np.ndarray, min_similarity: float, *, mirrored: bool
) -> list[list[int]]:
    count = len(coefficients)
    table = (
        np.concatenate([coefficients, coefficients * MIRROR_SIGNS]) if mirrored else coefficients
    )
    parts = [{i} for i in range(count)]
    for i in range(len(table)):
        for j in range(i):
            if near(table, i, j, min_similarity):
                a, b = (next(p for p in parts if k % count in p) for k in (i, j))
                if a is not b:
                    a |= b
                    parts.remove(b)
    return sorted(sorted(part) for part in parts if len(part) > 1)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    families=st.integers(1, 5),
    members=st.integers(1, 5),
    spread=st.sampled_from([0.0, 0.1, 0.3, 0.6]),
    mirrored=st.booleans(),
)
def test_groups_are_those_of_all_pairs(seed, families, members, spread, mirrored):
    """Families around a few images, near the limits on either side, some of them mirrored."""
    heads = random_coefficients(families, seed)
    rng = np.random.default_rng(seed + 1)
    coefficients = np.repeat(heads, members, axis=0)
    coefficients = (coefficients * (1 + spread * rng.normal(size=coefficients.shape))).astype(
        np.float16
    )
    flipped = rng.random(len(coefficients)) < 0.3
    coefficients[flipped] *= MIRROR_SIGNS
    expected = brute_force(coefficients, MIN_SIMILARITY, mirrored=mirrored)
    assert (
        near_duplicate_groups(coefficients, min_similarity=MIN_SIMILARITY, mirrored=mirrored)
        == expected
    )


def test_a_chain_is_one_group():
    steps = random_coefficients(2, 0).astype(np.float32)
    turn = np.linspace(0, 1, 6)[:, None]
    coefficients = (steps[0] * (1 - turn) + steps[1] * turn).astype(np.float16)
    pairs = [near(coefficients, i, i + 1, 0.8) for i in range(5)]
    assert near_duplicate_groups(coefficients, min_similarity=0.8) == brute_force(
        coefficients, 0.8, mirrored=False
    )
    assert not near(coefficients, 0, 5, 0.8)
    assert any(pairs)


def test_mirror_images_count_where_mirrored_is_set():
    coefficients = random_coefficients(30, 1)
    coefficients[7] = coefficients[3] * MIRROR_SIGNS
    assert near_duplicate_groups(coefficients, min_similarity=MIN_SIMILARITY) == []
    assert near_duplicate_groups(coefficients, min_similarity=MIN_SIMILARITY, mirrored=True) == [
        [3, 7]
    ]


def test_thousands_of_one_image_are_one_group_at_once():
    coefficients = np.repeat(random_coefficients(1, 2), 5000, axis=0)
    assert near_duplicate_groups(coefficients, min_similarity=MIN_SIMILARITY) == [list(range(5000))]


def test_images_of_equal_hashes_are_compared():
    head = np.abs(random_coefficients(1, 3)).astype(np.float16)
    coefficients = np.repeat(head, 4, axis=0)
    coefficients[2:, :32] = 1  # the same signs, other shapes
    words = perceptual_hashes(coefficients)
    assert len(set(words.tolist())) == 1
    assert near_duplicate_groups(coefficients, min_similarity=MIN_SIMILARITY) == [[0, 1], [2, 3]]


def test_few_images_have_no_near_duplicates():
    assert near_duplicate_groups(random_coefficients(0, 0), min_similarity=MIN_SIMILARITY) == []
    assert near_duplicate_groups(random_coefficients(1, 0), min_similarity=MIN_SIMILARITY) == []
    assert choose_min_similarity(random_coefficients(1, 0)) == MIN_SIMILARITY


def test_min_similarity_is_the_usual_one_where_images_differ():
    coefficients = random_coefficients(300, 4)
    coefficients[200:220] = coefficients[:20]  # copies are no reason to raise it
    assert choose_min_similarity(coefficients) == MIN_SIMILARITY


def test_min_similarity_rises_where_all_images_are_similar():
    alike = random_coefficients(1, 5) + random_coefficients(100, 6) * np.float16(0.25)
    limit = choose_min_similarity(alike)
    assert MIN_SIMILARITY < limit <= MAX_MIN_SIMILARITY
    copies = np.concatenate([alike, alike[:5]])
    groups = near_duplicate_groups(copies, min_similarity=limit)
    assert [[i, 100 + i] for i in range(5)] == [each for each in groups if max(each) >= 100]


def test_a_sample_stands_for_a_large_set(monkeypatch):
    monkeypatch.setattr(duplicates, "_SAMPLE", 100)
    monkeypatch.setattr(duplicates, "_SAMPLE_ROWS", 30)
    assert choose_min_similarity(random_coefficients(1000, 7)) == MIN_SIMILARITY
    alike = random_coefficients(1, 5) + random_coefficients(1000, 6) * np.float16(0.25)
    assert choose_min_similarity(alike) > MIN_SIMILARITY


PAIRS = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30)


@given(PAIRS)
def test_union_find_groups_are_the_connected_components(pairs):
    union_find = UnionFind(20)
    first, second = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1))
    union_find.union(first, second)
    expected = [{each} for each in range(20)]
    for one, other in pairs:
        a, b = (next(part for part in expected if each in part) for each in (one, other))
        if a is not b:
            a |= b
            expected.remove(b)
    parts = sorted(sorted(part) for part in expected if len(part) > 1)
    assert union_find.groups() == parts
    least = {each: min(part) for part in expected for each in part}
    assert union_find.find_all(np.arange(20)).tolist() == [least[each] for each in range(20)]
