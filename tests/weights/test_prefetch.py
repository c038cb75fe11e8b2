"""What is read before torch is there is the file, and has the checksum that it was written with."""

from __future__ import annotations

import json
import struct

import pytest
import torch

from alexnet import Preprocessing, Weights, WeightsError, build_model, load_weights, save_weights
from alexnet.weights.header import KEY
from alexnet.weights.prefetch import read_ahead, taken


@pytest.fixture
def file(tmp_path):
    net = build_model("cifar_18pct", classes=3)
    weights = Weights(
        model="cifar_18pct",
        arguments=net.arguments,
        state=net.state_dict(),
        classes=("a", "b", "c"),
        preprocessing=Preprocessing(image_px=net.image_px, crop_px=net.crop_px),
    )
    place = tmp_path / "weights.safetensors"
    save_weights(place, weights, dtype="bfloat16")
    return place


def written(file):
    data = file.read_bytes()
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return json.loads(header["__metadata__"][KEY])["digest"]


def test_it_is_the_files_own(file):
    read_ahead(file)
    assert taken(file).digest == written(file)
    assert taken(file) is None  # once


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_weights_are_those_that_are_read_later(file, dtype):
    save_weights(file, load_weights(file), dtype=dtype)
    wanted = load_weights(file)
    read_ahead(file)
    found = load_weights(file)
    file.write_bytes(b"")  # what was loaded is independent of the file
    assert found.state.keys() == wanted.state.keys()
    assert all(torch.equal(each, found.state[name]) for name, each in wanted.state.items())
    found.network(copy=False)


def test_what_nobody_took_is_forgotten(file):
    read_ahead(file)
    read_ahead()
    assert taken(file) is None


def test_a_run_folder_stands_for_its_best_weights(file):
    read_ahead(file.parent)
    assert taken(file).digest == written(file)


def test_a_file_that_changed_meanwhile_is_summed_up_anew(file):
    read_ahead(file)
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data)
    assert taken(file) is None
    assert load_weights(file).classes == ("a", "b", "c")


def test_a_damaged_file_is_found(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    read_ahead(file)
    with pytest.raises(WeightsError, match="does not|do not match their checksum"):
        load_weights(file)


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x02" + b"\0" * 7 + b"{}", b"PK\x03\x04"])
def test_what_is_no_weights_file_fails_silently(tmp_path, content):
    place = tmp_path / "a.safetensors"
    read_ahead(place)
    assert taken(place) is None
    place.write_bytes(content)
    read_ahead(place)
    assert taken(place) is None
    with pytest.raises(WeightsError):
        load_weights(place)
