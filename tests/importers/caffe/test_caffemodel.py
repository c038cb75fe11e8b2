"""Trained arrays out of bytes: every form in which Caffe wrote them, and nothing else."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.errors import AlexNetError, WeightsError
from alexnet.importers.caffe.caffemodel import read_binaryproto, read_caffemodel

NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7


@pytest.fixture
def file(tmp_path):
    def file(data: bytes):
        (tmp_path / "x.caffemodel").write_bytes(data)
        return tmp_path / "x.caffemodel"

    return file


@pytest.mark.parametrize("generation", ["new", "V1", "V0"])
def test_every_generation_is_read(generation, wire, file):
    arrays = {"conv1": [NUMBERS, NUMBERS[0, 0]], "fc/8": [NUMBERS[0]]}
    found = read_caffemodel(file(wire.caffemodel(arrays, generation)))
    assert list(found) == ["conv1", "fc/8"]
    for name, blobs in arrays.items():
        for blob, wanted in zip(found[name], blobs, strict=True):
            assert np.array_equal(blob.numbers, wanted.ravel())
            ones = 4 - wanted.ndim if generation != "new" else 0
            assert blob.shape == (1,) * ones + wanted.shape


def test_doubles_and_numbers_one_by_one_are_read(wire, file):
    doubles = wire.blob(NUMBERS.astype(np.float64), doubles=True)
    single = wire.fixed32(5, 1.5) + wire.fixed32(5, -2) + wire.field(7, wire.field(1, 2))
    layers = b"".join(
        wire.field(100, wire.field(1, name) + wire.field(7, data))
        for name, data in ((b"a", doubles), (b"b", single))
    )
    found = read_caffemodel(file(layers))
    assert np.array_equal(found["a"][0].numbers, NUMBERS.ravel())
    assert found["b"][0].numbers.tolist() == [1.5, -2]


def in_raw_data(wire, array, kind: int, dtype: str) -> bytes:
    """A blob as NVIDIA's Caffe writes it: raw_data_type 10, raw_data 12."""
    dims = wire.field(7, wire.field(1, b"".join(map(wire.varint, array.shape))))
    said = wire.field(10, kind) if kind else b""  # an enum's first value may be left out
    return dims + said + wire.field(12, array.astype(dtype).tobytes())


def in_halves(wire, array) -> bytes:
    """A blob with half_data 10: the bits of each half as a number."""
    dims = wire.field(7, wire.field(1, b"".join(map(wire.varint, array.shape))))
    bits = array.astype("<f2").view("<u2").ravel()
    return dims + wire.field(10, b"".join(wire.varint(int(each)) for each in bits))


@pytest.mark.parametrize("form", ["doubles", "floats", "halves", "half_data"])
def test_the_forms_of_forks_are_read(form, wire, file):
    kinds = {"doubles": (0, "<f8"), "floats": (1, "<f4"), "halves": (2, "<f2")}
    if form == "half_data":
        data = in_halves(wire, NUMBERS)
    else:
        data = in_raw_data(wire, NUMBERS, *kinds[form])
    layer = wire.field(100, wire.field(1, b"conv") + wire.field(7, data))
    (blob,) = read_caffemodel(file(layer))["conv"]
    exact = form in ("doubles", "floats")
    wanted = NUMBERS if exact else NUMBERS.astype(np.float16).astype(np.float32)
    assert np.array_equal(blob.numbers, wanted.ravel())
    assert blob.shape == NUMBERS.shape
    assert blob.raw is (form != "half_data")
    assert np.array_equal(read_binaryproto(file(data)).numbers, wanted.ravel())


def test_raw_data_of_another_kind_is_told(wire, file):
    for kind, count in ((3, 24), (2, 7)):
        raw = wire.field(10, kind) + wire.field(12, bytes(count)) + wire.field(7, wire.field(1, 7))
        layer = wire.field(100, wire.field(1, b"conv") + wire.field(7, raw))
        with pytest.raises(WeightsError, match="doubles, floats and halves can be read"):
            read_caffemodel(file(layer))


def test_a_mean_is_read(wire, file):
    found = read_binaryproto(file(wire.blob(NUMBERS, legacy=True)))
    assert found.shape == (1, 2, 3, 4)
    assert np.array_equal(found.numbers, NUMBERS.ravel())


def test_what_a_damaged_file_says_is_not_believed(wire, file):
    many = wire.field(7, wire.field(1, b"".join([wire.varint(2**40)] * 2)))
    axes = wire.field(7, wire.field(1, b"\x01" * 50))
    negative = wire.field(7, wire.field(1, wire.varint(2**64 - 1)))
    for data, said in (
        (many, "numbers are there. The file is damaged"),
        (axes, "has 50 axes; Caffe knows 32"),
        (negative, "The file is damaged"),
    ):
        blob = wire.field(5, NUMBERS.tobytes()) + data
        layer = wire.field(100, wire.field(1, b"conv") + wire.field(7, blob))
        with pytest.raises(WeightsError, match=said):
            read_caffemodel(file(layer))
    infinite = np.array([1, np.inf], np.float32)
    with pytest.raises(WeightsError, match=r'layer "a" of .* not finite'):
        read_caffemodel(file(wire.caffemodel({"a": [infinite]})))


def test_what_is_no_caffemodel_is_told(wire, file, tmp_path):
    whole = wire.caffemodel({"conv1": [NUMBERS]})
    with pytest.raises(WeightsError, match="is not what Caffe writes"):
        read_caffemodel(file(whole[:-5]))
    with pytest.raises(WeightsError, match="is not what Caffe writes"):
        read_caffemodel(file(b"\x80\x04 a pickle, not a model"))
    with pytest.raises(WeightsError, match="holds no weights of any layer"):
        read_caffemodel(file(b""))
    with pytest.raises(WeightsError, match="holds no numbers"):
        read_binaryproto(file(b""))
    with pytest.raises(WeightsError, match="Could not read .*: No such file"):
        read_caffemodel(tmp_path / "none")


def test_without_protobuf_a_sentence_says_what_to_install(file, monkeypatch):
    from alexnet.importers.caffe import caffemodel

    caffemodel._message_classes.cache_clear()
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    with pytest.raises(AlexNetError, match=r'need protobuf: pip install "alexnet\[caffe\]"'):
        read_caffemodel(file(b""))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_file_with_flipped_bytes_is_read_or_refused(wire, tmp_path_factory, data):
    whole = bytearray(wire.caffemodel({"conv1": [NUMBERS], "b": [NUMBERS[0]]}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "flipped.caffemodel"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        found = read_caffemodel(path)
    except WeightsError as error:
        assert str(path) in str(error)
    else:
        assert all(isinstance(name, str) for name in found)


def test_layers_and_arrays_without_end_are_refused_before_they_are_looked_at(wire, file):
    for data, what in (
        (wire.field(100, b"") * 100_001, "100,001 layers in .*limit is 100,000"),
        (
            wire.field(100, wire.field(1, b"c") + wire.field(7, b"") * 1001),
            "1,001 arrays in the layer",
        ),
    ):
        with pytest.raises(WeightsError, match=what):
            read_caffemodel(file(data))
