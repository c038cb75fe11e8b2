"""`alexnet bench`: how fast it is on this machine, and what stands in the way."""

from __future__ import annotations

from dataclasses import replace

from alexnet.commands.signature import Place, optional_path
from alexnet.devices import Precision
from alexnet.records import BenchReport

__all__ = ["bench"]

_ROUNDS, _SECONDS = 5, 1.0
_QUICK_ROUNDS, _QUICK_SECONDS = 2, 0.15
_BATCH, _QUICK_BATCH = 128, 16


def bench(
    model: str = "alexnet",
    *,
    batch: int | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
    quick: bool = False,
    out: Place | None = None,
) -> BenchReport:
    """Measure how fast a model is here, how far from this machine's limits, and what to do.

    Training, feeding, packing and answering take turns with products of matrices, copies and
    decoding, which nothing can be faster than. It needs no pictures and trains nothing of yours.

    Args:
        model: as for train, with the sizes that it has by itself.
        batch: pictures of a training step; none: 128, with --quick 16.
        precision: of training; auto measures which is faster here.
        threads: threads of arithmetic; none: every core.
        quick: some seconds instead of a minute or two; the figures vary more.
        out: JSON file to write the report to.

    Returns:
        The figures, the limits, and advice.

    Raises:
        RecipeError: an unknown model, or a setting that cannot work.
        RunError: the file cannot be written.
    """
    from alexnet.benchmarking import measure_speed
    from alexnet.files import write_json
    from alexnet.trust import trusting

    with trusting(model):
        report = measure_speed(
            model,
            batch=(_QUICK_BATCH if quick else _BATCH) if batch is None else batch,
            precision=precision,
            threads=threads,
            rounds=_QUICK_ROUNDS if quick else _ROUNDS,
            seconds=_QUICK_SECONDS if quick else _SECONDS,
        )
    place = optional_path(out)
    if place is None:
        return report
    report = replace(report, out=str(place))
    write_json(place, report.to_json())
    return report
