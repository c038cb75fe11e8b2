"""What this machine is asked once: precision by measurement, threads, and what is said."""

from __future__ import annotations

import json
import os
import time

import pytest
import torch

from alexnet.devices import choose_device, cores, machine, peak_memory_mb, processor
from alexnet.devices.speeds import Speeds
from alexnet.errors import RecipeError


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(before)


def speeds(fp32, bf16, *, share=1.0, age_s=0.0):
    return Speeds(fp32=fp32, bf16=bf16, processor_share=share, measured_at=time.time() - age_s)


def test_faster_precision_is_chosen_with_both_speeds_as_reason(monkeypatch):
    for fp32, bf16, chosen in (
        (100.0, 300.0, "bf16"),
        (100.0, 110.0, "fp32"),  # too little to pay for the rounding
        (213.0, 143.0, "fp32"),  # a processor's flag is no proof
    ):
        monkeypatch.setattr(
            "alexnet.devices.speeds.measure_speeds", lambda kind, pair=(fp32, bf16): speeds(*pair)
        )
        monkeypatch.setattr(machine, "processor", lambda chosen=f"{fp32} {bf16}": chosen)
        found = choose_device(threads=1)
        assert found.precision == chosen
        assert f"{fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16" in found.reason
        assert "beside other programs" not in found.reason


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
    with choose_device("bf16", threads=1).autocast():
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    with choose_device("fp32", threads=1).autocast():
        assert layer(torch.ones(1, 4)).dtype == torch.float32
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("able", [True, False])
def test_bf16_without_instructions_is_reported_as_slow(monkeypatch, able):
    monkeypatch.setattr(machine, "supports_bf16", lambda: able)
    reason = choose_device("bf16").reason
    assert ("no instructions for bf16" in reason) is not able
    assert "no instructions" not in choose_device("fp32").reason


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
