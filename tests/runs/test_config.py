"""The machine of a run: as it began where nothing else is asked for, and said where another."""

from __future__ import annotations

import logging

import pytest
import torch

from alexnet.devices import Device, cores
from alexnet.runs.config import machine_facts, resume_device

DEVICE = Device(kind="cpu", processor="a", precision="fp32", threads=1, reason="measured")


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def begun(**changes):
    facts = machine_facts(DEVICE)
    return {**facts, "device": {**facts["device"], **changes}}


def resume(config, *, precision="auto", threads=None):
    return resume_device(config, DEVICE, precision=precision, threads=threads)


def test_precision_and_threads_are_those_of_the_beginning(caplog):
    with caplog.at_level(logging.WARNING):
        device = resume(begun(precision="bf16", threads=cores()))
    assert (device.precision, device.threads) == ("bf16", cores())
    assert device.reason == ("as the run began" if device != DEVICE else "measured")
    assert torch.get_num_threads() == cores()
    assert caplog.text == ""


def test_the_options_of_this_call_are_followed_and_said(caplog):
    config = begun(precision="bf16", threads=2)
    with caplog.at_level(logging.WARNING):
        device = resume(config, precision="fp32", threads=1)
    assert device == DEVICE
    words = "(precision: bf16 then, fp32 now; threads: 2 then, 1 now). It goes on, but from here"
    assert words in caplog.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"threads": 100_000}, "threads: 100000 then, 1 now"),
        ({"kind": "cuda", "precision": "bf16"}, "kind: cuda then, cpu now; precision: bf16 then"),
        ({"processor": "b"}, "processor: b then, a now"),
        ({"numba": "0.1"}, "numba: 0.1 then"),
    ],
)
def test_what_cannot_stay_is_said(caplog, changes, words):
    with caplog.at_level(logging.WARNING):
        assert resume(begun(**changes)) == DEVICE
    assert words in caplog.text


def test_another_torch_is_said_and_a_run_that_tells_nothing_goes_on(caplog):
    config = begun()
    config["versions"]["torch"] = "1.0"
    with caplog.at_level(logging.WARNING):
        assert resume(config) == DEVICE
        assert "(torch: 1.0 then, " in caplog.text
        caplog.clear()
        assert resume({}) == DEVICE
    assert caplog.text == ""
