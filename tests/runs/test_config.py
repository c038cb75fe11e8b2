"""The machine of a run: as it began where nothing else is asked for, and said where another."""

from __future__ import annotations

import dataclasses
import logging

import pytest
import torch

from alexnet.devices import Device, cores
from alexnet.runs import config
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


def resume(run_config, device=DEVICE, *, precision="auto", threads=None, exact=False):
    return resume_device(
        run_config, device, precision=precision, threads=threads, exact_convolutions=exact
    )


BY_WINOGRAD = dataclasses.replace(DEVICE, convolutions="winograd")


@pytest.fixture(params=[True, False], ids=["Winograd here", "no Winograd here"])
def has_winograd(request, monkeypatch):
    monkeypatch.setattr(config, "has_winograd", lambda: request.param)
    return request.param


@pytest.mark.parametrize("device", [DEVICE, BY_WINOGRAD])
def test_form_of_convolutions_is_that_of_the_beginning(caplog, has_winograd, device):
    with caplog.at_level(logging.WARNING):
        resumed = resume(begun(convolutions="winograd"), device)
    assert resumed.convolutions == ("winograd" if has_winograd else "torch")
    assert ("convolutions: winograd then, torch now" in caplog.text) is not has_winograd
    assert resume(begun(convolutions="torch"), device).convolutions == "torch"
    assert resume(begun(convolutions="of a later version"), device).convolutions == "torch"


@pytest.mark.usefixtures("has_winograd")
def test_a_run_from_before_there_were_two_forms_goes_on_with_torchs(caplog):
    old = begun()
    del old["device"]["convolutions"]
    with caplog.at_level(logging.WARNING):
        resumed = resume(old, BY_WINOGRAD)
    assert (resumed.convolutions, resumed.reason) == ("torch", "as the run began")
    assert caplog.text == ""


def test_exact_convolutions_are_followed_and_said(caplog):
    with caplog.at_level(logging.WARNING):
        assert resume(begun(convolutions="winograd"), exact=True) == DEVICE
    assert "(convolutions: winograd then, torch now)" in caplog.text


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
