"""A file is what is in it, whatever it is called."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from alexnet.errors import WeightsError
from alexnet.importers import file_kind


def saved(value, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


CONTENTS = {
    "pickle": (
        saved({"a": torch.ones(1)}),
        saved({"a": torch.ones(1)}, _use_new_zipfile_serialization=False),
    ),
    "safetensors": (save({"a": np.ones(1)}),),
    "npy": (array(),),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100),),
    "caffemodel": (
        b"\x0a\x03net\x12\x02\x00\xff",
        b"\xa2\x06\x05\x0a\x03abc",
        b"\x12\x04\x22\x02ab\x00",
    ),
    "binaryproto": (
        b"\x08\x01\x10\x03\x18\x02" + struct.pack("<f", 1),
        b"\x2a\x04" + struct.pack("<f", 1.5),
    ),
    "prototxt": (
        b'name: "n" layer { }',
        b"# a comment\n\nlayers { layer { } }",
        b"\xef\xbb\xbfinput: 'data'",
        b"layer [{ name: 'a' }]",
        b'base_lr: 0.01\nnet: "x"',
        b"input_dim: 1\ninput_dim: 3",
        b"layer <name: 'a'>",
    ),
    "text": (b"ant\nbee\n", b"n01440764 tench, Tinca tinca\n", b"0\n1\n2\n", b"cat\tCats\n"),
    "unknown": (b'{"a": 1}', b"\xff\xd8\xff\xe0 a photograph \x00"),
}

NAMES = ("x", "model_best.pth.tar", "NET.PT", "net.bin", "weights.data", "last.ckpt", "a.weights")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["pickle", "safetensors", "npy", "hdf5"])
def test_what_has_a_sign_is_known_by_any_name(kind, name, tmp_path):
    for content in CONTENTS[kind]:
        (tmp_path / name).write_bytes(content)
        assert file_kind(tmp_path / name) == kind


@pytest.mark.parametrize("kind", CONTENTS)
def test_each_kind_is_known_without_a_name(kind, tmp_path):
    for content in CONTENTS[kind]:
        (tmp_path / "file").write_bytes(content)
        assert file_kind(tmp_path / "file") == kind, content[:20]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("deploy.prototxt.txt", "prototxt"),
        ("NET.PROTOTXT", "prototxt"),
        ("net.pbtxt", "prototxt"),
        ("NET.CaffeModel", "caffemodel"),
        ("net.caffemodel.h5", "hdf5"),
        ("mean.BINARYPROTO", "binaryproto"),
        ("best.pth.tar", "pickle"),
    ],
)
def test_a_name_decides_where_the_content_says_nothing(name, kind, tmp_path):
    assert file_kind(tmp_path / name) == kind
    (tmp_path / name).write_bytes(b"")
    assert file_kind(tmp_path / name) == kind


def test_a_file_that_was_not_fetched_is_told(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n")
    with pytest.raises(WeightsError, match="is a pointer of Git LFS.*git lfs pull"):
        file_kind(path)
    path.write_text("<!DOCTYPE html><html>")
    with pytest.raises(WeightsError, match="is a page of a website"):
        file_kind(path)
    with pytest.raises(WeightsError, match="Could not read"):
        file_kind(tmp_path)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("cat: a small animal\ndog: a larger one\n", "text"),
        ("n01440764: tench\n", "text"),
        ("name: 'n'\nlayer { name: 'a' }\n", "prototxt"),
        ("net: 'x.prototxt'\nbase_lr: 0.1\n", "prototxt"),
    ],
)
def test_a_list_of_classes_is_no_description(text, kind, tmp_path):
    (tmp_path / "a.txt").write_text(text)
    assert file_kind(tmp_path / "a.txt") == kind
