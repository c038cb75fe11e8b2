"""Each sentence follows from its measurements, and none is given without a reason."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from alexnet.benchmarking import limits, workloads
from alexnet.benchmarking.advice import advice
from alexnet.records import BenchReport, MachineLimit, Throughput


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Return the set of installed packages, to be changed."""
    there = {"numba", "simplejpeg"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    return there


def limit(name, value, lowest=None):
    lowest = value if lowest is None else lowest
    return MachineLimit(name=name, unit="GFLOP/s", max=value, min=lowest)


def throughput(name, value):
    return Throughput(
        name=name, median=value, min=value, max=value, limit=2 * value, limited_by="x"
    )


def report(*, fp32=100.0, bf16=100.0, rates=None, lowest=None, **changes):
    values = {
        workloads.STEP: 50.0,
        workloads.LOADED_STEP: 50.0,
        workloads.LOADING: 5000.0,
        workloads.PACKING: 400.0,
        workloads.PREDICTING_BATCHES: 90.0,
        workloads.PREDICTING_SINGLY: 30.0,
        **(rates or {}),
    }
    made = BenchReport(
        model="alexnet",
        batch_size=128,
        image_px=256,
        crop_px=224,
        processor="a processor",
        device="cpu",
        precision="fp32",
        precision_reason="measured",
        threads=2,
        cores=2,
        torch="2",
        normalization=None,
        loading="images cut by one thread, two batches ahead",
        limits=[
            limit(limits.MATMUL["fp32"], fp32, lowest),
            limit(limits.MATMUL["bf16"], bf16),
            limit(limits.MEMORY_COPY, 10.0),
            limit(limits.JPEG_DECODING, 500.0),
        ],
        throughputs=[throughput(name, value) for name, value in values.items()],
        advice=[],
        seconds=1.0,
        out=None,
    )
    return replace(made, **changes)


def sentences(bench_report, load=0.0):
    return " ".join(advice(bench_report, load))


def test_a_quiet_machine_with_all_packages():
    assert sentences(report()) == (
        "alexnet predict on photographs is limited by the network here, to at most 90 images/s; "
        "decoding reaches 400."
    )


def test_decoding_as_the_limit():
    text = sentences(report(rates={workloads.PACKING: 40.0}))
    assert "limited by decoding here, to at most 40 images/s, not by the network." in text
    assert "The first epoch on a plain folder packs 40 photographs a second" in text


def test_other_programs_come_first_and_loading_is_not_blamed():
    text = sentences(report(rates={workloads.LOADED_STEP: 30.0}), load=1.9)
    assert text.startswith("Other programs were at work (a load of 1.9 on 2 cores)")
    assert "Loading" not in text
    assert (
        "Loading takes 40 % of a training step: by itself it reaches 5,000 images/s (images cut "
        "by one thread, two batches ahead)."
    ) in sentences(report(rates={workloads.LOADED_STEP: 30.0}))


def test_unsteady_speed():
    assert "matmul, fp32 reached 50 to 100 GFLOP/s" in sentences(report(lowest=50.0))


def test_missing_packages(installed):
    installed.clear()
    text = sentences(report())
    assert "numba is not installed" in text
    assert "simplejpeg is not installed" in text
    assert "numba" not in sentences(report(device="cuda"))


def test_unused_cores():
    assert "1 of 2 cores compute" in sentences(report(threads=1))


@pytest.mark.parametrize(
    ("precision", "bf16", "words"),
    [
        ("fp32", 50.0, "bf16 is slow here (0.50 times fp32): leave --precision at auto"),
        ("bf16", 50.0, "bf16 multiplies at 0.50 times the speed of fp32 here."),
        ("bf16", 300.0, "3.0 times as fast as fp32 here: training uses it"),
        ("fp32", 300.0, "3.0 times as fast as fp32 here: --precision auto chooses it"),
    ],
)
def test_faster_precision(precision, bf16, words):
    assert words in sentences(report(precision=precision, bf16=bf16))


def test_small_batches():
    assert "A batch of 16 updates all weights for few images." in sentences(report(batch_size=16))


def test_loading_for_a_gpu():
    text = sentences(
        report(device="cuda", loading="images on the device", rates={workloads.LOADED_STEP: 40.0})
    )
    assert "Loading takes 20 % of a training step" in text
    assert "5,000 images/s (images on the device)" in text
