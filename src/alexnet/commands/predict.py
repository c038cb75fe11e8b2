"""`alexnet predict`: the classes of images."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import weights_and_images
from alexnet.commands.without_torch import PredictionRequest, predict_some
from alexnet.errors import RecipeError, RunError, SourceError, WeightsError
from alexnet.files import as_path, write_csv, write_rows
from alexnet.records import Prediction, Predictions
from alexnet.text import format_count

__all__ = ["STDOUT", "predict", "write_predictions"]

STDOUT = "-"
"""What stands for standard output where a file could be named."""


def write_predictions(path: Path | str, rows: Sequence[Prediction]) -> None:
    """Write path, prediction, error, then class and probability of each rank, best first.

    No text is a formula for a spreadsheet (see `alexnet.files`), and file names that are no
    UTF-8 keep their bytes.

    Args:
        path: the file to make or replace; "-" is standard output.
        rows: the predictions, in order.

    Raises:
        RunError: the disk refuses.
    """
    table = _table(rows)
    if str(path) == STDOUT:
        buffer = io.BytesIO()
        write_rows(buffer, table)
        _write_standard_output(buffer.getvalue())
    else:
        write_csv(Path(path), table)


def _write_standard_output(data: bytes) -> None:
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]  # it was closed
        raise RunError("Standard output is closed. Name a file for the CSV.")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who reads has seen enough
        raise
    except OSError as cause:
        raise RunError(
            f"The CSV could not be written to standard output: {cause.strerror or cause}. Send it "
            "elsewhere, or name a file."
        ) from cause


def _table(rows: Sequence[Prediction]) -> Iterator[list[str]]:
    ranks = max((len(row.classes) for row in rows), default=0)
    header = [name for n in range(1, ranks + 1) for name in (f"class_{n}", f"probability_{n}")]
    yield ["path", "prediction", "error", *header]
    for row in rows:
        pairs = zip(row.classes, row.probabilities, strict=True)
        cells = [cell for name, p in pairs for cell in (name, f"{p:.9g}")]
        cells += [""] * (2 * ranks - len(cells))
        yield [row.path, _predicted(row), row.error or "", *cells]


def _predicted(row: Prediction) -> str:
    if row.error is not None:
        return ""
    return "none of these" if row.rejected else row.classes[0]


def predict(
    weights: Path | str | None = None,
    *images: Path | str,
    top: int = 5,
    reject_below: float | None = None,
    crops: Literal[1, 5, 10] = 1,
    csv: Path | str | None = None,
    also: tuple[Path | str, ...] = (),
    precision: Literal["fp32", "bf16"] = "fp32",
    exact_convolutions: bool = False,
    batch_size: int = 128,
    cluster: str | None = None,
) -> Predictions:
    """Predict images: the most probable classes of each, in the order given.

    A file that cannot be read is a row that says so, and the rest go on; it is an error only
    when nothing at all can be read.

    Args:
        weights: weights file, or run folder (its best weights); left out: small-200, which comes
            with the package.
        images: images, folders or archives of images; - reads one image from standard input.
        top: classes reported for each image.
        reject_below: under this probability of the best class the prediction is "none of these".
        crops: crops of each image whose predictions are averaged: 1, 5 or 10.
        csv: file to write the same rows to; - writes them to standard output, and nothing else.
        also: further weights, whose predictions are averaged with the first's.
        precision: of convolutions and products.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        batch_size: images of a batch.
        cluster: compute more than some dozens of images on a Ray cluster: auto is the one that
            RAY_ADDRESS names, else this machine alone; or the address of its head.

    Returns:
        A row for each image.

    Raises:
        SourceError: none of the images can be read.
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
        RunError: the CSV cannot be written.
    """
    chosen, paths = weights_and_images(weights, images)
    if not paths:
        raise RecipeError(
            "predict needs images: name files, folders or archives after the weights, or - for "
            "standard input."
        )
    from alexnet.evaluation.prediction_rows import NO_NUMBER, check_prediction_options

    check_prediction_options(top, reject_below, batch_size)
    request = PredictionRequest(
        weights=chosen,
        also=[as_path(each, WeightsError, "A weights file") for each in also],
        images=paths,
        top=top,
        reject_below=reject_below,
        crops=crops,
        precision=precision,
        exact_convolutions=exact_convolutions,
        batch_size=batch_size,
        cluster=cluster,
        csv=None if csv is None or str(csv) == STDOUT else Path(csv),
    )
    ordered, class_words = predict_some(request)
    predictions = Predictions(
        predictions=ordered,
        crops=crops,
        reject_below=reject_below,
        class_words=_words(ordered, class_words),
        csv=None if csv is None else str(csv),
    )
    if csv is not None:
        write_predictions(csv, ordered)
    if ordered and all(row.error == NO_NUMBER for row in ordered):
        raise WeightsError(
            f"The output of {chosen} is no number for any of {format_count(len(ordered), 'image')}:"
            " its weights are not finite or overflow, as after a training that diverged. Take an "
            "earlier checkpoint, or train again with a lower learning rate."
        )
    if all(row.error is not None for row in ordered):
        raise SourceError(_unreadable(ordered))
    return predictions


def _words(rows: list[Prediction], words: dict[str, str]) -> dict[str, str]:
    """Return the words of the classes that are named somewhere."""
    named = {name for row in rows for name in row.classes}
    return {name: text for name, text in words.items() if name in named}


def _unreadable(rows: list[Prediction]) -> str:
    first, advice = rows[0], "Name images, or folders or archives of images."
    if len(rows) == 1:
        return f"{first.path} cannot be read: {first.error}. {advice}"
    count = format_count(len(rows), "image")
    return f"Not one of {count} can be read. The first, {first.path}: {first.error}. {advice}"
