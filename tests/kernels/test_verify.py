"""Kernels are used after they were verified, and only then; a failure is logged once."""

from __future__ import annotations

import logging
import types

import pytest
import torch

from alexnet.kernels import verify
from alexnet.kernels.verify import mismatch, verified_kernels

KERNELS = types.ModuleType("kernels")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(verify, "_verified", {})
    monkeypatch.setattr(verify, "has_triton", lambda: True)


def test_kernels_that_pass_are_used_and_verified_once(caplog):
    verified = []

    def find_mismatch(kernels):
        verified.append(kernels)

    for _ in range(3):
        assert verified_kernels("work", lambda: KERNELS, find_mismatch) is KERNELS
    assert verified == [KERNELS]
    assert not caplog.records


def test_kernels_that_differ_are_not_used_with_one_warning(caplog):
    for _ in range(2):
        assert (
            verified_kernels("normalization", lambda: KERNELS, lambda kernels: "y differs by 3")
            is None
        )
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "The fused kernels for normalization are not used on this device: y differs by 3. "
        "Torch's operators do the same work, more slowly."
    )


def test_kernels_that_do_not_compile_are_not_used(caplog):
    def find_mismatch(kernels):
        raise RuntimeError("ptxas fatal: Unresolved symbol\nand a page of code")

    assert verified_kernels("work", lambda: KERNELS, find_mismatch) is None
    assert "on this device: RuntimeError: ptxas fatal: Unresolved symbol. Torch's" in caplog.text
    assert "page of code" not in caplog.text


def test_kernels_that_cannot_be_imported_are_not_used(caplog):
    def load():
        raise ImportError("libcuda.so.1: cannot open shared object file")

    assert verified_kernels("work", load, lambda kernels: None) is None
    assert "ImportError: libcuda.so.1" in caplog.text


def test_without_triton_nothing_is_verified_or_logged(monkeypatch, caplog):
    monkeypatch.setattr(verify, "has_triton", lambda: False)
    assert verified_kernels("work", lambda: pytest.fail("tried"), lambda kernels: None) is None
    assert not caplog.records


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([1.0, 100.0], None),
        ([1.0005, 100.0], None),
        ([1.5, 100.0], "y differs by 0.5 where the largest number is 1e+02"),
        ([float("nan"), 100.0], "y differs by nan"),
        ([float("inf"), 100.0], "y differs by inf"),
    ],
)
def test_mismatch_is_relative_to_the_largest_number(found, words):
    said = mismatch("y", torch.tensor(found), torch.tensor([1.0, 100.0]), 1e-5)
    assert (said is None) if words is None else (said or "").startswith(words)
