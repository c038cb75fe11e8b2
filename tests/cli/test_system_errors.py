"""What the system refuses: sentences with what to reduce or to free, and no bug."""

from __future__ import annotations

import errno
import os
from typing import Unpack

import numpy as np
import pytest
import torch

from alexnet.cli.system_errors import describe_system_error
from alexnet.errors import is_out_of_memory
from alexnet.recipe import RecipeChanges

TORCH = "[enforce fail at alloc_cpu.cpp:128] err == 0. DefaultCPUAllocator: can't allocate memory"

SHORT_OF_MEMORY = {
    "Python": MemoryError(),
    "the system": OSError(errno.ENOMEM, "Cannot allocate memory"),
    "torch": RuntimeError(f"{TORCH}: you tried to allocate 4e12 bytes. Error code 12"),
    "CUDA": RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    "ONNX Runtime": RuntimeError("Failed to allocate memory for requested buffer of size 1"),
    "C++": RuntimeError("std::bad_alloc"),
}


@pytest.mark.parametrize("error", SHORT_OF_MEMORY.values(), ids=SHORT_OF_MEMORY)
def test_too_little_memory_says_what_to_reduce(error, alexnet, make_verb):
    def work(source: str, *, workers: int = 1, **changes: Unpack[RecipeChanges]) -> None:
        """Work."""
        raise error

    make_verb(work)
    said = alexnet("work", "photos")
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: There is not enough memory")
    words = "Reduce --batch-size, --image-px, --crop-px and --workers, or close other programs"
    assert words in said.err
    assert "Traceback" in alexnet("work", "photos", "--debug").err


def test_what_numpy_and_torch_raise_is_told():
    with pytest.raises(MemoryError) as raised:
        np.empty(1 << 60, dtype=np.uint8)
    assert is_out_of_memory(raised.value)
    with pytest.raises(RuntimeError) as raised:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value), str(raised.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("a shape"), ValueError("out of memory"), KeyError("x"), OSError("odd")]
)
def test_other_errors_are_bugs(error):
    assert not is_out_of_memory(error)
    assert describe_system_error(error, None) is None


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "Free some space on the disk"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "The disk or the connection to it fails"),
        (errno.EPERM, "Look whether it is there, and whether you may use it"),
    ],
)
def test_the_system_is_named(number, words):
    said = describe_system_error(OSError(number, os.strerror(number), "a/b"), None)
    assert said is not None
    assert said.startswith("The system refused at a/b: ")
    assert words in said
