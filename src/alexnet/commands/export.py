"""`alexnet export`: trained weights for other programs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import local_path
from alexnet.errors import RecipeError
from alexnet.records import ExportReport

__all__ = ["export"]


def export(
    weights: Path | str,
    *,
    to: Literal["onnx", "torchscript", "openvino", "safetensors"],
    out: Path | str,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    input_type: Literal["image", "crop", "tensor"] = "image",
    output_type: Literal["probabilities", "logits"] = "probabilities",
    plain_operators: bool = False,
    calibrate: Path | str | None = None,
    check: Path | str | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    images: int = 256,
    test_vectors: Path | str | None = None,
) -> ExportReport:
    """Write trained weights in a format that other programs run, and check it on images.

    The file is opened by a program that runs it; it is kept only if it predicts as the weights do.

    Args:
        weights: weights file, or run folder (its best weights).
        to: the format: onnx for ONNX Runtime and others; torchscript for torch without alexnet;
            openvino; safetensors is a weights file for alexnet itself.
        out: file to write, for openvino the .xml of its two; replaced as a whole.
        precision: of weights and arithmetic: fp16 halves the file, int8 quarters it.
        input_type: image - uint8 RGB of the stored size, cropped and normalized inside; crop - the
            central crop, uint8 RGB; tensor - after all preprocessing.
        output_type: probabilities (softmax inside) or logits.
        plain_operators: write normalization as elementary operators, for programs that have none.
        calibrate: for int8: images on which the ranges of activations are observed, best those
            that the weights were trained on.
        check: images to check on, best a source with classes that the weights know, since accuracy
            is measured then; none: synthetic ones.
        split: which images to check on; none: as evaluate chooses.
        images: most images of each source that are used, evenly spread.
        test_vectors: folder for some images, the tensors after preprocessing, the predictions, and
            a page that says the preprocessing exactly enough to write it in another language.

    Returns:
        What was written, and how far it is from the weights.

    Raises:
        WeightsError: the weights cannot be used or written so, or the file predicts otherwise.
        SourceError: the images cannot be used.
        RecipeError: a setting cannot work.
        RunError: the file cannot be written.
    """
    from alexnet.exporters import ExportRequest, export_weights, write_test_vectors
    from alexnet.exporters.images import choose_images
    from alexnet.weights import load_weights

    if images < 1:
        raise RecipeError(f"images must be at least 1; got {images}.")
    if split is not None and check is None:
        raise RecipeError("--split chooses among the images of --check. Name some, or leave it.")
    loaded = load_weights(weights)
    batches = shown = None
    if check is not None:
        shown = choose_images(
            Path(check), loaded.classes, most=images, split=split, weights=Path(weights)
        )
        batches = partial(shown.batches, loaded.preprocessing)
    if calibrate is not None and precision != "int8":
        raise RecipeError("--calibrate is for --precision int8. Leave it out, or ask for that.")
    calibration = None
    if calibrate is not None:
        seen = choose_images(Path(calibrate), loaded.classes, most=images)
        seen = replace(seen, doing="calibrating")
        calibration = partial(seen.pixels, loaded.preprocessing)
    request = ExportRequest(
        precision=precision,
        input_type=input_type,
        output_type=output_type,
        plain_operators=plain_operators,
        calibration=calibration,
    )
    report = export_weights(loaded, request, to=to, out=local_path(out), batches=batches)
    if test_vectors is None:
        return report
    write_test_vectors(Path(test_vectors), loaded, request, shown.files() if shown else None)
    return replace(report, test_vectors=str(test_vectors))
