"""The machine of a run: kept to where nothing else is asked, and said where it is another."""

from __future__ import annotations

import logging

import pytest
import torch

from alexnet.devices import Device, cores
from alexnet.runs.identity import kept_device, machine_facts

DEVICE = Device(kind="cpu", processor="a", precision="fp32", threads=1, reason="measured")


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def begun(**changes):
    facts = machine_facts(DEVICE)
    return {**facts, "device": {**facts["device"], **changes}}


def keep(asked, *, precision="auto", threads=None):
    return kept_device(asked, DEVICE, precision=precision, threads=threads)


def test_precision_and_threads_are_those_of_the_beginning(caplog):
    with caplog.at_level(logging.WARNING):
        kept = keep(begun(precision="bf16", threads=cores()))
    assert (kept.precision, kept.threads) == ("bf16", cores())
    assert kept.reason == ("as the run began" if kept != DEVICE else "measured")
    assert torch.get_num_threads() == cores()
    assert caplog.text == ""


def test_what_is_asked_for_now_is_done_and_said(caplog):
    asked = begun(precision="bf16", threads=2)
    with caplog.at_level(logging.WARNING):
        kept = keep(asked, precision="fp32", threads=1)
    assert kept == DEVICE
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
def test_what_cannot_be_kept_is_said(caplog, changes, words):
    with caplog.at_level(logging.WARNING):
        assert keep(begun(**changes)) == DEVICE
    assert words in caplog.text


def test_another_torch_is_said_and_a_run_that_tells_nothing_goes_on(caplog):
    asked = begun()
    asked["versions"]["torch"] = "1.0"
    with caplog.at_level(logging.WARNING):
        assert keep(asked) == DEVICE
        assert "(torch: 1.0 then, " in caplog.text
        caplog.clear()
        assert keep({}) == DEVICE
    assert caplog.text == ""
