from __future__ import annotations

import hashlib
import logging
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from alexnet.data.loading.splits import assign_splits, content_numbers
from alexnet.data.packs.index import PackIndex, Paths
from alexnet.data.packs.pack import Pack, PackHeader
from alexnet.data.packs.shards import MemoryPixels, Shard
from alexnet.data.sources.names import SPLITS
from alexnet.errors import RecipeError, SourceError


def make_pack(contents, labels, splits=None, classes=None, skipped=()):
    """A pack that knows of its pictures only contents (any values), labels and splits."""
    n = len(labels)
    digests = b"".join(hashlib.blake2b(repr(c).encode(), digest_size=16).digest() for c in contents)
    classes = classes or tuple(f"class {k}" for k in range(max(labels, default=-1) + 1))
    index = PackIndex(
        Paths.of(f"{i}.png" for i in range(n)),
        np.array(labels, dtype=np.int64),
        np.array([0] * n if splits is None else splits, dtype=np.uint8),
        np.ones(n, dtype=np.int64),
        np.frombuffer(digests, np.uint8).reshape(n, 16),
        np.zeros(n, dtype=np.uint32),
    )
    header = PackHeader(
        classes=classes,
        class_words={},
        image_px=1,
        fit="crop",
        where="pictures",
        signature="",
        stat_signature="",
        skipped=tuple(skipped),
        shards=(Shard("memory", n),),
        index_checksum=0,
        fingerprint="",
    )
    return Pack(header, index, MemoryPixels(np.zeros((n, 1, 1, 3), np.uint8)), None)


def assign(pack, fraction=0.2, seed=0):
    return assign_splits(pack, val_fraction=fraction, seed=seed)


@st.composite
def pictures(draw, most_copies=3, crossing=True):
    """Contents and labels of some pictures of 2 to 4 classes; contents come up to some times."""
    k = draw(st.integers(2, 4))
    size = st.integers(1, most_copies)
    label = st.integers(0, k - 1)
    groups = draw(st.lists(st.tuples(label, size, label), min_size=2, max_size=20))
    contents, labels = [], []
    for number, (first, count, other) in enumerate(groups):
        contents += [number] * count
        labels += [first] * (count - 1) + [other if crossing else first]
    missing = [each for each in range(k) if each not in labels]
    contents += [("only", each) for each in missing]
    labels += missing
    pairs = set(zip(contents, labels, strict=True))
    several = Counter(label for _, label in pairs)
    assume(any(all(several[at] > 1 for c, at in pairs if c == each) for each in set(contents)))
    return contents, labels


fractions = st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9])


@settings(max_examples=50)
@given(pictures(), fractions, st.integers(0, 3))
def test_every_picture_is_in_one_split_and_copies_are_on_one_side(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    assert set(found) == {"train", "val"}
    assert sorted([*found["train"], *found["val"]]) == list(range(len(labels)))
    for indices in found.values():
        assert indices.dtype == np.int64
        assert (np.diff(indices) > 0).all()
    sides = [{contents[i] for i in found[name]} for name in ("train", "val")]
    assert not sides[0] & sides[1]


@settings(max_examples=50)
@given(pictures(), fractions, st.integers(0, 3))
def test_every_class_keeps_a_picture_in_train(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    assert {labels[i] for i in found["train"]} == set(labels)


@settings(max_examples=50)
@given(pictures(most_copies=1), fractions, st.integers(0, 3))
def test_without_copies_each_class_gives_its_share_to_within_one(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    held = Counter(labels[i] for i in found["val"])
    for k, count in Counter(labels).items():
        share = min(fraction * count, count - 1)
        assert abs(held[k] - share) < 1 or (len(found["val"]) == 1 and held[k] <= 1)
    possible = sum(min(fraction * count, count - 1) for count in Counter(labels).values())
    assert abs(len(found["val"]) - max(possible, 1)) <= len(set(labels))


@settings(max_examples=50)
@given(pictures(crossing=False), fractions, st.integers(0, 3))
def test_with_copies_no_single_move_would_bring_a_share_nearer(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    for k, count in Counter(labels).items():
        held = sum(labels[i] == k for i in found["val"])
        kept = Counter(contents[i] for i in found["train"] if labels[i] == k)
        if len(kept) > 1:  # what is left could still move
            assert held + min(kept.values()) - fraction * count > -1


@settings(max_examples=50)
@given(pictures(), fractions, st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_pictures_changes_nothing(made, fraction, seed, random):
    contents, labels = made
    order = list(range(len(labels)))
    random.shuffle(order)
    turned = make_pack([contents[i] for i in order], [labels[i] for i in order])
    before = assign(make_pack(contents, labels), fraction, seed)
    after = assign(turned, fraction, seed)
    for name, indices in before.items():
        assert {contents[i] for i in indices} == {contents[order[i]] for i in after[name]}


def test_another_seed_is_another_draw_and_the_same_is_the_same():
    pack = make_pack(range(200), [0, 1] * 100)
    draws = [tuple(assign(pack, seed=seed)["val"]) for seed in (0, 0, 1, 2)]
    assert len(set(draws)) == 3
    assert draws[0] == draws[1]


def test_each_picture_is_held_out_about_equally_often():
    pack = make_pack(range(60), [0, 1, 1] * 20)
    counts = np.zeros(60)
    for seed in range(300):
        counts[assign(pack, 0.25, seed)["val"]] += 1
    assert abs(counts / 300 - 0.25).max() < 0.12  # 4.8 standard deviations


def test_copies_are_held_out_as_often_as_single_pictures():
    contents = [*range(40), *range(40, 60), *range(40, 60)]
    pack = make_pack(contents, [0, 1] * 40)
    share = np.zeros(80)
    for seed in range(200):
        share[assign(pack, 0.25, seed)["val"]] += 1 / 200
    assert share[:40].mean() == pytest.approx(0.25, abs=0.03)
    assert share[40:].mean() == pytest.approx(0.25, abs=0.03)


def test_shares_are_exact_where_they_are_whole():
    labels = [0] * 100 + [1] * 50 + [2] * 10
    found = assign(make_pack(range(160), labels), 0.1)
    assert Counter(labels[i] for i in found["val"]) == {0: 10, 1: 5, 2: 1}
    found = assign(make_pack(range(100), [0, 1] * 50), 0.29 * 2)
    assert Counter(i % 2 for i in found["val"].tolist()) == {0: 29, 1: 29}


def test_many_small_classes_share_the_rounding():
    labels = np.repeat(np.arange(50), 4).tolist()
    found = assign(make_pack(range(200), labels), 0.1)
    assert len(found["val"]) == 20
    assert len({labels[i] for i in found["val"]}) == 20


def test_a_content_of_many_copies_is_left_where_it_would_overfill():
    contents = [*range(60), *["same"] * 40]
    found = assign(make_pack([*contents, 100, 101], [0] * 100 + [1, 1]), 0.1)
    assert not set(range(60, 100)) & set(found["val"].tolist())
    assert len(found["val"]) == 10


def test_copies_in_two_classes_go_together():
    contents = [*range(10), *range(10)]
    found = assign(make_pack(contents, [0] * 10 + [1] * 10), 0.3)
    counts = Counter((found["val"] % 10).tolist())
    assert set(counts.values()) == {2}
    assert len(counts) == 3


def test_where_only_copies_could_be_held_out_the_fewest_are():
    found = assign(make_pack([0, 0, 0, 1, 1, 2], [0, 0, 0, 0, 0, 1]), 0.01)
    assert found["val"].tolist() == [3, 4]


def test_where_each_content_is_the_last_of_some_class_none_is_held_out():
    with pytest.raises(SourceError, match="has no picture that could be held out for validation"):
        assign(make_pack([0, 0, 1, 1], [0, 1, 0, 2]))


def test_splits_of_the_source_are_kept():
    splits = [1, 1, 1, 2, 3, 1, 3, 2]
    found = assign(make_pack(range(8), [0, 1] * 4, splits), 0.5)
    assert {name: each.tolist() for name, each in found.items()} == {
        name: [i for i, code in enumerate(splits) if SPLITS[code] == name]
        for name in ("train", "val", "test")
    }


def test_a_source_without_val_gives_some_of_train():
    pack = make_pack(range(40), [0, 1] * 20, [1] * 20 + [3] * 20)
    found = assign(pack, 0.2)
    assert found["test"].tolist() == list(range(20, 40))
    assert len(found["val"]) == 4
    assert found["val"].max() < 20
    assert len(found["train"]) == 16


def test_no_share_is_no_validation():
    found = assign(make_pack(range(4), [0, 1] * 2), 0)
    assert list(found) == ["train"]


def test_pictures_without_a_split_among_others_are_for_training():
    found = assign(make_pack(range(6), [0, 1] * 3, [0, 1, 1, 0, 2, 2]))
    assert found["train"].tolist() == [0, 1, 2, 3]


def test_copies_across_the_sources_own_splits_are_said(caplog):
    with caplog.at_level(logging.WARNING):
        assign(make_pack([0, 1, 2, 0, 4], [0, 1, 0, 1, 0], [1, 1, 1, 2, 2]))
    assert (
        'pictures: 1 of 2 pictures in val are copies of training pictures ("3.png")' in caplog.text
    )


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (make_pack([0, 1], [0, 0]), 'has one class only, "class 0"\\. A classifier tells at least'),
        (
            make_pack([0, 1], [0, 1]),
            r"no picture that could be held out for validation: each is the only one",
        ),
        (
            make_pack([0, 0, 1, 1], [0, 0, 1, 1]),
            r"only one of its class \(copies count once\)\. Add .* --val-fraction 0",
        ),
        (make_pack([0, 1], [0, 1], [2, 3]), "has no pictures to train on, only some for valid"),
        (
            make_pack([0, 1, 2], [0, 0, 1], [1, 1, 2]),
            'has no training picture of "class 1"\\. Add some, or take the class away',
        ),
        (
            make_pack([0, 1], [0, 1], classes=("a", "b", "c"), skipped=[("c/1", "why")]),
            r'has no training picture of "c" \(1 picture could not be read\)\. Add some',
        ),
    ],
)
def test_what_cannot_be_learnt_is_refused(pack, words):
    with pytest.raises(SourceError, match=words):
        assign(pack)


def test_one_picture_of_each_class_can_be_trained_on_with_a_val_or_without_any():
    pack = make_pack(range(2), [0, 1])
    assert len(assign(pack, 0)["train"]) == 2
    with_val = make_pack(range(4), [0, 1] * 2, [1, 1, 2, 2])
    assert len(assign(with_val)["val"]) == 2


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(fraction):
    with pytest.raises(RecipeError, match=f"at least 0 and under 1; got {fraction}"):
        assign(make_pack(range(4), [0, 1] * 2), fraction)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=20))
def test_equal_contents_have_equal_numbers_in_the_order_of_their_digests(digests):
    array = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16)
    ranks = {digest: rank for rank, digest in enumerate(sorted(set(digests)))}
    assert content_numbers(array).tolist() == [ranks[digest] for digest in digests]


def test_a_hundred_thousand_pictures_are_split_as_few_are():
    n = 100_000
    pack = make_pack([0, 1], [0, 1])
    rng = np.random.default_rng(0)
    index = replace(
        pack.index,
        paths=Paths(b"x" * n, np.arange(1, n + 1)),
        labels=rng.integers(0, 2, n),
        splits=np.zeros(n, dtype=np.uint8),
        digests=rng.integers(0, 256, (n, 16), dtype=np.uint8),
    )
    found = assign(replace(pack, index=index), 0.1)
    assert len(found["val"]) == 10_000
