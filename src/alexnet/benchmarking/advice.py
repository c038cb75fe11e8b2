"""What to do about it: sentences that follow from the figures and from what is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass

from alexnet.benchmarking import limits, work
from alexnet.records import BenchReport, SpeedFigure

__all__ = ["Situation", "advice"]

_BUSY = 0.3  # of the cores
_UNEVEN = 0.7  # of the best turn
_CLEARLY = 1.15  # times as fast
_UNNOTICED = 0.03  # of a step
_FEW = 64  # pictures of a batch


@dataclass(frozen=True)
class Situation:
    """What was measured, and how busy the machine was before."""

    report: BenchReport
    load: float  # programs that wanted to run, on average over the last minute

    def figure(self, name: str) -> SpeedFigure:
        """Return one figure."""
        return next(each for each in self.report.figures if each.name == name)

    def limit(self, name: str) -> float:
        """Return one of the machine's limits."""
        return next(each.value for each in self.report.limits if each.name == name)


def advice(situation: Situation) -> list[str]:
    """Return sentences, the most important first; one that all is well where nothing is to do."""
    found = [
        *_disturbed(situation),
        *_lacking(situation.report),
        *_threads(situation.report),
        *_precision(situation),
        *_feeding(situation),
        *_batch(situation),
        *_photographs(situation),
    ]
    return found or ["Nothing that a setting or a package could change stands in the way here."]


def _disturbed(situation: Situation) -> Iterator[str]:
    report = situation.report
    if _busy(situation):
        yield (
            f"Other programs were at work (a load of {situation.load:.1f} on {report.cores} "
            "cores), so that every figure is too low. Measure again when they are done."
        )
        return
    uneven = [each for each in report.limits if each.least < _UNEVEN * each.value]
    if uneven:
        worst = min(uneven, key=lambda each: each.least / each.value)
        yield (
            f"The speed of this machine changes: {worst.name} reached {worst.least:,.0f} to "
            f"{worst.value:,.0f} {worst.unit}. Another program may be at work, or the processor "
            "grows hot; measure again, and compare only figures of one run."
        )


def _busy(situation: Situation) -> bool:
    return situation.load > _BUSY * situation.report.cores


def _lacking(report: BenchReport) -> Iterator[str]:
    lacks = {name: importlib.util.find_spec(name) is None for name in ("numba", "simplejpeg")}
    if lacks["numba"] and report.kind == "cpu":
        yield (
            'numba is not installed: pip install "alexnet[fast]" makes one pass of normalisation, '
            "pooling and ReLU, of the momentum rule, and of cutting crops."
        )
    if lacks["simplejpeg"]:
        yield (
            'simplejpeg is not installed: pip install "alexnet[fast]" decodes JPEG files about '
            "half as fast again as Pillow, with the same pixels."
        )


def _threads(report: BenchReport) -> Iterator[str]:
    if report.kind == "cpu" and report.threads < report.cores:
        yield (
            f"{report.threads} of {report.cores} cores compute, as --threads or OMP_NUM_THREADS "
            "says. Unless something else needs them, leave both out."
        )


def _precision(situation: Situation) -> Iterator[str]:
    report = situation.report
    fp32, bf16 = (situation.limit(limits.PRODUCTS[each]) for each in ("fp32", "bf16"))
    if report.precision == "bf16" and bf16 < fp32:
        yield (
            f"bf16 multiplies at {bf16 / fp32:.2f} times the speed of fp32 here. Leave --precision "
            "at auto, or set it to fp32."
        )
    elif bf16 < fp32:
        yield (
            f"bf16 is slow here ({bf16 / fp32:.2f} times fp32): leave --precision at auto, which "
            "takes fp32."
        )
    elif bf16 > _CLEARLY * fp32:
        trains = "training uses it" if report.precision == "bf16" else "--precision auto takes it"
        yield (
            f"bf16 multiplies {bf16 / fp32:.1f} times as fast as fp32 here: {trains}; predict, "
            "evaluate and features answer in fp32 unless --precision bf16 is given."
        )


def _feeding(situation: Situation) -> Iterator[str]:
    fed, step = situation.figure(work.FED), situation.figure(work.STEP)
    taken = 1 - fed.value / step.value
    if taken <= _UNNOTICED or _busy(situation):  # others take turns of their own
        return
    yield (
        f"Feeding takes {100 * taken:.0f} % of a training step: alone it gives "
        f"{situation.figure(work.LOADING).value:,.0f} images/s ({situation.report.feeding}). Train "
        "from a pack of pixels (alexnet pack --store pixels) on a disk that memory can hold, and "
        "leave other programs fewer cores."
    )


def _batch(situation: Situation) -> Iterator[str]:
    batch = situation.report.batch
    if batch < _FEW:
        yield (
            f"A batch of {batch} updates all weights for few pictures. Measure with the batch that "
            "you train with, such as --batch 128."
        )


def _photographs(situation: Situation) -> Iterator[str]:
    decoding = situation.figure(work.PACKING).value
    step, answers = (situation.figure(each).value for each in (work.STEP, work.PREDICTING))
    slower, faster = ("decoding", "the network") if decoding < answers else ("the network", "")
    rest = f", not by {faster}" if faster else f", which decoding ({decoding:,.0f}) can feed"
    yield (
        f"alexnet predict on photographs is limited by {slower} here, to at most "
        f"{min(decoding, answers):,.0f} images/s{rest}."
    )
    if decoding < step:
        yield (
            f"The first epoch on a plain folder packs {decoding:,.0f} photographs a second, later "
            f"ones take {step:,.0f} from the cache. Pack once where several machines train."
        )
