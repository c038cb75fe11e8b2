"""What belongs together: copies, bursts by time and name, and features that are too close."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.data.conftest import TinySource

from alexnet.data import burst_groups, find_alike_features, merge_pairs
from alexnet.data.loading.alike_features import BURST_DISTANCE, COPY_DISTANCE, relative_distances
from alexnet.data.loading.groups import BURST_GAP_MS, bursts_in_time
from alexnet.data.packs.plan import PackingPlan
from alexnet.data.packs.unreadable import UnreadablePolicy
from alexnet.data.packs.writer import pack_in_memory

NOON = 1_700_000_000_000  # ms since 1970


def pack_of(count=40, times=None, names=None):
    source = TinySource(count)
    if names is not None:
        source.paths = names
    pack = pack_in_memory(source, PackingPlan(12, "crop", UnreadablePolicy("skip", None)))
    index = pack.index if times is None else replace(pack.index, times=np.asarray(times))
    return replace(pack, index=index)


def separate(per_class=30, classes=4, width=24, seed=0):
    """Features of separate images: each class a cloud."""
    draw = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), per_class)
    centers = draw.normal(size=(classes, width))
    return (centers[labels] + draw.normal(size=(len(labels), width))).astype(np.float32), labels


def in_bursts(per_burst=3, bursts=10, classes=4, width=24, seed=0, spread=0.15):
    """Features of images of which each few are nearly the same; and the number of the burst."""
    features, labels = separate(bursts, classes, width, seed)
    draw = np.random.default_rng(seed + 1)
    features = np.repeat(features, per_burst, axis=0)
    features += spread * draw.normal(size=features.shape).astype(np.float32)
    return features, np.repeat(labels, per_burst), np.repeat(np.arange(len(labels)), per_burst)


def test_images_that_have_nothing_in_common_stay_alone():
    pack = pack_of()
    assert burst_groups(pack, np.arange(40)).tolist() == list(range(40))
    assert burst_groups(pack, np.arange(5, 25)).tolist() == list(range(20))


def test_copies_belong_together_whatever_their_class():
    source = TinySource(10)
    source.files[7] = source.files[2]
    pack = pack_in_memory(source, PackingPlan(12, "crop", UnreadablePolicy("skip", None)))
    groups = burst_groups(pack, np.arange(10))
    assert groups[7] == groups[2]
    assert len(set(groups.tolist())) == 9


def test_images_of_one_class_taken_within_seconds_belong_together():
    times = NOON + np.arange(40, dtype=np.int64) * 60_000
    times[6] = times[4] + 2_000  # of one class: even numbers
    times[7] = times[4] + 3_000  # of the other
    groups = burst_groups(pack_of(times=times), np.arange(40))
    assert groups[6] == groups[4]
    assert len(set(groups.tolist())) == 39


@pytest.mark.parametrize(
    ("gap", "joined"), [(1, True), (BURST_GAP_MS, True), (BURST_GAP_MS + 1, False)]
)
def test_ten_seconds_are_a_burst(gap, joined):
    pairs = bursts_in_time(np.array([NOON, NOON + gap]), np.zeros(2, dtype=np.int64))
    assert pairs.tolist() == ([[0, 1]] if joined else [])


def test_times_that_are_unknown_or_all_the_same_say_nothing():
    labels = np.zeros(60, dtype=np.int64)
    assert not len(bursts_in_time(np.zeros(60, dtype=np.int64), labels))
    assert not len(bursts_in_time(np.full(60, NOON), labels))
    assert len(bursts_in_time(np.full(5, NOON), labels[:5])) == 4


def test_one_long_sitting_is_not_one_group():
    """All images of a class within seconds of each other: a fifth of it at most is a group."""
    times = NOON + np.arange(40, dtype=np.int64) * 1_000
    groups = burst_groups(pack_of(times=times), np.arange(40))
    assert np.bincount(groups).max() == 4  # of 20 images a class


def test_names_that_follow_each_other_join_images_that_look_alike():
    source = TinySource(12)
    source.paths = [f"{source.classes[i % 2]}/IMG_{1200 + i}.JPG" for i in range(12)]
    first = np.asarray(pack_of(12).read(np.array([0])))[0].astype(np.int16)
    draw = np.random.default_rng(0)
    for number in (0, 2, 6):  # one class; the numbers of 0 and 2 follow, 6 is far
        changed = np.clip(first + draw.integers(-48, 49, first.shape), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(changed).save(file, "PNG")
        source.files[number] = file.getvalue()
    pack = pack_in_memory(source, PackingPlan(12, "crop", UnreadablePolicy("skip", None)))
    groups = burst_groups(pack, np.arange(12))
    assert groups[0] == groups[2]
    assert groups[6] not in (groups[0], groups[4], groups[8])


def test_bursts_are_found_by_their_features():
    features, labels, bursts = in_bursts()
    alike = find_alike_features(features, labels)
    assert alike.in_bursts
    assert alike.close_share > 0.9
    assert alike.limit <= BURST_DISTANCE
    groups = merge_pairs(np.arange(len(labels)), alike.too_close(), labels, 0.5)
    same = groups[:, None] == groups[None]
    np.testing.assert_array_equal(same, bursts[:, None] == bursts[None])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [8, 24, 300])
def test_separate_images_are_not_taken_for_bursts(seed, width):
    features, labels = separate(width=width, seed=seed)
    alike = find_alike_features(features, labels)
    assert not alike.in_bursts
    assert alike.limit == COPY_DISTANCE


def test_a_set_of_one_kind_does_not_end_as_one_group_a_class():
    """Nearly equal images: what counts is how near they are for this class."""
    features, labels = separate(per_class=60, classes=3, width=40)
    features = 100 + 0.001 * features
    groups = merge_pairs(
        np.arange(180), find_alike_features(features, labels).too_close(), labels, 0.2
    )
    assert np.bincount(groups).max() <= 12
    assert len(set(groups.tolist())) > 100


def test_equal_features_and_tiny_classes_are_left_out():
    features = np.ones((20, 5), dtype=np.float32)
    labels = np.repeat([0, 1], [16, 4])
    assert not list(relative_distances(features, labels))
    alike = find_alike_features(features, labels)
    assert (len(alike.pairs), alike.in_bursts, alike.close_share) == (0, False, 0.0)


def test_distances_are_relative_to_the_class():
    features, labels = separate(per_class=20, classes=2)
    for members, relative in relative_distances(features, labels):
        own = features[members].astype(np.float64)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        squares = ((own[:, None] - own[None]) ** 2).sum(axis=2)
        typical = np.median([squares[i, j] for i in range(20) for j in range(i)])
        np.testing.assert_allclose(relative, squares / typical, atol=1e-4)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=60), st.floats(0, 1))
def test_groups_never_outgrow_their_share(pairs, share):
    labels = np.zeros(20, dtype=np.int64)
    found = merge_pairs(
        np.arange(20), np.array(pairs, dtype=np.int64).reshape(-1, 2), labels, share
    )
    sizes = np.bincount(found)
    assert sizes.max() <= max(2, int(share * 20))
    assert found.tolist()[0] == 0
    first = [found.tolist().index(number) for number in range(len(sizes))]
    assert first == sorted(first)


def test_surer_pairs_are_joined_first():
    pairs = np.array([[0, 1], [1, 2], [2, 3]])
    found = merge_pairs(np.arange(8), pairs, np.zeros(8, dtype=np.int64), 0.25)
    assert found.tolist()[:4] == [0, 0, 1, 1]


def test_old_packs_without_times_are_grouped_by_the_rest():
    pack = pack_of()
    old = replace(pack, index=replace(pack.index, times=None))
    assert burst_groups(old, np.arange(40)).tolist() == list(range(40))


def test_features_join_images_of_a_pack():
    pack = pack_of(48)
    features, _, _ = in_bursts(per_burst=2, bursts=12, classes=2)
    order = np.argsort(np.argsort(pack.labels, kind="stable"))
    groups = burst_groups(pack, np.arange(48), features[order])
    assert len(set(groups.tolist())) == 24
