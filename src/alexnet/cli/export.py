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
    to: Literal["safetensors"],
    out: Place,
    precision: Literal["fp32", "fp16"] = "fp32",
    check: Place | None = None,
    split: Literal["train", "val", "test", "all"] | None = None,
    pictures: int = 256,
) -> ExportReport:
    """Write trained weights in a form that other programs run, and check it on pictures.

    The file is opened by a program that runs it and asked about pictures; it is kept only if it
    answers as the weights do.

    Args:
        weights: weights file, or run folder (its best weights).
        to: the form: safetensors is a weights file for alexnet itself.
        out: file to write; replaced as a whole.
        precision: of the weights: fp16 halves the file.
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
    request = ExportRequest(precision=precision)
    return export_weights(loaded, request, to=to, out=Path(out), batches=batches)
