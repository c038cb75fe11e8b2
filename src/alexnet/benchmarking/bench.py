"""The whole measurement: limits and work in turns, then shares and advice."""

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

from alexnet.benchmarking import limits, work
from alexnet.benchmarking.advice import Situation, advice
from alexnet.benchmarking.timing import Turns, take_turns
from alexnet.benchmarking.work import photographs, write_folder
from alexnet.data import Source, open_source
from alexnet.devices import Precision, choose_device, cores
from alexnet.errors import RecipeError
from alexnet.models import network_geometry
from alexnet.nn import normalisation_in
from alexnet.recipes import choose_recipe
from alexnet.records import BenchReport, MachineLimit, SpeedFigure
from alexnet.runs.job import Job, Packing, prepare

__all__ = ["measure_speed"]

_log = logging.getLogger(__name__)

_UNITS = {limits.COPYING: "GB/s", limits.DECODING: "images/s"}
_DISTINCT = 64  # photographs that are made; enough that no cache holds their pixels


def measure_speed(
    model: str = "alexnet",
    *,
    batch: int = 128,
    precision: Precision = "auto",
    threads: int | None = None,
    rounds: int = 5,
    seconds: float = 1.0,
) -> BenchReport:
    """Measure a model's training, loading, packing and answers beside what the machine can do.

    Args:
        model: as for `build_model`, with the sizes that it has by itself.
        batch: pictures of a training step.
        precision: of training; see `choose_device`.
        threads: of arithmetic; see `choose_device`.
        rounds: turns that each measurement takes.
        seconds: of each turn; a step that takes longer is done once.

    Raises:
        RecipeError: an unknown model, or a setting out of range.
    """
    if batch < 1:
        raise RecipeError(f"batch must be at least 1 picture; got {batch}.")
    start = time.perf_counter()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    device = choose_device(precision, threads)
    _log.info("Measuring %s on %s, some seconds for each figure.", model, device.processor)
    files = photographs(_DISTINCT)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder = write_folder(scratch / "photographs", files, max(batch, _DISTINCT))
        source = cast("Source", open_source(folder))  # a folder is no pack
        changes = {"model": model, "batch": batch, "lr": 1e-6, "schedule": "constant"}
        recipe = choose_recipe(None, {**changes, "val_fraction": 0.0})  # type: ignore[arg-type]
        job = prepare(source, recipe, device=device, packing=Packing(cache="none"))
        pool = stack.enter_context(ThreadPoolExecutor(cores()))
        most = [
            *(limits.products(each, device.kind) for each in limits.PRODUCTS),
            limits.copying(),
            limits.decoding(files, pool),
        ]
        done = [*stack.enter_context(work.working(job)), _packing(source, job)]
        take_turns([*most, *done], rounds=rounds, seconds=seconds)
    found = {each.name: each for each in (*most, *done)}
    figures = [_figure(found[name], *limit) for name, limit in _limits(job, found).items()]
    report = BenchReport(
        model=model,
        batch=batch,
        image_px=job.network.image_px,
        crop_px=job.network.crop_px,
        processor=device.processor,
        kind=device.kind,
        precision=device.precision,
        reason=device.reason,
        threads=device.threads,
        cores=cores(),
        torch=str(torch.__version__),
        normalisation=normalisation_in(job.network, device.kind),
        feeding=job.loader.open(),
        limits=[_limit(each) for each in most],
        figures=figures,
        advice=[],
        seconds=time.perf_counter() - start,
        out=None,
    )
    return replace(report, advice=advice(Situation(report, load)))


def _packing(source: Source, job: Job) -> Turns:
    return work.packing(source, job.network.image_px)


def _limits(job: Job, found: dict[str, Turns]) -> dict[str, tuple[float | None, str]]:
    """Return for each part of the work what the machine allows, in images/s, and by what."""
    geometry = network_geometry(job.network)
    first = next((each.multiply_adds for each in geometry.layers if each.multiply_adds), 0)
    forward = 2 * geometry.multiply_adds / 1e9
    step = 3 * forward - 2 * first / 1e9  # no gradient for the picture
    fed_by = limits.PRODUCTS[job.training.device.precision]
    answered_by = limits.PRODUCTS["fp32"]
    numbers = 3 * job.network.crop_px**2
    bandwidth = found[limits.COPYING].most * 1e9
    made = 1 + (4 if job.training.device.kind == "cpu" else 1)  # bytes a number, read and written
    there = job.loader.on_device  # and no memory of the processor's is copied
    at_once = found[answered_by].most / forward if forward else None
    reading = bandwidth / (4 * geometry.parameters) if geometry.parameters else None
    one = min((each for each in (at_once, reading) if each), default=None)
    return {
        work.STEP: (found[fed_by].most / step if step else None, fed_by),
        work.FED: (found[work.STEP].median, work.STEP),
        work.LOADING: (None if there else bandwidth / (numbers * made), limits.COPYING),
        work.PACKING: (found[limits.DECODING].most, limits.DECODING),
        work.PREDICTING: (at_once, answered_by),
        work.ONE: (one, limits.COPYING if one == reading else answered_by),
    }


def _figure(turns: Turns, limit: float | None, limited_by: str) -> SpeedFigure:
    return SpeedFigure(
        name=turns.name,
        value=turns.median,
        least=turns.least,
        most=turns.most,
        limit=limit,
        limited_by=limited_by,
    )


def _limit(turns: Turns) -> MachineLimit:
    unit = _UNITS.get(turns.name, "GFLOP/s")
    return MachineLimit(name=turns.name, unit=unit, value=turns.most, least=turns.least)
