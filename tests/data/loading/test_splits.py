from __future__ import annotations

import csv
import hashlib
import logging
import zlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from alexnet.data.loading.copies import content_ids
from alexnet.data.loading.splits import (
    assign_splits,
    draw_splits,
    read_split_csv,
    write_skipped_csv,
    write_split_csv,
)
from alexnet.data.packs.index import PackIndex
from alexnet.data.packs.pack import Pack, PackHeader
from alexnet.data.packs.shards import MemoryPixels, Shard
from alexnet.data.sources.listing import Paths
from alexnet.data.sources.names import SPLITS
from alexnet.errors import RecipeError, RunError, SourceError


def make_pack(contents, labels, splits=None, classes=None, skipped=()):
    """A pack that knows of its images only contents (any values), labels and splits."""
    n = len(labels)
    digests = b"".join(hashlib.blake2b(repr(c).encode(), digest_size=16).digest() for c in contents)
    classes = classes or tuple(f"class {k}" for k in range(max(labels, default=-1) + 1))
    index = PackIndex(
        Paths.of(f"{i}.png" for i in range(n)),
        np.array(labels, dtype=np.int64),
        np.array([0] * n if splits is None else splits, dtype=np.uint8),
        np.ones(n, dtype=np.int64),
        np.frombuffer(digests, np.uint8).reshape(n, 16),
        np.array([zlib.crc32(repr(c).encode()) for c in contents], dtype=np.uint32),
    )
    header = PackHeader(
        classes=classes,
        class_words={},
        image_px=1,
        resize_mode="crop",
        where="images",
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
def images(draw, most_copies=3, crossing=True):
    """Contents and labels of some images of 2 to 4 classes; contents come up to some times."""
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
@given(images(), fractions, st.integers(0, 3))
def test_every_image_is_in_one_split_and_copies_are_on_one_side(made, fraction, seed):
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
@given(images(), fractions, st.integers(0, 3))
def test_every_class_keeps_a_image_in_train(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    assert {labels[i] for i in found["train"]} == set(labels)


@settings(max_examples=50)
@given(images(most_copies=1), fractions, st.integers(0, 3))
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
@given(images(crossing=False), fractions, st.integers(0, 3))
def test_with_copies_no_single_move_would_bring_a_share_nearer(made, fraction, seed):
    contents, labels = made
    found = assign(make_pack(contents, labels), fraction, seed)
    for k, count in Counter(labels).items():
        held = sum(labels[i] == k for i in found["val"])
        kept = Counter(contents[i] for i in found["train"] if labels[i] == k)
        if len(kept) > 1:  # what is left could still move
            assert held + min(kept.values()) - fraction * count > -1


@settings(max_examples=50)
@given(images(), fractions, st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(made, fraction, seed, random):
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


def test_each_image_is_held_out_about_equally_often():
    pack = make_pack(range(60), [0, 1, 1] * 20)
    counts = np.zeros(60)
    for seed in range(300):
        counts[assign(pack, 0.25, seed)["val"]] += 1
    assert abs(counts / 300 - 0.25).max() < 0.12  # 4.8 standard deviations


def test_copies_are_held_out_as_often_as_single_images():
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


def test_many_classes_share_the_rounding():
    labels = np.repeat(np.arange(20), 14).tolist()
    found = assign(make_pack(range(280), labels), 0.1)
    assert len(found["val"]) == 28
    assert Counter(Counter(labels[i] for i in found["val"]).values()) == {1: 12, 2: 8}


@pytest.mark.parametrize("count", [2, 3, 4])
def test_each_small_class_gives_one_image_and_keeps_the_others(count):
    labels = np.repeat(np.arange(50), count).tolist()
    found = assign(make_pack(range(50 * count), labels), 0.01)
    assert sorted(labels[i] for i in found["val"]) == list(range(50))


def test_a_class_of_copies_alone_gives_the_fewest_that_it_can():
    contents = [*range(100), "a", "a", "a", "b", "b", "b", "b"]
    found = assign(make_pack(contents, [0] * 100 + [1] * 7), 0.1)
    assert [i for i in found["val"].tolist() if i >= 100] == [100, 101, 102]


def test_a_content_of_many_copies_is_left_where_it_would_overfill():
    contents = [*range(60), *["same"] * 40]
    found = assign(make_pack([*contents, 100, 101], [0] * 100 + [1, 1]), 0.1)
    assert not set(range(60, 100)) & set(found["val"].tolist())
    assert len(found["val"]) == 11  # a tenth of the one class, and one of the other's two


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
    with pytest.raises(SourceError, match="has no image that could be held out for validation"):
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


def test_images_without_a_split_among_others_are_for_training():
    found = assign(make_pack(range(6), [0, 1] * 3, [0, 1, 1, 0, 2, 2]))
    assert found["train"].tolist() == [0, 1, 2, 3]


def test_duplicates_across_splits_of_the_source_bring_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assign(make_pack([0, 1, 2, 0, 4], [0, 1, 0, 1, 0], [1, 1, 1, 2, 2]))
    assert (
        'images: 1 of 2 images in val is a duplicate of a training image ("3.png")' in caplog.text
    )
    assert "`alexnet check images` shows the pairs" in caplog.text


def test_classes_that_are_measured_on_few_images_or_none_are_named():
    labels = [0] * 60 + [1] * 2 + [2]
    drawn = draw_splits(make_pack(range(63), labels), val_fraction=0.1, seed=0)
    none, few = drawn.warnings
    assert 'Nothing is held out (val) of 1 class, "class 2": it is not measured' in none
    assert 'Few images are held out (val) of "class 1" (1): the recall of such a class' in few
    splits = [1] * 8 + [3] * 4
    given = draw_splits(make_pack(range(12), [0, 1] * 4 + [0] * 4, splits), val_fraction=0, seed=0)
    assert 'held out (test) of 1 class, "class 1"' in given.warnings[0]
    many = draw_splits(make_pack(range(100), [0, 1] * 50), val_fraction=0.1, seed=0)
    assert many.warnings == ()


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        (make_pack([0, 1], [0, 0]), 'has one class only, "class 0"\\. A classifier tells at least'),
        (
            make_pack([0, 1], [0, 1]),
            r"no image that could be held out for validation: each is the only one",
        ),
        (
            make_pack([0, 0, 1, 1], [0, 0, 1, 1]),
            r"only one of its class \(duplicates count once\)\. Add .* --val-fraction 0",
        ),
        (make_pack([0, 1], [0, 1], [2, 3]), "has no images to train on, only some for valid"),
        (
            make_pack([0, 1, 2], [0, 0, 1], [1, 1, 2]),
            'has no training image of "class 1"\\. Add some, or take the class away',
        ),
        (
            make_pack([0, 1], [0, 1], classes=("a", "b", "c"), skipped=[("c/1", "why")]),
            r'has no training image of "c" \(1 image could not be read\)\. Add some',
        ),
    ],
)
def test_a_pack_that_cannot_be_trained_on_is_an_error(pack, words):
    with pytest.raises(SourceError, match=words):
        assign(pack)


def test_one_image_of_each_class_can_be_trained_on_with_a_val_or_without_any():
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
    assert content_ids(array).tolist() == [ranks[digest] for digest in digests]


def test_a_hundred_thousand_images_are_split_as_few_are():
    n = 100_000
    pack = make_pack([0, 1], [0, 1])
    rng = np.random.default_rng(0)
    index = replace(
        pack.index,
        paths=Paths(b"x" * n, np.arange(1, n + 1)),
        labels=rng.integers(0, 2, n),
        splits=np.zeros(n, dtype=np.uint8),
        digests=rng.integers(0, 256, (n, 16), dtype=np.uint8),
        checksums=np.arange(n, dtype=np.uint32),
        coefficients=np.zeros((n, 64), dtype=np.float16),
    )
    found = assign(replace(pack, index=index), 0.1)
    assert len(found["val"]) == 10_000


@pytest.fixture
def pack(pack_of_pixels):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 2, 2, 3), dtype=np.uint8)
    return pack_of_pixels(pixels)


def test_each_image_has_a_row_in_the_packs_order(pack, tmp_path):
    splits = {"val": np.array([1, 2]), "train": np.array([0, 3, 5]), "test": np.array([4])}
    write_split_csv(tmp_path / "run" / "split.csv", pack, splits)
    assert (tmp_path / "run" / "split.csv").read_bytes() == (
        b"path,class,split\r\n"
        b"0.png,class 0,train\r\n1.png,class 1,val\r\n2.png,class 0,val\r\n"
        b"3.png,class 1,train\r\n4.png,class 0,test\r\n5.png,class 1,train\r\n"
    )


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


class Named:
    """What is written of a pack."""

    def __init__(self, paths, classes):
        self.paths, self.classes = paths, classes
        self.labels = np.arange(len(paths)) % len(classes)

    def __len__(self):
        return len(self.paths)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    paths=st.lists(TEXTS | st.sampled_from(["=1+1", "'=x", "-1", "@a", "\t", "a,b\n"]), max_size=6),
    classes=st.lists(TEXTS, min_size=1, max_size=3),
)
def test_what_was_written_is_read_again_and_never_a_formula(tmp_path, paths, classes):
    named = Named(paths, classes)
    splits = {"train": np.arange(0, len(paths), 2), "val": np.arange(1, len(paths), 2)}
    write_split_csv(tmp_path / "split.csv", named, splits)
    wanted = [
        (path, classes[i % len(classes)], "val" if i % 2 else "train")
        for i, path in enumerate(paths)
    ]
    assert read_split_csv(tmp_path / "split.csv") == wanted
    with (tmp_path / "split.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_names_that_are_no_unicode_keep_their_bytes(tmp_path):
    name = b"\xff.png".decode("utf-8", "surrogateescape")
    write_split_csv(tmp_path / "s.csv", Named([name], ["a"]), {"train": np.array([0])})
    assert b"\xff.png,a,train" in (tmp_path / "s.csv").read_bytes()
    assert read_split_csv(tmp_path / "s.csv") == [(name, "a", "train")]


def test_skipped_images_are_listed_with_their_reasons(tmp_path):
    skipped = [("a/1.png", "it is cut off"), ("=b,2.png", "why, indeed")]
    write_skipped_csv(tmp_path / "skipped.csv", skipped)
    assert (tmp_path / "skipped.csv").read_text(encoding="utf-8").splitlines() == [
        "path,reason",
        "a/1.png,it is cut off",
        '"\'=b,2.png","why, indeed"',
    ]
    write_skipped_csv(tmp_path / "skipped.csv", [])
    assert (tmp_path / "skipped.csv").read_bytes() == b"path,reason\r\n"


@pytest.mark.parametrize("data", [None, b"path,split\r\na,b\r\n", b"path,class,split\r\na\r\n"])
def test_a_damaged_list_is_refused(tmp_path, data):
    if data is not None:
        (tmp_path / "split.csv").write_bytes(data)
    with pytest.raises(RunError, match=r"split\.csv cannot be read .* it alone says .* Restore it"):
        read_split_csv(tmp_path / "split.csv")


def test_a_disk_that_refuses_leaves_the_old_list(tmp_path, monkeypatch):
    write_skipped_csv(tmp_path / "s.csv", [("a", "b")])
    before = (tmp_path / "s.csv").read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(RunError, match="the disk is full"):
        write_skipped_csv(tmp_path / "s.csv", [])
    assert (tmp_path / "s.csv").read_bytes() == before


def refuse(*_):
    raise OSError(28, "No space left on device")


def test_images_taken_within_seconds_are_held_out_together(pack_of_pixels):
    """Bursts of two: none is divided by the draw. Without times nothing is changed."""
    pixels = np.random.default_rng(5).integers(0, 256, (80, 16, 16, 3), dtype=np.uint8)
    pack = pack_of_pixels(pixels, np.arange(80) // 40)
    bursts = np.arange(80, dtype=np.int64) // 2
    times = 1_700_000_000_000 + bursts * 600_000 + np.arange(80) % 2 * 1000
    dated = replace(pack, index=replace(pack.index, times=times))
    for seed in range(5):
        splits = assign_splits(dated, val_fraction=0.1, seed=seed)
        assert not set(bursts[splits["val"]]) & set(bursts[splits["train"]])
        assert len(splits["val"]) == 8
        unknown = replace(pack, index=replace(pack.index, times=np.zeros(80, dtype=np.int64)))
        one, other = (assign_splits(each, val_fraction=0.1, seed=seed) for each in (pack, unknown))
        np.testing.assert_array_equal(one["val"], other["val"])
