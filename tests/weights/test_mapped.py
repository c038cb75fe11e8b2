from __future__ import annotations

import mmap
import os

import numpy as np
import pytest

from alexnet import load_weights, save_weights
from alexnet.weights import mapped
from alexnet.weights.mapped import checksum, map_weights
from fixtures.transfer import make_weights


def test_the_header_is_that_of_the_weights(saved):
    path = saved("a")
    found, weights = map_weights(path), load_weights(path)
    assert found is not None
    assert tuple(found.header["classes"]) == weights.classes
    assert found.preprocessing == weights.preprocessing
    assert found.is_unchanged()
    for name, (offset, shape) in found.tensor_places().items():
        if name in weights.state:
            count = int(np.prod(shape))
            numbers = np.frombuffer(found.data, np.float32, count, offset).reshape(shape)
            np.testing.assert_array_equal(numbers, weights.state[name].numpy())


def test_a_run_folder_and_a_name_are_mapped(trained):
    assert map_weights(trained.run).path == trained.run / "weights.safetensors"
    assert map_weights("small-200").header["model"] == load_weights("small-200").model


LIST = (8).to_bytes(8, "little") + b"[1,2,3] "  # a header that is no object


@pytest.mark.parametrize("data", [b"", b"\x80\x02}", b"PK\3\4" * 9, b"\xff" * 40, LIST])
def test_what_is_no_weights_file_is_left_to_the_loader(tmp_path, data):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    assert map_weights(path) is None
    assert map_weights(tmp_path / "missing.safetensors") is None
    assert map_weights(tmp_path) is None


@pytest.mark.parametrize("length", [4, 100, 5000])
def test_a_file_that_was_cut_is_left_to_the_loader(saved, length):
    path = saved("a")
    path.write_bytes(path.read_bytes()[:length])
    assert map_weights(path) is None


def test_a_header_with_a_wrong_mean_is_left_to_the_loader(saved):
    path = saved("a")
    was, is_now = (f'\\"mean\\": \\"{kind}\\"'.encode() for kind in ("image", "color"))
    path.write_bytes(path.read_bytes().replace(was, is_now))
    assert map_weights(path) is None


def test_every_change_of_a_file_shows(saved, tmp_path):
    path = saved("a")
    found = map_weights(path)
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\0\1")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as a program that hides it
    assert not found.is_unchanged()
    path.unlink()
    assert not found.is_unchanged()
    save_weights(path, make_weights(seed=1))
    assert map_weights(path).header_digest != found.header_digest


def test_a_young_file_is_not_settled(saved, monkeypatch):
    path = saved("a")
    assert not map_weights(path).settled  # another change could get the same time
    later = mapped.time.time_ns() + 10**10
    monkeypatch.setattr(mapped.time, "time_ns", lambda: later)
    assert map_weights(path).settled


@pytest.mark.parametrize("size", [1, 65535, 65536, 200_001])
def test_the_checksum_changes_with_any_byte(tmp_path, size):
    path = tmp_path / "bytes"
    data = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)

    def found(content: bytes) -> str:
        path.write_bytes(content)
        with path.open("rb") as file:
            return checksum(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    whole = found(data.tobytes())
    assert found(data.tobytes()) == whole
    assert found(data.tobytes() + b"\0") != whole
    for position in {0, size // 2, size - 1}:
        damaged = data.copy()
        damaged[position] ^= 64
        assert found(damaged.tobytes()) != whole
