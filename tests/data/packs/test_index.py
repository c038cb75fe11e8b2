from __future__ import annotations

import io
import itertools
import tracemalloc
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alexnet.data.loading.augmentation import Augmentation
from alexnet.data.loading.loader import TrainLoader
from alexnet.data.packs.index import PackIndex, content_digests, read_index, write_index
from alexnet.data.packs.pack import HEADER, INDEX, open_pack
from alexnet.data.packs.shards import Shard
from alexnet.data.sources.listing import Paths
from alexnet.files import write_json
from alexnet.images import Preprocessing

OPTIONS = {"batch_size": 128, "seed": 0}


def some_index(n: int = 5) -> PackIndex:
    rng = np.random.default_rng(0)
    return PackIndex(
        Paths.of(f"Ämter/{i}.jpg" for i in range(n)),
        np.arange(n) % 3,
        np.arange(n, dtype=np.uint8) % 4,
        rng.integers(0, 2**40, n),
        rng.integers(0, 256, (n, 16), dtype=np.uint8),
        rng.integers(0, 2**32, n, dtype=np.uint32),
    )


@given(st.lists(st.text(max_size=8), max_size=12))
def test_paths_are_the_texts_that_went_in(texts):
    paths = Paths.of(texts)
    assert list(paths) == texts
    assert [paths[i] for i in range(len(paths))] == texts
    assert paths[:] == texts
    assert paths == Paths.of(texts)
    assert paths[-1:] == texts[-1:]


def test_paths_keep_names_that_are_no_unicode():
    name = b"ant/\xff.jpg".decode("utf-8", "surrogateescape")
    assert list(Paths.of([name])) == [name]


def test_paths_end_where_lists_end():
    with pytest.raises(IndexError):
        Paths.of(["a"])[1]


def test_index_comes_back_as_it_was():
    index = some_index()
    found = read_index(io.BytesIO(write_index(index)), classes=3)
    assert found.paths == index.paths
    for name in ("labels", "splits", "sizes", "digests", "checksums"):
        one, other = getattr(found, name), getattr(index, name)
        assert one.dtype == other.dtype and np.array_equal(one, other)


def test_an_empty_index_comes_back():
    assert len(read_index(io.BytesIO(write_index(some_index(0))), classes=1)) == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.array([0, 1, 2, 3, 0])}, "a label is not one of its 3 classes"),
        ({"labels": np.array([0, 1, -1, 0, 0])}, "a label is not one of its 3 classes"),
        ({"sizes": np.zeros(4, dtype=np.int64)}, "sizes has 4 rows, not 5"),
        (
            {"digests": np.zeros((5, 8), dtype=np.uint8)},
            r"digests holds uint8 of \(5, 8\), not u1 of \(N, 16\)",
        ),
        ({"splits": np.full(5, 4, dtype=np.uint8)}, "a split is none"),
        ({"paths": Paths(b"abc", np.array([1, 0, 3, 3, 3]))}, "the paths do not follow each other"),
        ({"paths": Paths(b"abc", np.array([1, 2, 3, 4, 5]))}, "the paths do not follow each other"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        read_index(io.BytesIO(write_index(replace(some_index(), **change))), classes=3)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", b"\x93NUMPY"])
def test_what_is_no_index_is_refused(data):
    with pytest.raises(ValueError, match="its columns cannot be read"):
        read_index(io.BytesIO(data), classes=1)


def columns_of(index: PackIndex) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(write_index(index))) as found:
        return dict(found)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("checksums", lambda column: column * np.nan),
        ("digests", lambda column: column.astype(np.complex64)),
        ("labels", lambda column: column[None]),
        ("labels", lambda column: np.zeros((), np.int32)),
        ("letters", lambda column: column.astype("S1")),
        ("ends", lambda column: column.astype(np.int32)),
    ],
)
def test_columns_of_another_kind_are_refused_without_a_remark(name, change):
    columns = columns_of(some_index())
    file = io.BytesIO()
    np.savez(file, **{**columns, name: change(columns[name])})
    with pytest.raises(ValueError, match=f"{name} holds"):
        read_index(file, classes=3)


def test_a_column_takes_no_more_memory_than_its_file():
    columns = columns_of(some_index())
    file = io.BytesIO()
    np.savez_compressed(file, **{**columns, "letters": np.zeros(50_000_000, np.uint8)})
    tracemalloc.start()
    with pytest.raises(ValueError, match="it would be larger than its file"):
        read_index(file, classes=3)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_a_pickle_inside_is_never_opened():
    file = io.BytesIO()
    np.savez(file, letters=np.array([{"code": "runs"}], dtype=object), allow_pickle=True)
    file.seek(0)
    with pytest.raises(ValueError, match="pickle"):
        read_index(file, classes=1)


def test_fingerprint_changes_with_whatever_training_could_notice():
    index = some_index()
    changed = [
        replace(index, labels=index.labels[::-1].copy()),
        replace(index, splits=index.splits + 1),
        replace(index, digests=index.digests + 1),
        replace(index, paths=Paths.of(["x"] * 5)),
    ]
    prints = [each.fingerprint("about") for each in (index, *changed)] + [index.fingerprint("else")]
    assert len(set(prints)) == len(prints)
    assert index.fingerprint("about") == prints[0]
    assert replace(index, sizes=index.sizes + 1).fingerprint("about") == prints[0]


def test_content_digest_is_blake2b():
    assert content_digests([b""]).tobytes().hex() == "cae66941d9efbd404e4d88758ea67670"


def test_a_million_images_take_less_than_200_megabytes(tmp_path, pack_of_pixels):
    """Opening a pack and drawing the first batches of an epoch, all memory at its peak counted.

    A tenth of ImageNet's 1.28 million, of one pixel each, for speed.
    """
    n = 128_000
    rule = Preprocessing(image_px=1, crop_px=1)
    few = pack_of_pixels(np.zeros((32, 1, 1, 3), dtype=np.uint8))
    header = few.header
    list(TrainLoader(few, np.arange(32), rule, Augmentation(), **OPTIONS).epoch(0))  # loads kernels
    data = write_index(some_index_of(n))
    (tmp_path / INDEX).write_bytes(data)
    (tmp_path / "shard").write_bytes(bytes(3 * n))
    changes = {"shards": (Shard("shard", n),), "index_checksum": zlib.crc32(data)}
    write_json(tmp_path / HEADER, replace(header, **changes).to_json())
    del data
    tracemalloc.start()
    pack = open_pack(tmp_path, verify=False)
    loader = TrainLoader(pack, np.flatnonzero(pack.splits == 0), rule, Augmentation(), **OPTIONS)
    batches = list(itertools.islice(loader.epoch(0), 2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(batches) == 2
    assert peak / n < 200e6 / 1.28e6


def some_index_of(n: int) -> PackIndex:
    names = "".join(f"train/n01440764/n01440764_{i:06}.JPEG" for i in range(n)).encode()
    return PackIndex(
        Paths(names, np.arange(1, n + 1, dtype=np.int64) * (len(names) // n)),
        np.arange(n) % 2,
        np.zeros(n, dtype=np.uint8),
        np.zeros(n, dtype=np.int64),
        np.zeros((n, 16), dtype=np.uint8),
        np.full(n, zlib.crc32(bytes(3)), dtype=np.uint32),
    )
