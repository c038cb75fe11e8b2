"""Writing weights for other programs: write, hold against the original, keep or throw away."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from alexnet.errors import SourceError, WeightsError
from alexnet.exporters.compare import Batch, Comparison, asked, compare, made_pictures, reference
from alexnet.exporters.onnx.model import open_onnx, write_onnx
from alexnet.exporters.openvino import open_openvino, write_openvino
from alexnet.exporters.request import (
    ExportRequest,
    Precision,
    Runnable,
    open_safetensors,
    takes_in_words,
    write_safetensors,
)
from alexnet.exporters.torchscript import open_torchscript, write_torchscript
from alexnet.files import disk_errors, replace_file
from alexnet.records import ExportReport
from alexnet.text import counted
from alexnet.weights import Weights

__all__ = ["BOUNDS", "ExportFormat", "export_weights"]

ExportFormat = Literal["onnx", "torchscript", "openvino", "safetensors"]

BOUNDS: Mapping[Precision, float] = {"fp32": 1e-4, "fp16": 0.02, "int8": 0.1}
"""How far a file may be from its weights.

For fp32 and fp16 the largest difference of two numbers, over the largest number where that is above
1; for int8 the share of probability that moves from one class to another in the mean picture.
"""


@dataclass(frozen=True)
class Exporter:
    """A form of file: how it is written, and how it is opened again by a program that runs it."""

    write: Callable[[Weights, ExportRequest, Path], None]
    open: Callable[[Path], Runnable]


EXPORTERS: Mapping[ExportFormat, Exporter] = {
    "onnx": Exporter(write_onnx, open_onnx),
    "torchscript": Exporter(write_torchscript, open_torchscript),
    "openvino": Exporter(write_openvino, open_openvino),
    "safetensors": Exporter(write_safetensors, open_safetensors),
}


def export_weights(
    weights: Weights,
    request: ExportRequest,
    *,
    to: ExportFormat,
    out: Path,
    batches: Callable[[], Iterator[Batch]] | None = None,
) -> ExportReport:
    """Write weights in another form, and keep the file only if it answers as they do.

    Args:
        weights: what is written.
        request: how.
        to: the form.
        out: file to write; it is as it was where anything goes wrong.
        batches: gives the pictures to check on; None: some that are made here.

    Raises:
        WeightsError: what cannot be written so, or a file that answers otherwise than its weights.
        SourceError: no picture to check on.
        RunError: the disk refuses.
    """
    exporter = EXPORTERS[to]
    rule = weights.preprocessing
    pictures = batches() if batches else iter([(made_pictures(rule.image_px), None)])
    with disk_errors(out), tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, out.name)
        exporter.write(weights, request, written)
        opened = exporter.open(written)
        wanted, found = reference(weights, request), asked(opened, rule, request)
        comparison = compare(
            wanted, found, pictures, weights.classes, logits=request.gives == "logits"
        )
        _judge(comparison, request, out)
        size = _keep(written, out)
    report = ExportReport(
        out=str(out),
        format=to,
        precision=request.precision,
        bytes=size,
        model=weights.model,
        classes=len(weights.classes),
        takes="picture files" if to == "safetensors" else takes_in_words(rule, request),
        gives=f"{request.gives}, float32 (N, {len(weights.classes)})",
        runtime=opened.runtime,
        pictures=comparison.pictures,
        made=batches is None,
        largest_difference=comparison.difference,
        moved=comparison.moved,
        bound=BOUNDS[request.precision],
        same_class=comparison.same_class,
    )
    return replace(report, **_shares(comparison))


def _judge(found: Comparison, request: ExportRequest, out: Path) -> None:
    if not found.pictures:
        raise SourceError("There is no picture to check the file on. Name others after --check.")
    bound = BOUNDS[request.precision]
    if request.precision == "int8":
        apart, what = found.moved, "of the probability moves"
    else:
        apart, what = found.difference, "is the largest difference of two numbers"
    if not apart <= bound:
        raise WeightsError(
            f"The file for {out} would not answer as the weights do: on "
            f"{counted(found.pictures, 'picture')} {apart:.2g} {what}, and {bound:g} is the bound "
            f"for {request.precision}. Nothing was written. Choose another --precision."
        )


def _keep(written: Path, out: Path) -> int:
    """Put what was written in its place, what stands beside it first; return its bytes."""
    size = 0
    others = [each for each in sorted(written.parent.iterdir()) if each != written]
    for each in [*others, written]:
        size += each.stat().st_size
        with each.open("rb") as file:
            replace_file(out.with_name(each.name), partial(shutil.copyfileobj, file))
    return size


def _shares(found: Comparison) -> dict[str, Any]:
    """Return the shares of right answers before and after, where the pictures have classes."""
    try:
        before, after = (tally.results(crops=1) for tally in (found.before, found.after))
    except SourceError:  # pictures without classes
        return {}
    return {
        "top1_before": before.top1,
        "top1_after": after.top1,
        "top5_before": before.top5,
        "top5_after": after.top5,
    }
