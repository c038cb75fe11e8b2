"""Feature files: read back by NumPy and pyarrow, which know nothing of how they were written."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import AlexNetError, RecipeError, SourceError
from alexnet.transfer.files import FeatureRows, feature_writer

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@st.composite
def tables(draw):
    """Rows in portions: (features, paths, labels, classes, splits) and how they are parted."""
    n, width = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 1000))
    features = np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)
    special = draw(st.sampled_from([0.0, -0.0, float("inf"), float("nan"), 1e-40]))
    features[draw(st.integers(0, n - 1)), 0] = special
    texts = [draw(st.lists(NAMES, min_size=n, max_size=n)) for _ in range(2)]
    splits = draw(st.lists(st.sampled_from(["", "train", "val", "test"]), min_size=n, max_size=n))
    labels = np.array(draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n)))
    ends = sorted({*draw(st.lists(st.integers(1, n), max_size=3)), n})
    return features, texts[0], labels, texts[1], splits, ends


def portions(table):
    features, paths, labels, classes, splits, ends = table
    start = 0
    for end in ends:
        part = slice(start, end)
        yield FeatureRows(features[part], paths[part], labels[part], classes[part], splits[part])
        start = end


def stripped(texts: list[str]) -> list[str]:
    """NumPy's texts of fixed width lose zeros at their end, and nothing else."""
    return np.array(texts, dtype=np.str_).tolist()


@settings(deadline=None)
@given(tables())
def test_numpy_reads_what_was_given(tmp_path_factory, table):
    out = tmp_path_factory.mktemp("features") / "f.npz"
    feature_writer(out)(portions(table))
    features, paths, labels, classes, splits, _ = table
    with np.load(out, allow_pickle=False) as file:
        assert set(file.files) == {"features", "labels", "paths", "classes", "splits"}
        assert file["features"].dtype == np.float32
        assert file["features"].tobytes() == features.tobytes()
        assert file["labels"].tolist() == labels.tolist()
        assert file["paths"].tolist() == stripped(paths)
        assert file["classes"].tolist() == stripped(classes)
        assert file["splits"].tolist() == splits
    assert [each.name for each in out.parent.iterdir()] == ["f.npz"]


@settings(deadline=None, max_examples=30)
@given(tables())
def test_parquet_reads_what_was_given(tmp_path_factory, table):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    out = tmp_path_factory.mktemp("features") / "f.parquet"
    feature_writer(out)(portions(table))
    features, paths, labels, classes, splits, _ = table
    found = parquet.read_table(out)
    assert found.column_names == ["path", "label", "class", "split", "features"]
    assert found["path"].to_pylist() == paths
    assert found["class"].to_pylist() == classes
    assert found["split"].to_pylist() == splits
    assert found["label"].to_pylist() == labels.tolist()
    numbers = np.array(found["features"].to_pylist(), dtype=np.float32)
    np.testing.assert_array_equal(numbers, features)


def rows(n: int = 3) -> FeatureRows:
    return FeatureRows(
        np.ones((n, 2), dtype=np.float32), ["a"] * n, np.zeros(n, np.int64), ["c"] * n, [""] * n
    )


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_equal_features_give_equal_bytes(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    for name in ("one", "two"):
        feature_writer(tmp_path / f"{name}.{suffix}")(iter([rows(), rows(5)]))
    one, two = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert one == two


def test_parquet_gathers_batches_to_groups(tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    monkeypatch.setattr("alexnet.transfer.files._GROUP_BYTES", 8 * 10)  # ten rows of two
    feature_writer(tmp_path / "f.parquet")(iter([rows(4) for _ in range(8)]))
    found = parquet.ParquetFile(tmp_path / "f.parquet").metadata
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [12, 12, 8]


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")

    def peak(batches: int) -> int:
        names, labels = ["a" * 200] * 64, np.zeros(64, np.int64)
        part = FeatureRows(np.zeros((64, 8), np.float32), names, labels, names, [""] * 64)
        tracemalloc.start()
        feature_writer(tmp_path / f"f.{suffix}")(part for _ in range(batches))
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(2)
    assert peak(400) < peak(40) + 1_000_000  # 360 more batches have 18 MB of paths


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_rows_that_fail_leave_the_old_file_and_nothing_beside(tmp_path, suffix):
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    out = tmp_path / f"f.{suffix}"
    out.write_bytes(b"old")

    def failing():
        yield rows()
        raise SourceError("The archive was taken away.")

    with pytest.raises(SourceError, match="taken away"):
        feature_writer(out)(failing())
    assert out.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == [out.name]


def test_names_that_are_no_text_can_be_written(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    odd = FeatureRows(np.ones((1, 2), np.float32), [name], np.zeros(1, np.int64), ["c"], [""])
    feature_writer(tmp_path / "f.npz")(iter([odd]))
    with np.load(tmp_path / "f.npz", allow_pickle=False) as file:
        assert file["paths"].tolist() == [name]
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    feature_writer(tmp_path / "f.parquet")(iter([odd]))
    assert parquet.read_table(tmp_path / "f.parquet")["path"].to_pylist() == ["caf\ufffd.png"]


@pytest.mark.parametrize("name", ["f.csv", "f", "f.npz.gz", "-"])
def test_other_kinds_of_file_are_refused(name):
    with pytest.raises(RecipeError, match=rf'out must end in \.npz or \.parquet; got "{name}"\.'):
        feature_writer(Path(name))


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(AlexNetError, match=r'need pyarrow: pip install "alexnet\[tables\]", or wr'):
        feature_writer(tmp_path / "f.parquet")
