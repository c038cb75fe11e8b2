"""Advice on speed: sentences that follow from the measurements and the installed packages."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from alexnet.benchmarking import limits, workloads
from alexnet.records import BenchReport

__all__ = ["advice"]

_BUSY_LOAD = 0.3  # of the cores
_UNSTEADY = 0.7  # of the best round
_CLEARLY_FASTER = 1.15
_NEGLIGIBLE = 0.03  # of a step
_SMALL_BATCH = 64


def advice(report: BenchReport, load: float) -> list[str]:
    """Return sentences, the most important first; one that all is well where there is none.

    Args:
        report: what was measured.
        load: programs that wanted to run before, on average over the last minute.
    """
    sentences = [
        *_on_disturbances(report, load),
        *_on_packages(report),
        *_on_threads(report),
        *_on_precision(report),
        *_on_convolutions(report),
        *_on_loading(report, load),
        *_on_batch_size(report),
        *_on_photographs(report),
    ]
    return sentences or ["No setting and no package would make it faster here."]


def _rate(report: BenchReport, workload: str) -> float:
    return next(each.median for each in report.throughputs if each.name == workload)


def _limit(report: BenchReport, name: str) -> float:
    return next(each.max for each in report.limits if each.name == name)


def _is_busy(report: BenchReport, load: float) -> bool:
    return load > _BUSY_LOAD * report.cores


def _on_disturbances(report: BenchReport, load: float) -> Iterator[str]:
    if _is_busy(report, load):
        yield (
            f"Other programs were at work (a load of {load:.1f} on {report.cores} cores), so that "
            "every rate is too low. Measure again when they are done."
        )
        return
    unsteady = [each for each in report.limits if each.min < _UNSTEADY * each.max]
    if unsteady:
        worst = min(unsteady, key=lambda each: each.min / each.max)
        yield (
            f"The speed of this machine changes: {worst.name} reached {worst.min:,.0f} to "
            f"{worst.max:,.0f} {worst.unit}. Another program may be at work, or the processor "
            "grows hot; measure again, and compare only rates of one run."
        )


def _on_packages(report: BenchReport) -> Iterator[str]:
    missing = {name: importlib.util.find_spec(name) is None for name in ("numba", "simplejpeg")}
    if missing["numba"] and report.device == "cpu":
        yield (
            'numba is not installed: pip install "alexnet[fast]" convolves with fewer '
            "multiplications, and fuses normalization, pooling and ReLU, the optimizer's step, and "
            "the cropping of images."
        )
    if missing["simplejpeg"]:
        yield (
            'simplejpeg is not installed: pip install "alexnet[fast]" decodes JPEG files about '
            "half as fast again as Pillow, with the same pixels."
        )


def _on_threads(report: BenchReport) -> Iterator[str]:
    if report.device == "cpu" and report.threads < report.cores:
        yield (
            f"{report.threads} of {report.cores} cores compute, as --threads or OMP_NUM_THREADS "
            "says. Unless something else needs them, leave both out."
        )


def _on_precision(report: BenchReport) -> Iterator[str]:
    fp32, bf16 = (_limit(report, limits.MATMUL[each]) for each in ("fp32", "bf16"))
    if report.precision == "bf16" and bf16 < fp32:
        yield (
            f"bf16 multiplies at {bf16 / fp32:.2f} times the speed of fp32 here. Leave --precision "
            "at auto, or set it to fp32."
        )
    elif bf16 < fp32:
        yield (
            f"bf16 is slow here ({bf16 / fp32:.2f} times fp32): leave --precision at auto, which "
            "chooses fp32."
        )
    elif bf16 > _CLEARLY_FASTER * fp32:
        used = "training uses it"
        if report.precision != "bf16":
            used = (
                "in fp32 Winograd's convolutions make up for it"
                if report.convolutions == "winograd"
                else "--precision auto chooses it"
            )
        yield (
            f"bf16 multiplies {bf16 / fp32:.1f} times as fast as fp32 here: {used}; predict, "
            "evaluate and features compute in fp32 unless --precision bf16 is given."
        )


def _on_convolutions(report: BenchReport) -> Iterator[str]:
    products = {*limits.MATMUL.values()}
    past = [each for each in report.throughputs if each.limited_by in products]
    if report.convolutions == "winograd" and any((each.utilization or 0) > 1 for each in past):
        yield (
            "Convolutions in Winograd's form take fewer multiplications than their limit counts: "
            "more than 100 % is no mistake."
        )


def _on_loading(report: BenchReport, load: float) -> Iterator[str]:
    loaded, step = _rate(report, workloads.LOADED_STEP), _rate(report, workloads.STEP)
    fraction = 1 - loaded / step
    if fraction <= _NEGLIGIBLE or _is_busy(report, load):  # other programs slow the loader, too
        return
    yield (
        f"Loading takes {100 * fraction:.0f} % of a training step: by itself it reaches "
        f"{_rate(report, workloads.LOADING):,.0f} images/s ({report.loading}). Train from a "
        "pack of pixels (alexnet pack --store pixels) that fits into memory, and leave other "
        "programs fewer cores."
    )


def _on_batch_size(report: BenchReport) -> Iterator[str]:
    if report.batch_size < _SMALL_BATCH:
        yield (
            f"A batch of {report.batch_size} updates all weights for few images. Measure with the "
            "batch size that you train with, such as --batch-size 128."
        )


def _on_photographs(report: BenchReport) -> Iterator[str]:
    decoding, step = _rate(report, workloads.PACKING), _rate(report, workloads.STEP)
    network = _rate(report, workloads.PREDICTING_BATCHES)
    if decoding < network:
        yield (
            "alexnet predict on photographs is limited by decoding here, to at most "
            f"{decoding:,.0f} images/s, not by the network."
        )
    else:
        yield (
            "alexnet predict on photographs is limited by the network here, to at most "
            f"{network:,.0f} images/s; decoding reaches {decoding:,.0f}."
        )
    if decoding < step:
        yield (
            f"The first epoch on a plain folder packs {decoding:,.0f} photographs a second, later "
            f"ones train on {step:,.0f} from the cache. Pack once where several machines train."
        )
