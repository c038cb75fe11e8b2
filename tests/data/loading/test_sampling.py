from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.loading.sampling import balanced, shuffled


def test_shuffle_shows_each_image_once():
    indices = np.arange(100, 400)
    order = shuffled(indices, seed=1, epoch=0)
    assert sorted(order.indices) == list(indices)
    assert order.repeats is None


def test_order_is_another_each_epoch_and_each_seed():
    indices = np.arange(300)
    first = shuffled(indices, 1, 0).indices
    assert np.array_equal(first, shuffled(indices, 1, 0).indices)
    assert (first != shuffled(indices, 1, 1).indices).any()
    assert (first != shuffled(indices, 2, 0).indices).any()


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    seed=st.integers(0, 100),
    epoch=st.integers(0, 10),
)
def test_balanced_shows_each_class_equally_often(sizes, seed, epoch):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    indices = np.random.default_rng(seed).permutation(len(labels))
    order = balanced(indices, labels, seed, epoch)
    assert len(order.indices) == len(indices)
    counts = np.bincount(labels[order.indices], minlength=len(sizes))
    assert counts.max() - counts.min() <= 1


@given(sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4), seed=st.integers(0, 100))
def test_balanced_repeats_images_of_a_class_as_evenly_as_possible(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = balanced(np.arange(len(labels)), labels, seed, 0)
    for k in range(len(sizes)):
        shown = np.bincount(order.indices, minlength=len(labels))[labels == k]
        assert shown.max() - shown.min() <= 1
    assert order.repeats is not None
    pairs = set(zip(order.indices.tolist(), order.repeats.tolist(), strict=True))
    assert len(pairs) == len(order.indices)  # so each showing has its own crop


def test_balanced_shows_other_images_of_a_frequent_class_each_epoch():
    labels = np.array([0] * 90 + [1] * 10)
    indices = np.arange(100)
    seen = [set(balanced(indices, labels, 1, epoch).indices.tolist()) for epoch in range(4)]
    assert seen[0] != seen[1]
    assert len(set.union(*seen)) > 90


def test_a_class_without_training_images_is_no_class():
    labels = np.array([0, 0, 2, 2, 1])
    order = balanced(np.arange(4), labels, 1, 0)
    assert np.bincount(labels[order.indices]).tolist() == [2, 0, 2]
