"""Checkpoints with more than tensors beside them: read, and nothing in them made or run."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import datetime
import enum
import os
import pathlib

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from alexnet.errors import WeightsError
from alexnet.importers.checkpoint import Unread, read_checkpoint, tensor_groups


class Options(dict):
    """A mapping with attributes, as configuration packages have."""


class Rows(list):
    pass


class Mode(enum.Enum):
    FAST = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1


class Counting:
    made = 0

    def __init__(self):
        type(self).made += 1

    def __setstate__(self, state):
        type(self).made += 1


def leave_a_trace(place):
    pathlib.Path(place).touch()


class Call:
    def __reduce__(self):
        return (leave_a_trace, ("was-here",))


BESIDE = {
    "namespace": argparse.Namespace(lr=0.1, milestones=[1, 2]),
    "numpy number": np.float64(55.0),
    "numpy bool": np.bool_(True),
    "numpy array": np.arange(5.0),
    "dtype": np.dtype("float32"),
    "path": pathlib.PurePosixPath("a/b"),
    "default dict": collections.defaultdict(list, {"loss": [1.0]}),
    "date": datetime.datetime(2020, 1, 1),
    "enum": Mode.FAST,
    "dataclass": Settings(),
    "options": Options(a=1, b=Options(c=[1])),
    "rows": Rows([1, 2]),
    "counting": Counting(),
    "schedule": torch.optim.lr_scheduler.StepLR(
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1), 3
    ),
    "module": torch.nn.Linear(1, 1),
    "slice": slice(1, 2),
    "frozen set": frozenset([1]),
    "call": Call(),
    "function": print,
}


@pytest.mark.parametrize("name", BESIDE)
def test_tensors_are_read_whatever_lies_beside_them(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = Counting.made
    path = tmp_path / "c.pth"
    torch.save({"state_dict": {"a": torch.arange(3.0)}, "x": BESIDE[name], "epoch": 3}, path)
    found = read_checkpoint(path)
    assert found["state_dict"]["a"].tolist() == [0, 1, 2]
    assert found["epoch"] == 3
    assert Counting.made == before
    assert not (tmp_path / "was-here").exists()
    assert isinstance(found["x"], Unread | dict | list | type)
    for kind in (argparse.Namespace, np.ndarray, np.generic, Settings, Options, Rows, Counting):
        assert not isinstance(found["x"], kind)


def test_the_older_form_is_read_too(tmp_path):
    value = {"a": torch.ones(2), "args": argparse.Namespace(x=1), "best": np.float64(1)}
    torch.save(value, tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    assert read_checkpoint(tmp_path / "c.bin")["a"].tolist() == [1, 1]


def test_safetensors_are_known_by_content(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "c.pt")
    assert read_checkpoint(tmp_path / "c.pt")["a"].tolist() == [1, 1]


class Shell:
    def __reduce__(self):
        return (os.system, ("touch was-here",))


@pytest.mark.parametrize("zipped", [True, False])
def test_errors_are_ours_alone(zipped, tmp_path, monkeypatch):
    """torch's own say how to load a file unsafely, in escape sequences of terminals."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.pth"
    torch.save({"a": Shell()}, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for content in (whole, whole[: len(whole) // 2], b"\x80\x02", b"PK\x03\x04", b"nothing"):
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            read_checkpoint(path)
        said = str(caught.value)
        assert said.startswith(f"{path} cannot be read as tensors alone: ")
        assert "\x1b" not in said
        assert "weights_only" not in said
        assert "can still be loaded" not in said
    assert not (tmp_path / "was-here").exists()


def test_groups_come_outermost_first():
    deep = {"a": torch.ones(1), "b": {"c": {"d": torch.ones(1), "n": 3}}, 7: torch.ones(1)}
    assert [(keys, sorted(group)) for keys, group in tensor_groups(deep)] == [
        ("", ["a", "b"]),
        ("b.c", ["d", "n"]),
    ]
    endless: dict = {"a": torch.ones(1)}
    endless["self"] = endless
    assert len(list(tensor_groups(endless))) < 10
