from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.loading.counter_random import normals, permutation, philox, uniforms

MANY = np.arange(20_000, dtype=np.int64)


def words(*values: int) -> tuple[np.ndarray, ...]:
    return tuple(np.array([each], dtype=np.uint64) for each in values)


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF,) * 4,
            (0xFFFFFFFF,) * 2,
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_its_authors_known_answers(counter, key, wanted):
    assert tuple(int(word[0]) for word in philox(words(*counter), key)) == wanted


def test_numbers_never_change_between_versions():
    index = np.array([0, 1, 2**33 + 5], dtype=np.int64)
    found = uniforms(7, 3, index, "crop", 3)
    assert found.tolist() == [
        [0.44882961061088633, 0.49767720013294914, 0.8517351158656274],
        [0.4466000640676616, 0.9489459666366786, 0.12431314289384066],
        [0.5142337792122096, 0.3588314128223461, 0.6012310957217949],
    ]
    order = permutation(12, 7, 3, "order")
    assert order.tolist() == [0, 2, 6, 7, 1, 4, 8, 5, 9, 11, 3, 10]


def test_uniforms_are_even_and_lie_in_their_interval():
    found = uniforms(1, 0, MANY, "test", 3)
    assert found.shape == (len(MANY), 3)
    assert (found >= 0).all() and (found < 1).all()
    counts = np.histogram(found, bins=64, range=(0, 1))[0]
    expected = found.size / 64
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 30 < chi_square < 110  # 63 degrees of freedom: 0.01 % on either side


def test_normals_have_mean_0_deviation_1_and_the_right_tails():
    found = normals(1, 0, MANY, "test", 3)
    assert abs(found.mean()) < 4 / np.sqrt(found.size)
    assert abs(found.var() - 1) < 4 * np.sqrt(2 / found.size)
    assert abs((np.abs(found) > 2).mean() - 0.0455) < 0.004
    assert abs(np.corrcoef(found.T) - np.eye(3)).max() < 0.03


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_neighbors_in_index_epoch_seed_and_purpose_are_independent(draw):
    first = draw(1, 0, MANY, "crop", 2)
    others = [
        draw(1, 0, MANY + 1, "crop", 2),
        draw(1, 1, MANY, "crop", 2),
        draw(2, 0, MANY, "crop", 2),
        draw(1, 0, MANY, "flip", 2),
        draw(1, 0, MANY + (1 << 32), "crop", 2),
        first[:, ::-1],
    ]
    for other in others:
        assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 4 / np.sqrt(len(MANY))


@given(
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 2**32 - 1),
    index=st.lists(st.integers(0, 2**62), min_size=1, max_size=20),
    count=st.integers(1, 5),
)
def test_a_number_depends_on_its_address_alone(seed, epoch, index, count):
    together = uniforms(seed, epoch, np.array(index, dtype=np.int64), "crop", count)
    alone = [uniforms(seed, epoch, np.array([i], dtype=np.int64), "crop", count) for i in index]
    longer = uniforms(seed, epoch, np.array(index, dtype=np.int64), "crop", count + 2)
    assert np.array_equal(together, np.concatenate(alone))
    assert np.array_equal(together, longer[:, :count])


@given(n=st.integers(0, 200), seed=st.integers(0, 1000), epoch=st.integers(0, 5))
def test_permutation_holds_each_number_once(n, seed, epoch):
    assert sorted(permutation(n, seed, epoch, "order")) == list(range(n))


def test_permutation_reaches_every_order_equally_often():
    orders = [tuple(permutation(3, seed, 0, "order").tolist()) for seed in range(1200)]
    counts = [orders.count(each) for each in set(orders)]
    assert len(counts) == 6
    assert min(counts) > 150 and max(counts) < 250  # 200 each, deviation 13


def test_permutation_moves_images_far_from_home_and_from_the_last_epoch():
    first, second = (permutation(20_000, 1, epoch, "order") for epoch in (0, 1))
    for one, other in ((first, MANY), (first, second), (first[1:], first[:-1])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
