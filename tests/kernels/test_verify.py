"""Kernels are believed after a proof, and only then; what fails is said once."""

from __future__ import annotations

import logging
import types

import pytest
import torch

from alexnet.kernels import verify as proofs
from alexnet.kernels.verify import difference, proven

KERNELS = types.ModuleType("kernels")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(proofs, "_found", {})
    monkeypatch.setattr(proofs, "has_triton", lambda: True)


def test_what_passes_is_used_and_asked_once(caplog):
    asked = []

    def wrong(kernels):
        asked.append(kernels)

    for _ in range(3):
        assert proven("work", lambda: KERNELS, wrong) is KERNELS
    assert asked == [KERNELS]
    assert not caplog.records


def test_what_differs_is_left_aside_with_one_warning(caplog):
    for _ in range(2):
        assert proven("normalisation", lambda: KERNELS, lambda kernels: "y differs by 3") is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        "The fused kernels for normalisation are left aside on this device: y differs by 3. "
        "Torch's operators do the same work, more slowly."
    )


def test_what_does_not_compile_is_left_aside_with_its_first_line(caplog):
    def wrong(kernels):
        raise RuntimeError("ptxas fatal: Unresolved symbol\nand a page of code")

    assert proven("work", lambda: KERNELS, wrong) is None
    assert "on this device: RuntimeError: ptxas fatal: Unresolved symbol. Torch's" in caplog.text
    assert "page of code" not in caplog.text


def test_what_cannot_be_imported_is_left_aside(caplog):
    def load():
        raise ImportError("libcuda.so.1: cannot open shared object file")

    assert proven("work", load, lambda kernels: None) is None
    assert "ImportError: libcuda.so.1" in caplog.text


def test_without_triton_nothing_is_tried_or_said(monkeypatch, caplog):
    monkeypatch.setattr(proofs, "has_triton", lambda: False)
    assert proven("work", lambda: pytest.fail("tried"), lambda kernels: None) is None
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
def test_a_difference_counts_beside_the_largest_number(found, words):
    said = difference("y", torch.tensor(found), torch.tensor([1.0, 100.0]), 1e-5)
    assert (said is None) if words is None else (said or "").startswith(words)
