"""How long a measured speed is remembered, by its age and by what else ran meanwhile."""

from __future__ import annotations

import json
import time

import pytest
import torch

from alexnet.devices import choose_device
from alexnet.devices import speeds as module
from alexnet.devices.speeds import Speeds, measure_speeds, remembered_speeds

MINUTE, DAY = 60.0, 24 * 3600.0


SMALL = tuple((1, *each[1:]) for each in module._LAYERS)


@pytest.fixture(autouse=True)
def known_speeds():
    """Nothing is known before: the machine measures."""


def made(fp32=1.0, bf16=2.0, *, winograd=0.5, share=1.0, age_s=0.0):
    return Speeds(
        fp32=fp32,
        winograd=winograd,
        bf16=bf16,
        processor_share=share,
        measured_at=time.time() - age_s,
    )


@pytest.mark.parametrize(
    ("share", "age_s", "again"),
    [
        (1.0, 0, False),
        (1.0, 29 * DAY, False),
        (1.0, 31 * DAY, True),
        (0.5, 5 * MINUTE, False),
        (0.5, 11 * MINUTE, True),
        (1.0, -2 * DAY, True),  # from the future: a clock was set
        (float("nan"), 20 * MINUTE, True),
    ],
)
def test_old_and_busy_measurements_are_made_again(tmp_path, monkeypatch, share, age_s, again):
    file = tmp_path / "speeds.json"
    values = made(share=share, age_s=age_s).to_json()
    file.write_text(json.dumps(values))
    monkeypatch.setattr(module, "measure_speeds", lambda kind: made(30.0, 20.0))
    found = remembered_speeds(file, "cpu")
    assert (found.fp32 == 30.0) is again
    assert json.loads(file.read_text())["fp32"] == found.fp32


def test_of_two_busy_moments_the_higher_speeds_count_and_a_quiet_one_replaces_both(
    tmp_path, monkeypatch
):
    file = tmp_path / "speeds.json"
    before = made(100.0, 90.0, winograd=70.0, share=0.4, age_s=DAY)
    file.write_text(json.dumps(before.to_json()))
    now = made(60.0, 250.0, winograd=180.0, share=0.5)
    monkeypatch.setattr(module, "measure_speeds", lambda kind: now)
    busy = remembered_speeds(file, "cpu")
    assert (busy.fp32, busy.winograd, busy.bf16, busy.quiet) == (100.0, 180.0, 250.0, False)
    file.write_text(json.dumps({**busy.to_json(), "measured_at": time.time() - DAY}))
    monkeypatch.setattr(module, "measure_speeds", lambda kind: made(80.0, 240.0))
    quiet = remembered_speeds(file, "cpu")
    assert (quiet.fp32, quiet.bf16, quiet.quiet) == (80.0, 240.0, True)


def test_a_file_that_knows_no_winograd_is_measured_again(tmp_path, monkeypatch):
    file = tmp_path / "speeds.json"
    values = made(100.0, 90.0).to_json()
    del values["winograd"]
    file.write_text(json.dumps(values))
    monkeypatch.setattr(module, "measure_speeds", lambda kind: made(60.0, 70.0, winograd=80.0))
    assert remembered_speeds(file, "cpu").winograd == 80.0
    assert json.loads(file.read_text())["winograd"] == 80.0


def test_forms_that_are_measured_convolve_alike(monkeypatch):
    """Outputs and gradients are equal within rounding, so the speeds are of the same work."""
    monkeypatch.setattr(module, "_LAYERS", SMALL)
    plans = module._winograd_plans()
    if not plans:
        pytest.skip("there is no Winograd form on this processor")
    from alexnet.kernels.winograd.function import convolution

    def direct(plan, x, weight, bias):
        return torch.nn.functional.conv2d(x, weight, bias, padding=weight.shape[2] // 2)

    results = []
    for form in (convolution, direct):
        found = []
        for plan, (*tensors, gradient) in zip(plans, module._tensors("cpu"), strict=True):
            y = form(plan, *tensors)
            y.backward(gradient)
            found += [y.detach(), *(each.grad for each in tensors)]
        results.append(found)
    for found, wanted in zip(*results, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-4 * float(wanted.abs().max()))


def test_a_form_that_is_missing_is_not_measured(monkeypatch):
    monkeypatch.setattr(module, "_LAYERS", SMALL)
    monkeypatch.setattr(module, "_winograd_plans", list)
    monkeypatch.setattr(module, "supports_bf16", lambda: False)
    monkeypatch.setattr(module, "_MEASURING_S", 0.02)
    found = measure_speeds("cpu")
    assert (found.winograd, found.bf16) == (0.0, 0.0)
    assert found.fp32 > 0
    assert "GFLOP/s in fp32, no instructions for bf16" in found.sentence
    assert "Winograd" not in found.sentence


def test_a_cache_that_cannot_be_written_is_no_obstacle(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(module, "measure_speeds", lambda kind: made())
    assert remembered_speeds(tmp_path / "file" / "speeds.json", "cpu").bf16 == 2.0


def test_busy_moment_is_said_in_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "measure_speeds", lambda kind: made(share=0.3))
    threads = torch.get_num_threads()
    try:
        assert "beside other programs" in choose_device(threads=1).reason
    finally:
        torch.set_num_threads(threads)


def test_processor_time_tells_a_busy_moment(monkeypatch):
    """A clock that runs twice as fast as the processor's stands for a core that is shared."""
    monkeypatch.setattr(module, "_MEASURING_S", 0.05)
    real, start = time.thread_time, time.thread_time()
    monkeypatch.setattr(module.time, "thread_time", lambda: start + (real() - start) / 4)
    found = measure_speeds("cpu")
    assert found.fp32 > 0
    assert found.processor_share <= 0.26
    assert not found.quiet
