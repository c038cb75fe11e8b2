"""`alexnet export`: trained weights for other programs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from alexnet.cli.flags import Place
from alexnet.errors import RecipeError
from alexnet.records import ExportReport

__all__ = ["export"]


def export(
    weights: Place,
    *,
    to: Literal["onnx", "torchscript", "openvino", "safetensors"],
    out: Place,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    takes: Literal["picture", "crop", "numbers"] = "picture",
    gives: Literal["probabilities", "logits"] = "probabilities",
    plain_operators: bool = False,
    calibrate: Place | None = None,
    check: Place | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    pictures: int = 256,
    test_vectors: Place | None = None,
) -> ExportReport:
    """Write trained weights in a form that other programs run, and check it on pictures.

    The file is opened by a program that runs it and asked about pictures; it is kept only if it
    answers as the weights do.

    Args:
        weights: weights file, or run folder (its best weights).
        to: the form: onnx for ONNX Runtime and many others; torchscript for torch without alexnet;
            openvino; safetensors is a weights file for alexnet itself.
        out: file to write, for openvino the .xml of its two; replaced as a whole.
        precision: of weights and arithmetic: fp16 halves the file, int8 quarters it.
        takes: picture - uint8 RGB of the stored size, the centre is cut and prepared inside; crop -
            the central crop, uint8 RGB; numbers - what is left after all preprocessing.
        gives: probabilities (softmax inside) or logits.
        plain_operators: write normalisation as elementary operators, for programs that have none.
        calibrate: for int8: pictures on which the ranges of activations are seen, best those that
            the weights were trained on.
        check: pictures to check on, best a source with classes that the weights know, since right
            answers are counted then; none: some that are made for it.
        split: which pictures to check on; none: as evaluate chooses.
        pictures: most pictures of each source that are used, evenly spread.
        test_vectors: folder for some pictures, the numbers after preprocessing, the answers, and a
            page that says the preprocessing exactly enough to write it again in another language.

    Returns:
        What was written, and how far it is from the weights.

    Raises:
        WeightsError: the weights cannot be used or written so, or the file answers otherwise.
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        RunError: the file cannot be written.
    """
    from alexnet.cli.shown_pictures import choose_pictures
    from alexnet.transfer import export_weights, write_vectors
    from alexnet.weights import ExportRequest, load_weights

    if pictures < 1:
        raise RecipeError(f"pictures must be at least 1; got {pictures}.")
    if split is not None and check is None:
        raise RecipeError("--split chooses among the pictures of --check. Name some, or leave it.")
    loaded = load_weights(Path(weights))
    batches = shown = None
    if check is not None:
        shown = choose_pictures(
            Path(check), loaded.classes, most=pictures, split=split, weights=Path(weights)
        )
        batches = partial(shown.batches, loaded.preprocessing)
    if calibrate is not None and precision != "int8":
        raise RecipeError("--calibrate is for --precision int8. Leave it out, or ask for that.")
    calibration = None
    if calibrate is not None:
        seen = choose_pictures(Path(calibrate), loaded.classes, most=pictures)
        seen = replace(seen, doing="calibrating")
        calibration = partial(seen.pixels, loaded.preprocessing)
    request = ExportRequest(
        precision=precision,
        takes=takes,
        gives=gives,
        plain_operators=plain_operators,
        calibration=calibration,
    )
    report = export_weights(loaded, request, to=to, out=Path(out), batches=batches)
    if test_vectors is None:
        return report
    write_vectors(Path(test_vectors), loaded, request, shown.files() if shown else None)
    return replace(report, test_vectors=str(test_vectors))
