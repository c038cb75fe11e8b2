"""`alexnet bench`: how fast a model is on this machine, and what limits it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alexnet.commands.arguments import optional_path
from alexnet.commands.processes import launch_processes
from alexnet.devices import Precision
from alexnet.records import BenchReport, SharedSteps

__all__ = ["bench"]

_ROUNDS, _SECONDS = 5, 1.0
_QUICK_ROUNDS, _QUICK_SECONDS = 2, 0.15
_BATCH, _QUICK_BATCH = 128, 16


def bench(
    model: str = "alexnet",
    *,
    batch_size: int | None = None,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    quick: bool = False,
    processes: int | None = None,
    out: Path | str | None = None,
) -> BenchReport | SharedSteps:
    """Measure how fast a model is here, how far from this machine's limits, and what to do.

    Training, loading, packing and predicting are measured in turns with matrix products, memory
    copies and JPEG decoding, which limit them. It needs no images and trains nothing of yours.

    Args:
        model: as for train, with its default sizes.
        batch_size: images of a training step; none: 128, with --quick 16.
        precision: of training; auto measures which is faster here.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        threads: threads of arithmetic; none: every core.
        quick: some seconds instead of a minute or two; the rates vary more.
        processes: measure training steps of so many processes of this machine, too: seconds,
            bytes that are sent and losses, in each way of sharing the network.
        out: JSON file to write the report to.

    Returns:
        Throughput, limits and advice; of a call by a launcher of several processes, their steps.

    Raises:
        RecipeError: an unknown model, or an invalid setting.
        RunError: the file cannot be written.
    """
    from alexnet.benchmarking import measure_shared_steps, measure_speed
    from alexnet.distributed import launched, together
    from alexnet.files import write_json
    from alexnet.trust import trusting

    if batch_size is None:
        batch_size = _QUICK_BATCH if quick else _BATCH
    if launched() != (0, 1):
        with together(), trusting(model):
            return measure_shared_steps(
                model,
                batch_size=batch_size,
                precision=precision,
                exact_convolutions=exact_convolutions,
                threads=threads,
            )
    with trusting(model):
        report = measure_speed(
            model,
            batch_size=batch_size,
            precision=precision,
            exact_convolutions=exact_convolutions,
            threads=threads,
            rounds=_QUICK_ROUNDS if quick else _ROUNDS,
            seconds=_QUICK_SECONDS if quick else _SECONDS,
        )
    shared = launch_processes(processes, "bench")
    if shared is not None:
        report = replace(report, shared=SharedSteps.from_json(shared))
    path = optional_path(out)
    if path is None:
        return report
    report = replace(report, out=str(path))
    write_json(path, report.to_json())
    return report
