"""What this machine is asked once: precision by measurement, threads, and what is said."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from alexnet.devices import (
    Device,
    choose_device,
    convolution_form,
    convolving,
    cores,
    machine,
    peak_memory_mb,
    processor,
)
from alexnet.devices.speeds import Speeds
from alexnet.errors import RecipeError


@pytest.fixture(autouse=True)
def known_speeds():
    """Nothing is known before: the machine measures."""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("alexnet.devices.speeds._MEASURING_S", 0.02)
    monkeypatch.setattr("alexnet.devices.speeds._LAYERS", ((1, 32, 32, 13, 3),))
    before = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(before)


def speeds(fp32, bf16, *, winograd=0.0):
    return Speeds(
        fp32=fp32,
        winograd=winograd,
        bf16=bf16,
        processor_share=1.0,
        measured_at=time.time(),
    )


@pytest.fixture
def measured(monkeypatch):
    """Let the measurement come to given speeds."""

    def come_to(*args, **kwargs):
        found = speeds(*args, **kwargs)
        monkeypatch.setattr("alexnet.devices.speeds.measure_speeds", lambda kind: found)
        monkeypatch.setattr(machine, "processor", lambda: str(found))

    return come_to


def test_faster_precision_is_chosen_with_both_speeds_as_reason(measured):
    for fp32, bf16, chosen in (
        (100.0, 300.0, "bf16"),
        (100.0, 110.0, "fp32"),  # too little to pay for the rounding
        (213.0, 143.0, "fp32"),  # a processor's flag is no proof
    ):
        measured(fp32, bf16)
        found = choose_device(threads=1)
        assert found.precision == chosen
        assert f"{fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16" in found.reason
        assert "beside other programs" not in found.reason


@pytest.mark.parametrize(
    ("fp32", "winograd", "bf16", "precision", "form"),
    [
        (100.0, 180.0, 300.0, "bf16", "winograd"),  # validation computes in fp32
        (100.0, 180.0, 200.0, "fp32", "winograd"),  # bf16 is too little faster than Winograd
        (100.0, 90.0, 110.0, "fp32", "torch"),
        (100.0, 90.0, 120.0, "bf16", "torch"),
        (100.0, 0.0, 0.0, "fp32", "torch"),  # neither numba nor instructions for bf16
    ],
)
def test_fastest_of_three_forms_is_chosen(measured, fp32, winograd, bf16, precision, form):
    measured(fp32, bf16, winograd=winograd)
    found = choose_device(threads=1)
    assert (found.precision, found.convolutions) == (precision, form)
    for speed, words in ((fp32, "in fp32"), (winograd, "by Winograd"), (bf16, "in bf16")):
        said = f"{speed:.0f} GFLOP/s {words}" if words == "in fp32" else f"{speed:.0f} {words}"
        assert (said in found.reason) is (speed > 0)


def test_form_of_convolutions_is_measured_for_any_precision_unless_exact_ones_are_asked_for(
    measured,
):
    measured(100.0, 150.0, winograd=200.0)
    for precision in ("fp32", "bf16"):
        found = choose_device(precision, threads=1)
        assert (found.precision, found.convolutions) == (precision, "winograd")
        assert "as requested; " in found.reason
        assert "200 by Winograd" in found.reason
        exact = choose_device(precision, threads=1, exact_convolutions=True)
        assert (exact.precision, exact.convolutions) == (precision, "torch")
        assert exact.reason.startswith("precision and exact convolutions as requested")
    exact = choose_device(threads=1, exact_convolutions=True)
    assert (exact.precision, exact.convolutions) == ("bf16", "torch")  # against torch's fp32
    assert exact.reason.startswith("exact convolutions as requested; measured: ")


def test_a_gpu_has_no_winograd(measured, monkeypatch):
    measured(100.0, 50.0, winograd=0.0)
    monkeypatch.setattr(machine, "accelerator_name", lambda: "a card")
    monkeypatch.setattr(machine, "_use_exact_deterministic_kernels", lambda: None)
    found = choose_device("fp32", threads=1)
    assert (found.kind, found.convolutions, found.reason) == ("cuda", "torch", "as requested")


def test_arithmetic_is_that_of_the_device_inside_the_block_alone():
    device = choose_device("fp32", threads=1, exact_convolutions=True)
    by_winograd = dataclasses.replace(device, convolutions="winograd")
    assert convolution_form() == "torch"
    with by_winograd.arithmetic():
        assert convolution_form() == "winograd"
        assert in_thread(convolution_form) == "torch"
        with convolving(None):
            assert convolution_form() == "winograd"
        with device.arithmetic():
            assert convolution_form() == "torch"
        assert convolution_form() == "winograd"
    with pytest.raises(ZeroDivisionError), by_winograd.arithmetic():
        _ = 1 / 0
    assert convolution_form() == "torch"


def in_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_a_device_of_an_older_journal_convolved_as_torch():
    device = choose_device("fp32", threads=1, exact_convolutions=True)
    values = device.to_json()
    del values["convolutions"]
    assert Device(**values) == device


def test_measurement_is_cached_and_a_damaged_cache_is_replaced(own_cache, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "alexnet.devices.speeds.measure_speeds",
        lambda kind: calls.append(kind) or speeds(1.0, 2.0),
    )
    assert [choose_device(threads=1).precision for _ in range(3)] == ["bf16"] * 3
    assert len(calls) == 1
    (kept,) = (own_cache / "measured").iterdir()
    values = json.loads(kept.read_text())
    assert (values["fp32"], values["bf16"], values["processor_share"]) == (1.0, 2.0, 1.0)
    kept.write_text('{"fp32": ')
    choose_device(threads=1)
    assert len(calls) == 2
    kept.write_text('{"fp32": 1.0, "bf16": 2.0}')  # as older versions wrote it: of when, unknown
    choose_device(threads=1)
    assert len(calls) == 3


def test_measurement_leaves_the_global_generator_alone(monkeypatch):
    monkeypatch.setattr("alexnet.devices.speeds._MEASURING_S", 0.02)
    torch.manual_seed(1)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    found = choose_device(threads=1)
    assert torch.equal(torch.rand(3), wanted)
    assert found.precision in ("fp32", "bf16")
    assert json.loads(json.dumps(found.to_json()))["threads"] == 1


def test_threads_are_those_asked_for_else_every_core(monkeypatch):
    assert choose_device("fp32", threads=3).threads == torch.get_num_threads() == 3
    assert choose_device("fp32").threads == cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_device("fp32").threads == torch.get_num_threads() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert choose_device("fp32").threads == cores() == len(os.sched_getaffinity(0))


def test_invalid_threads_and_precision_raise():
    with pytest.raises(RecipeError, match="threads must be at least 1; got 0"):
        choose_device("fp32", threads=0)
    with pytest.raises(RecipeError, match='precision must be "auto", "fp32" or "bf16"; got "fp8"'):
        choose_device("fp8")  # type: ignore[arg-type]


def test_bf16_is_for_products_and_parameters_stay_fp32():
    layer = torch.nn.Linear(4, 4)
    with choose_device("bf16", threads=1).arithmetic():
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with choose_device("fp32", threads=1).arithmetic():
        assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("able", [True, False])
def test_bf16_without_instructions_is_reported_as_slow(monkeypatch, able):
    monkeypatch.setattr(machine, "supports_bf16", lambda: able)
    reason = choose_device("bf16").reason
    assert ("takes many times as long" in reason) is not able
    assert "takes many times as long" not in choose_device("fp32").reason


def test_on_a_gpu_fp32_is_fp32_and_sums_are_made_in_a_fixed_order(monkeypatch):
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = (cudnn.deterministic, cudnn.benchmark, cuda.allow_bf16_reduced_precision_reduction)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a card")
    try:
        cudnn.allow_tf32 = cudnn.benchmark = True
        assert choose_device("fp32", threads=1).kind == "cuda"
        assert not cuda.allow_tf32
        assert not cudnn.allow_tf32
        assert not cuda.allow_bf16_reduced_precision_reduction
        assert (cudnn.deterministic, cudnn.benchmark) == (True, False)
    finally:
        cudnn.deterministic, cudnn.benchmark, cuda.allow_bf16_reduced_precision_reduction = before
        cudnn.allow_tf32 = True


def test_networks_are_placed_channels_last():
    layer = choose_device("fp32", threads=1).place(torch.nn.Conv2d(3, 8, 3))
    weight = next(layer.parameters())
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_processor_name_and_peak_memory():
    assert processor()
    assert (peak_memory_mb() or 0) > 10


def test_waiting_threads_yield_unless_the_environment_says_otherwise(monkeypatch):
    monkeypatch.setattr(os, "environ", {})
    machine.share_cores()
    assert os.environ == {"GOMP_SPINCOUNT": "3000"}
    for said in ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "active"}):
        monkeypatch.setattr(os, "environ", dict(said))
        machine.share_cores()
        assert os.environ == said


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_what_was_freed_is_kept_until_it_is_given_back():
    """In a process of its own: what others have freed in this one may lie beside it."""
    program = """
import os
from pathlib import Path
import torch
from alexnet.devices import choose_device, return_freed_memory

def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

choose_device("fp32", 1, exact_convolutions=True)
torch.ones(25_000_000)  # 100 MB, let go at once
kept = resident_mb()
return_freed_memory()
assert resident_mb() < kept - 90, (resident_mb(), kept)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
