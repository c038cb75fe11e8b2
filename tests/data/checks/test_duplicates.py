"""Groups equal those of holding every picture against every other."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.data.checks import duplicates as near_copies
from alexnet.data.checks.duplicates import LEAST, RADIUS, SURE, alike_from, near_groups
from alexnet.data.checks.hashing import HASH_BITS, MIRRORED_WAVES, alikeness, hashes


def random_waves(count: int, seed: int) -> np.ndarray:
    """Waves as photographs have them: the finer the fainter."""
    fading = 400 / np.sqrt(np.arange(1, HASH_BITS + 1))
    draw = np.random.default_rng(seed)
    return (draw.normal(size=(count, HASH_BITS)) * fading).astype(np.float16)


def near(found: np.ndarray, i: int, j: int, least: float) -> bool:
    words = hashes(found[[i, j]])
    close = int(words[0] ^ words[1]).bit_count() <= RADIUS
    return close and float(alikeness(found[i : i + 1], found[j : j + 1])[0]) >= least


def brute(found: np.ndarray, least: float, *, mirrored: bool) -> list[list[int]]:
    count = len(found)
    table = np.concatenate([found, found * MIRRORED_WAVES]) if mirrored else found
    parts = [{i} for i in range(count)]
    for i in range(len(table)):
        for j in range(i):
            if near(table, i, j, least):
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
    """Families around a few pictures, near the limits on either side, some of them mirrored."""
    heads = random_waves(families, seed)
    draw = np.random.default_rng(seed + 1)
    found = np.repeat(heads, members, axis=0)
    found = (found * (1 + spread * draw.normal(size=found.shape))).astype(np.float16)
    flipped = draw.random(len(found)) < 0.3
    found[flipped] *= MIRRORED_WAVES
    wanted = brute(found, LEAST, mirrored=mirrored)
    assert near_groups(found, least=LEAST, mirrored=mirrored) == wanted


def test_a_chain_is_one_group():
    steps = random_waves(2, 0).astype(np.float32)
    turn = np.linspace(0, 1, 6)[:, None]
    found = (steps[0] * (1 - turn) + steps[1] * turn).astype(np.float16)
    pairs = [near(found, i, i + 1, 0.8) for i in range(5)]
    assert near_groups(found, least=0.8) == brute(found, 0.8, mirrored=False)
    assert not near(found, 0, 5, 0.8)
    assert any(pairs)


def test_mirror_images_count_where_it_is_asked_for():
    found = random_waves(30, 1)
    found[7] = found[3] * MIRRORED_WAVES
    assert near_groups(found, least=LEAST) == []
    assert near_groups(found, least=LEAST, mirrored=True) == [[3, 7]]


def test_thousands_of_one_picture_are_one_group_at_once():
    found = np.repeat(random_waves(1, 2), 5000, axis=0)
    assert near_groups(found, least=LEAST) == [list(range(5000))]


def test_equal_hashes_of_different_pictures_are_held_against_each_other():
    head = np.abs(random_waves(1, 3)).astype(np.float16)
    found = np.repeat(head, 4, axis=0)
    found[2:, :32] = 1  # the same signs, other shapes
    words = hashes(found)
    assert len(set(words.tolist())) == 1
    assert near_groups(found, least=LEAST) == [[0, 1], [2, 3]]


def test_few_pictures_have_no_groups():
    assert near_groups(random_waves(0, 0), least=LEAST) == []
    assert near_groups(random_waves(1, 0), least=LEAST) == []
    assert alike_from(random_waves(1, 0)) == LEAST


def test_the_limit_is_the_usual_one_where_pictures_differ():
    found = random_waves(300, 4)
    found[200:220] = found[:20]  # copies are no reason to raise it
    assert alike_from(found) == LEAST


def test_the_limit_rises_where_all_pictures_are_much_alike():
    alike = random_waves(1, 5) + random_waves(100, 6) * np.float16(0.25)
    limit = alike_from(alike)
    assert LEAST < limit <= SURE
    copies = np.concatenate([alike, alike[:5]])
    groups = near_groups(copies, least=limit)
    assert [[i, 100 + i] for i in range(5)] == [each for each in groups if max(each) >= 100]


def test_a_sample_stands_for_a_large_set(monkeypatch):
    monkeypatch.setattr(near_copies, "_SAMPLE", 100)
    monkeypatch.setattr(near_copies, "_ROWS", 30)
    assert alike_from(random_waves(1000, 7)) == LEAST
    alike = random_waves(1, 5) + random_waves(1000, 6) * np.float16(0.25)
    assert alike_from(alike) > LEAST
