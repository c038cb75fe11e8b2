"""Advice: each sentence follows from its figures, and none is given without a reason."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from alexnet.benchmarking import limits, work
from alexnet.benchmarking.advice import Situation, advice
from alexnet.records import BenchReport, MachineLimit, SpeedFigure


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Say which packages are there."""
    there = {"numba", "simplejpeg"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    return there


def limit(name, value, least=None):
    least = value if least is None else least
    return MachineLimit(name=name, unit="GFLOP/s", value=value, least=least)


def figure(name, value):
    return SpeedFigure(
        name=name, value=value, least=value, most=value, limit=2 * value, limited_by="x"
    )


def report(*, fp32=100.0, bf16=100.0, figures=None, least=None, **changes):
    values = {
        work.STEP: 50.0,
        work.FED: 50.0,
        work.LOADING: 5000.0,
        work.PACKING: 400.0,
        work.PREDICTING: 90.0,
        work.ONE: 30.0,
        **(figures or {}),
    }
    made = BenchReport(
        model="alexnet",
        batch=128,
        image_px=256,
        crop_px=224,
        processor="a processor",
        kind="cpu",
        precision="fp32",
        reason="measured",
        threads=2,
        cores=2,
        torch="2",
        normalisation=None,
        feeding="pictures cut by one thread, two batches ahead",
        limits=[
            limit(limits.PRODUCTS["fp32"], fp32, least),
            limit(limits.PRODUCTS["bf16"], bf16),
            limit(limits.COPYING, 10.0),
            limit(limits.DECODING, 500.0),
        ],
        figures=[figure(name, value) for name, value in values.items()],
        advice=[],
        seconds=1.0,
        out=None,
    )
    return replace(made, **changes)


def said(made, load=0.0):
    return " ".join(advice(Situation(made, load)))


def test_on_a_quiet_machine_with_everything_only_photographs_are_spoken_of():
    assert said(report()) == (
        "alexnet predict on photographs is limited by the network here, to at most 90 images/s, "
        "which decoding (400) can feed."
    )


def test_decoding_may_be_what_limits():
    text = said(report(figures={work.PACKING: 40.0}))
    assert "limited by decoding here, to at most 40 images/s, not by the network." in text
    assert "The first epoch on a plain folder packs 40 photographs a second" in text


def test_other_programs_are_told_before_all_and_no_blame_is_laid_on_feeding():
    text = said(report(figures={work.FED: 30.0}), load=1.9)
    assert text.startswith("Other programs were at work (a load of 1.9 on 2 cores)")
    assert "Feeding" not in text
    assert (
        "Feeding takes 40 % of a training step: alone it gives 5,000 images/s (pictures cut by one "
        "thread, two batches ahead)."
    ) in said(report(figures={work.FED: 30.0}))


def test_speeds_that_change_are_told():
    assert "products in fp32 reached 50 to 100 GFLOP/s" in said(report(least=50.0))


def test_what_is_not_installed_is_told(installed):
    installed.clear()
    text = said(report())
    assert "numba is not installed" in text
    assert "simplejpeg is not installed" in text
    assert "numba" not in said(report(kind="cuda"))


def test_cores_that_rest_are_told():
    assert "1 of 2 cores compute" in said(report(threads=1))


@pytest.mark.parametrize(
    ("precision", "bf16", "words"),
    [
        ("fp32", 50.0, "bf16 is slow here (0.50 times fp32): leave --precision at auto"),
        ("bf16", 50.0, "bf16 multiplies at 0.50 times the speed of fp32 here."),
        ("bf16", 300.0, "3.0 times as fast as fp32 here: training uses it"),
        ("fp32", 300.0, "3.0 times as fast as fp32 here: --precision auto takes it"),
    ],
)
def test_the_faster_precision_is_told(precision, bf16, words):
    assert words in said(report(precision=precision, bf16=bf16))


def test_a_small_batch_is_told():
    assert "A batch of 16 updates all weights for few pictures." in said(report(batch=16))


def test_where_a_gpu_waits_it_is_told_how_it_is_fed():
    text = said(report(kind="cuda", feeding="pictures on the device", figures={work.FED: 40.0}))
    assert "Feeding takes 20 % of a training step" in text
    assert "5,000 images/s (pictures on the device)" in text
