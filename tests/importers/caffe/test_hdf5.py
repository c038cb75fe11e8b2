"""Trained arrays out of HDF5, as Caffe's ToHDF5 lays them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from alexnet.errors import AlexNetError, WeightsError
from alexnet.importers.caffe.caffemodel import read_caffemodel
from alexnet.importers.caffe.hdf5 import read_hdf5

h5py = pytest.importorskip("h5py")

NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.caffemodel.h5"


def written(path, arrays, group="data"):
    with h5py.File(path, "w") as file:
        file.create_group(group)
        for name, each in arrays.items():
            for place, array in enumerate(each):
                file[f"{group}/{name}/{place}"] = array


def test_every_layer_is_found_in_its_shape(path):
    many = [np.full(1, float(i)) for i in range(12)]  # 10 comes behind 9, not behind 1
    written(path, {"conv1": [NUMBERS, NUMBERS[0, 0]], "fire2/squeeze": [NUMBERS[0]], "many": many})
    found = read_caffemodel(path)
    assert found.keys() == {"conv1", "fire2/squeeze", "many"}
    assert found["conv1"][0].shape == NUMBERS.shape
    assert np.array_equal(found["conv1"][0].numbers, NUMBERS.ravel())
    assert np.array_equal(found["fire2/squeeze"][0].numbers, NUMBERS[0].ravel())
    assert [float(blob.numbers[0]) for blob in found["many"]] == list(range(12))


def test_what_is_no_file_of_caffes_is_told(path):
    written(path, {"conv1": [NUMBERS]}, group="model_weights")
    with pytest.raises(WeightsError, match="holds no weights in Caffe's layout"):
        read_hdf5(path)
    written(path, {"conv1": [np.array([1, np.nan])]})
    with pytest.raises(WeightsError, match='layer "conv1" of .* not finite'):
        read_hdf5(path)
    written(path, {"conv1": [b"text"]})
    with pytest.raises(WeightsError, match="not numbers"):
        read_hdf5(path)
    written(path, {"conv1": [NUMBERS]})
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(WeightsError, match="cannot be read as HDF5: it was cut or damaged"):
        read_hdf5(path)


def test_sizes_are_not_believed_before_they_are_looked_at(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("data/a/0", shape=(2**40,), dtype="f4", chunks=(1024,))
    with pytest.raises(WeightsError, match="has 1,099,511,627,776 numbers; that is no layer"):
        read_hdf5(path)


def test_without_h5py_a_sentence_says_what_to_install(path, monkeypatch):
    written(path, {"conv1": [NUMBERS]})
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(AlexNetError, match=r'need h5py: pip install "alexnet\[caffe\]"'):
        read_caffemodel(path)
