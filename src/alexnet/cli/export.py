"""`alexnet export`: trained weights for other programs."""

from __future__ import annotations

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
    to: Literal["onnx", "safetensors"],
    out: Place,
    precision: Literal["fp32", "fp16"] = "fp32",
    takes: Literal["picture", "crop", "numbers"] = "picture",
    gives: Literal["probabilities", "logits"] = "probabilities",
    plain_operators: bool = False,
    check: Place | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    pictures: int = 256,
) -> ExportReport:
    """Write trained weights in a form that other programs run, and check it on pictures.

    The file is opened by a program that runs it and asked about pictures; it is kept only if it
    answers as the weights do.

    Args:
        weights: weights file, or run folder (its best weights).
        to: the form: onnx for ONNX Runtime and many others; safetensors is a weights file for
            alexnet itself.
        out: file to write; replaced as a whole.
        precision: of weights and arithmetic: fp16 halves the file.
        takes: picture - uint8 RGB of the stored size, the centre is cut and prepared inside; crop -
            the central crop, uint8 RGB; numbers - what is left after all preprocessing.
        gives: probabilities (softmax inside) or logits.
        plain_operators: write normalisation as elementary operators, for programs that have none.
        check: pictures to check on, best a source with classes that the weights know, since right
            answers are counted then; none: some that are made for it.
        split: which pictures to check on; none: as evaluate chooses.
        pictures: most pictures that are used, evenly spread.

    Returns:
        What was written, and how far it is from the weights.

    Raises:
        WeightsError: the weights cannot be used or written so, or the file answers otherwise.
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        RunError: the file cannot be written.
    """
    from alexnet.cli.shown_pictures import choose_pictures
    from alexnet.transfer import export_weights
    from alexnet.weights import ExportRequest, load_weights

    if pictures < 1:
        raise RecipeError(f"pictures must be at least 1; got {pictures}.")
    if split is not None and check is None:
        raise RecipeError("--split chooses among the pictures of --check. Name some, or leave it.")
    loaded = load_weights(Path(weights))
    batches = None
    if check is not None:
        shown = choose_pictures(
            Path(check), loaded.classes, most=pictures, split=split, weights=Path(weights)
        )
        batches = partial(shown.batches, loaded.preprocessing)
    request = ExportRequest(
        precision=precision, takes=takes, gives=gives, plain_operators=plain_operators
    )
    return export_weights(loaded, request, to=to, out=Path(out), batches=batches)
