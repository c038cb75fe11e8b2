"""Writing weights for other programs: write, compare with the original, keep or discard."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from alexnet.errors import SourceError, WeightsError
from alexnet.exporters.compare import (
    Batch,
    Comparison,
    compare,
    exported_predictor,
    reference_predictor,
    synthetic_images,
)
from alexnet.exporters.multiply_adds import onnx_quantized_share, openvino_quantized_share
from alexnet.exporters.onnx.model import open_onnx, write_onnx
from alexnet.exporters.openvino import open_openvino, write_openvino
from alexnet.exporters.request import (
    ExportedModel,
    ExportRequest,
    Precision,
    describe_input,
    describe_output,
    open_safetensors,
    write_safetensors,
)
from alexnet.exporters.torchscript import open_torchscript, write_torchscript
from alexnet.exporters.validation import require_finite_weights
from alexnet.files import disk_errors, replace_file
from alexnet.records import ExportReport
from alexnet.text import format_count
from alexnet.weights import Weights

__all__ = ["TOLERANCES", "ExportFormat", "export_weights"]

ExportFormat = Literal["onnx", "torchscript", "openvino", "safetensors"]

TOLERANCES: Mapping[Precision, float] = {"fp32": 1e-4, "fp16": 0.02, "int8": 0.1}
"""How far a file may be from its weights.

For fp32 and fp16 the largest difference of two numbers, over the largest number where that is above
1; for int8 the probability that moves from one class to another in the mean image.
"""


@dataclass(frozen=True)
class Exporter:
    """A form of file: how it is written, and how it is opened again by a program that runs it.

    Where it can be int8, also how much of it a written file really does so.
    """

    write: Callable[[Weights, ExportRequest, Path], None]
    open: Callable[[Path], ExportedModel]
    quantized_share: Callable[[Path], float] | None = None


EXPORTERS: Mapping[ExportFormat, Exporter] = {
    "onnx": Exporter(write_onnx, open_onnx, onnx_quantized_share),
    "torchscript": Exporter(write_torchscript, open_torchscript),
    "openvino": Exporter(write_openvino, open_openvino, openvino_quantized_share),
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
    """Write weights in another format, and keep the file only if it predicts as they do.

    Args:
        weights: what is written.
        request: how.
        to: the format.
        out: file to write; it is as it was where anything goes wrong.
        batches: gives the images to check on; None: synthetic ones.

    Raises:
        WeightsError: weights that are not numbers, what cannot be written so, or a file that
            predicts otherwise than its weights.
        SourceError: no image to check on.
        RunError: the disk refuses.
    """
    require_finite_weights(weights)
    exporter = EXPORTERS[to]
    rule = weights.preprocessing
    images = batches() if batches else iter([(synthetic_images(rule.image_px), None)])
    with disk_errors(out), tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, out.name)
        exporter.write(weights, request, written)
        exported = exporter.open(written)
        comparison = compare(
            reference_predictor(weights, request),
            exported_predictor(exported, rule, request),
            images,
            weights.classes,
            logits=request.output_type == "logits",
        )
        _require_agreement(comparison, request, out)
        share = _quantized_share(exporter, request, written)
        size = _move_files(written, out)
    report = ExportReport(
        out=str(out),
        format=to,
        precision=request.precision,
        bytes=size,
        model=weights.model,
        classes=len(weights.classes),
        input="image files" if to == "safetensors" else describe_input(rule, request),
        output=describe_output(weights, request),
        runtime=exported.runtime,
        images=comparison.images,
        synthetic_images=batches is None,
        max_difference=comparison.difference,
        probability_shift=comparison.probability_shift,
        tolerance=TOLERANCES[request.precision],
        same_class=comparison.same_class,
        quantized_share=share,
    )
    return replace(report, **_accuracy(comparison))


def _require_agreement(comparison: Comparison, request: ExportRequest, out: Path) -> None:
    if not comparison.images:
        raise SourceError("There is no image to check the file on. Name others after --check.")
    tolerance = TOLERANCES[request.precision]
    if request.precision == "int8":
        difference, meaning = comparison.probability_shift, "of the probability moves"
    else:
        difference, meaning = comparison.difference, "is the largest difference of two numbers"
    if not difference <= tolerance:
        raise WeightsError(
            f"The file for {out} would not predict as the weights do: on "
            f"{format_count(comparison.images, 'image')} {difference:.2g} {meaning}, and "
            f"{tolerance:g} is the tolerance for {request.precision}. Nothing was written. Choose "
            "another --precision."
        )


def _quantized_share(exporter: Exporter, request: ExportRequest, written: Path) -> float | None:
    """Return the share of the multiply-adds that an int8 file does on 8 bits; None: another file.

    Raises:
        WeightsError: there is none, so that the file would be int8 in name alone.
    """
    if request.precision != "int8" or exporter.quantized_share is None:
        return None
    share = exporter.quantized_share(written)
    if not share:
        raise WeightsError(
            "Not one multiply-add of this network could be quantized, so that the file would be "
            "int8 in name alone. Nothing was written. Choose --precision fp16."
        )
    return share


def _move_files(written: Path, out: Path) -> int:
    """Move what was written to its place, files beside it first; return their bytes."""
    size = 0
    others = [path for path in sorted(written.parent.iterdir()) if path != written]
    for path in [*others, written]:
        size += path.stat().st_size
        with path.open("rb") as file:
            replace_file(out.with_name(path.name), partial(shutil.copyfileobj, file))
    return size


def _accuracy(comparison: Comparison) -> dict[str, Any]:
    """Return top-1 and top-5 before and after, where the images have classes."""
    try:
        before, after = (m.results(crops=1) for m in (comparison.before, comparison.after))
    except SourceError:  # images without classes
        return {}
    return {
        "top1_before": before.top1,
        "top1_after": after.top1,
        "top5_before": before.top5,
        "top5_after": after.top5,
    }
