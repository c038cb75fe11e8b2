"""Checkpoints: round trip, damage, pruning."""

import logging

import pytest
import torch

from alexnet.errors import RunError
from alexnet.training.checkpoint import Checkpoint, newest_checkpoint, save_checkpoint


def make(value: float) -> Checkpoint:
    tensors = {
        "w": torch.full((2, 3, 4, 4), value).to(memory_format=torch.channels_last),
        "count": torch.tensor(3),
        "half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    }
    return Checkpoint(tensors, {"step": int(value), "third": 1 / 3})


def test_round_trip_is_bit_exact(tmp_path):
    made = make(7)
    save_checkpoint(tmp_path, 7, made)
    found = newest_checkpoint(tmp_path)
    assert found.state == made.state
    for name, tensor in made.tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype


def test_the_newest_two_are_kept(tmp_path):
    for step in (1, 2, 10):
        save_checkpoint(tmp_path, step, make(step))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "step-000000002.checkpoint",
        "step-000000010.checkpoint",
    ]
    assert newest_checkpoint(tmp_path).state["step"] == 10


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_one_is_passed_over_and_said(tmp_path, caplog, damage):
    save_checkpoint(tmp_path, 1, make(1))
    path = save_checkpoint(tmp_path, 2, make(2))
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[-5] ^= 1
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b""}.get(damage, content))
    with caplog.at_level(logging.WARNING):
        assert newest_checkpoint(tmp_path).state["step"] == 1
    assert "step-000000002.checkpoint is damaged: its checksum does not fit" in caplog.text


def test_none_whole_is_an_error_and_no_folder_is_none(tmp_path):
    assert newest_checkpoint(tmp_path / "nothing") is None
    save_checkpoint(tmp_path, 1, make(1)).write_bytes(b"x")
    with pytest.raises(RunError, match=r"None of the 1 checkpoints .* is whole"):
        newest_checkpoint(tmp_path)
