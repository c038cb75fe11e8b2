"""A checksum that is begun before torch is there is the one that the file was written with."""

from __future__ import annotations

import json
import struct

import pytest

from alexnet import Preprocessing, Weights, WeightsError, build_model, load_weights, save_weights
from alexnet.checksums import begin, begun
from alexnet.weights.header import KEY


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
    begin(file)
    assert begun(file) == written(file)
    assert begun(file) is None  # once


def test_a_run_folder_stands_for_its_best_weights(file):
    begin(file.parent)
    assert begun(file) == written(file)


def test_a_file_that_changed_meanwhile_is_summed_up_anew(file):
    begin(file)
    data = file.read_bytes()
    file.unlink()
    file.write_bytes(data)
    assert begun(file) is None
    assert load_weights(file).classes == ("a", "b", "c")


def test_a_damaged_file_is_found(file):
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    begin(file)
    with pytest.raises(WeightsError, match="does not|do not match their checksum"):
        load_weights(file)


@pytest.mark.parametrize("content", [b"", b"\xff" * 20, b"\x02" + b"\0" * 7 + b"{}", b"PK\x03\x04"])
def test_what_is_no_weights_file_fails_silently(tmp_path, content):
    place = tmp_path / "a.safetensors"
    begin(place)
    assert begun(place) is None
    place.write_bytes(content)
    begin(place)
    assert begun(place) != written
    with pytest.raises(WeightsError):
        load_weights(place)
