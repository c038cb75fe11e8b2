"""The measurement: limits and workloads in turns, then utilization and advice."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from alexnet.benchmarking import limits, workloads
from alexnet.benchmarking.advice import advice
from alexnet.benchmarking.measurement import Measurement, measure
from alexnet.data import Source, open_source
from alexnet.devices import Precision, choose_device, cores
from alexnet.errors import RecipeError
from alexnet.models import describe_convolutions, summarize_network
from alexnet.nn import describe_normalization
from alexnet.recipes import choose_recipe
from alexnet.records import BenchReport, MachineLimit, Throughput
from alexnet.runs.job import Job, Packing, prepare

__all__ = ["measure_speed"]

_log = logging.getLogger(__name__)

_UNITS = {limits.MEMORY_COPY: "GB/s", limits.JPEG_DECODING: "images/s"}
_PHOTOGRAPHS = 64  # enough that no cache holds their pixels


def measure_speed(
    model: str = "alexnet",
    *,
    batch_size: int = 128,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    rounds: int = 5,
    seconds: float = 1.0,
) -> BenchReport:
    """Measure a model's training, loading, packing and predicting beside the machine's limits.

    Args:
        model: as for `build_model`, with its default sizes.
        batch_size: images of a training step.
        precision: of training; see `choose_device`.
        exact_convolutions: see `choose_device`.
        threads: of arithmetic; see `choose_device`.
        rounds: how often each is measured.
        seconds: of each round; a step that takes longer is done once.

    Raises:
        RecipeError: an unknown model, or a setting out of range.
    """
    if batch_size < 1:
        raise RecipeError(f"batch_size must be at least 1; got {batch_size}.")
    start = time.perf_counter()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    device = choose_device(precision, threads, exact_convolutions=exact_convolutions)
    _log.info("Measuring %s on %s, some seconds for each figure.", model, device.processor)
    files = workloads.make_photographs(_PHOTOGRAPHS)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = workloads.write_folder(
            scratch / "photographs", files, max(batch_size, _PHOTOGRAPHS)
        )
        source = cast("Source", open_source(folder))  # and no Pack
        changes = {"model": model, "batch_size": batch_size, "lr": 1e-6, "schedule": "constant"}
        recipe = choose_recipe(None, {**changes, "val_fraction": 0.0})  # type: ignore[arg-type]
        job = prepare(source, recipe, device=device, packing=Packing(cache="none"))
        pool = stack.enter_context(ThreadPoolExecutor(cores()))
        machine = [
            *(limits.matmul(each, device.kind) for each in limits.MATMUL),
            limits.memory_copy(),
            limits.jpeg_decoding(files, pool),
        ]
        work = [
            *stack.enter_context(workloads.workloads(job)),
            workloads.packing(source, job.network.image_px),
        ]
        measure([*machine, *work], rounds=rounds, seconds=seconds)
    measured = {each.name: each for each in (*machine, *work)}
    throughputs = [
        _throughput(measured[name], *limit) for name, limit in _limits(job, measured).items()
    ]
    report = BenchReport(
        model=model,
        batch_size=batch_size,
        image_px=job.network.image_px,
        crop_px=job.network.crop_px,
        processor=device.processor,
        device=device.kind,
        precision=device.precision,
        convolutions=device.convolutions,
        convolution_layers=describe_convolutions(
            job.network, device.convolutions if device.precision == "fp32" else "torch"
        ),
        precision_reason=device.reason,
        threads=device.threads,
        cores=cores(),
        torch=str(torch.__version__),
        normalization=describe_normalization(job.network, device.kind),
        loading=job.loader.open(),
        limits=[_machine_limit(each) for each in machine],
        throughputs=throughputs,
        advice=[],
        seconds=time.perf_counter() - start,
        out=None,
    )
    return replace(report, advice=advice(report, load))


def _limits(job: Job, measured: dict[str, Measurement]) -> dict[str, tuple[float | None, str]]:
    """Return for each workload what the machine allows, in images/s, and the limit's name."""
    summary = summarize_network(job.network)
    first = next((layer.multiply_adds for layer in summary.layers if layer.multiply_adds), 0)
    forward_gflop = 2 * summary.multiply_adds / 1e9
    step_gflop = 3 * forward_gflop - 2 * first / 1e9  # no gradient for the image
    train_matmul = limits.MATMUL[job.training.device.precision]
    predict_matmul = limits.MATMUL["fp32"]
    crop_size = 3 * job.network.crop_px**2
    bandwidth = measured[limits.MEMORY_COPY].max * 1e9
    # A crop is read as bytes and written as floats, for a GPU as bytes.
    bytes_each = 1 + (4 if job.training.device.kind == "cpu" else 1)
    train = measured[train_matmul].max / step_gflop if step_gflop else None
    predict = measured[predict_matmul].max / forward_gflop if forward_gflop else None
    # One image reads all weights once; a batch shares that.
    weights = bandwidth / (4 * summary.parameters) if summary.parameters else None
    single = min((rate for rate in (predict, weights) if rate), default=None)
    single_by = limits.MEMORY_COPY if single == weights else predict_matmul
    loading = None if job.loader.on_device else bandwidth / (crop_size * bytes_each)
    return {
        workloads.STEP: (train, train_matmul),
        workloads.LOADED_STEP: (measured[workloads.STEP].median, workloads.STEP),
        workloads.LOADING: (loading, limits.MEMORY_COPY),
        workloads.PACKING: (measured[limits.JPEG_DECODING].max, limits.JPEG_DECODING),
        workloads.PREDICTING_BATCHES: (predict, predict_matmul),
        workloads.PREDICTING_SINGLY: (single, single_by),
    }


def _throughput(measured: Measurement, limit: float | None, limited_by: str) -> Throughput:
    return Throughput(
        name=measured.name,
        median=measured.median,
        min=measured.min,
        max=measured.max,
        limit=limit,
        limited_by=limited_by,
    )


def _machine_limit(measured: Measurement) -> MachineLimit:
    unit = _UNITS.get(measured.name, "GFLOP/s")
    return MachineLimit(name=measured.name, unit=unit, max=measured.max, min=measured.min)
