"""Tensors of a safetensors file: the bytes are safetensors' own, and reading copies them once."""

from __future__ import annotations

import io
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file

from alexnet.weights import stored
from alexnet.weights.stored import MemoryTensor, read_tensors, write_tensors

UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def some_tensors() -> dict[str, torch.Tensor]:
    """Every type, no tensor, one number, another order in memory, names that JSON has to escape."""
    made = {}
    for number, dtype in enumerate(stored._NAMES):
        draw = torch.Generator().manual_seed(number)
        values = torch.randint(0, 2, (3, 2), generator=draw, dtype=torch.int32)
        made[f'{"zab"[number % 3]}{number}é"\\\x07\x7f'] = values.to(dtype)
    made["one"] = torch.tensor(2.5)
    made["none"] = torch.zeros(0, 4)
    made["channels last"] = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)
    made["part"] = torch.randn(5, 6)[:, 1:3]
    return made


@pytest.mark.parametrize("first", [1, 4, 9, None])
def test_the_bytes_are_those_of_safetensors(first):
    tensors = dict(list(some_tensors().items())[:first])
    metadata = {"alexnet": json.dumps({"text": 'é"\\/\n'})}
    file = io.BytesIO()
    write_tensors(file, {name: MemoryTensor(each) for name, each in tensors.items()}, metadata)
    plain = {name: each.contiguous() for name, each in tensors.items()}
    assert file.getvalue() == save(plain, metadata)
    assert all(torch.equal(each, plain[name]) for name, each in load(file.getvalue()).items())


def test_what_lies_in_rows_is_not_copied():
    tensor = torch.arange(6.0)
    (portion,) = MemoryTensor(tensor).portions()
    tensor += 1
    assert bytes(portion) == tensor.numpy().tobytes()


def test_tensors_are_read_into_memory_of_their_own(tmp_path):
    path = tmp_path / "file"
    tensors = {name: each.contiguous() for name, each in some_tensors().items()}
    tensors["rare"] = torch.ones(3).to(torch.float8_e4m3fnuz)  # of no list here
    save_file(tensors, path)
    with safe_open(path, framework="pt", device="cpu") as opened:
        read = read_tensors(path, opened)
    path.write_bytes(b"")  # a view of the file would end the process now
    assert read.keys() == tensors.keys()
    for name, each in tensors.items():
        assert (read[name].dtype, read[name].shape) == (each.dtype, each.shape)
        rows, expected = (x.reshape(-1).view(torch.uint8) for x in (read[name], each))
        assert torch.equal(rows, expected)


def test_a_file_that_is_cut_meanwhile_is_an_error(tmp_path):
    path = tmp_path / "file"
    save_file({"w": torch.ones(1000)}, path)
    whole = path.read_bytes()
    with safe_open(path, framework="pt", device="cpu") as opened:
        path.unlink()  # what is mapped stays
        path.write_bytes(whole[:-8])
        with pytest.raises(ValueError, match="ends early"):
            read_tensors(path, opened)
