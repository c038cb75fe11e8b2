"""`alexnet predict`: what weights see in pictures."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.commands.arguments import weights_and_pictures
from alexnet.commands.evaluate import check_batch
from alexnet.commands.signature import Place, Places
from alexnet.errors import RecipeError, SourceError
from alexnet.files import write_csv, write_rows
from alexnet.records import Prediction, Predictions
from alexnet.text import counted
from alexnet.weights.prefetch import read_ahead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["STDOUT", "predict", "write_predictions"]

STDOUT = "-"
"""What stands for standard output where a file could be named."""


def write_predictions(place: Path | str, rows: Sequence[Prediction]) -> None:
    """Write path, answer, error, then class and probability of each place, best first.

    No text is a formula for a spreadsheet (see `alexnet.files`), and file names that are no
    UTF-8 keep their bytes.

    Args:
        place: the file to make or replace; "-" is standard output.
        rows: the predictions, in order.

    Raises:
        RunError: the disk refuses.
    """
    table = _table(rows)
    if str(place) == STDOUT:
        whole = io.BytesIO()
        write_rows(whole, table)
        sys.stdout.flush()
        sys.stdout.buffer.write(whole.getvalue())
    else:
        write_csv(Path(place), table)


def _table(rows: Sequence[Prediction]) -> Iterator[list[str]]:
    places = max((len(row.classes) for row in rows), default=0)
    head = [name for n in range(1, places + 1) for name in (f"class_{n}", f"probability_{n}")]
    yield ["path", "answer", "error", *head]
    for row in rows:
        named = zip(row.classes, row.probabilities, strict=True)
        cells = [cell for name, p in named for cell in (name, f"{p:.9g}")]
        cells += [""] * (2 * places - len(cells))
        yield [row.path, _answer(row), row.error or "", *cells]


def _answer(row: Prediction) -> str:
    if row.error is not None:
        return ""
    return "none of these" if row.rejected else row.classes[0]


_FEW = 32  # views that are answered sooner than the compiled kernels are loaded


def predict(
    weights: Place,
    *images: Place,
    top: int = 5,
    reject_below: float | None = None,
    crops: Literal[1, 5, 10] = 1,
    csv: Place | None = None,
    also: Places = (),
    precision: Literal["fp32", "bf16"] = "fp32",
    batch: int = 128,
) -> Predictions:
    """Say what is in pictures: the most probable classes of each, in the order given.

    A file that cannot be read is a row that says so, and the rest go on; it is an error only
    when nothing at all can be read.

    Args:
        weights: weights file, or run folder (its best weights); left out: small-200, which comes
            with the package.
        images: pictures, folders or archives of pictures; - reads one picture from standard input.
        top: classes named for each picture.
        reject_below: under this probability of the best class the answer is "none of these".
        crops: views of each picture whose answers are averaged: 1, 5 or 10.
        csv: file to write the same rows to; - writes them to standard output, and nothing else.
        also: further weights, whose answers are averaged with the first's.
        precision: of convolutions and products.
        batch: pictures answered at once.

    Returns:
        A row for each picture.

    Raises:
        SourceError: none of the pictures can be read.
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
        RunError: the CSV cannot be written.
    """
    check_batch(batch)
    chosen, named = weights_and_pictures(weights, images)
    if not named:
        raise RecipeError(
            "predict needs pictures: name files, folders or archives after the weights, or - for "
            "standard input."
        )
    _check_answer(top, reject_below)
    paths = [chosen, *map(Path, also)]
    read_ahead(*paths)  # torch is not there yet, and will take longer
    from alexnet.evaluation import answers, load_ensemble
    from alexnet.evaluation.inputs import NamedPictures
    from alexnet.progress import track

    ensemble = load_ensemble(paths, precision=precision)
    pictures = NamedPictures(named)
    rows: dict[int, Prediction] = {}
    with track("predicting", len(pictures.paths)) as advance:
        stream = answers(
            ensemble.members,
            pictures,
            pictures.indices,
            crops=crops,
            batch=batch,
            precision=precision,
            compiled=crops * len(pictures.paths) > _FEW,
        )
        for part in stream:
            for index, reason in part.failures:
                rows[index] = Prediction(path=pictures.paths[index], error=reason)
            indices: list[int] = part.indices.tolist()
            for index, row in zip(indices, part.probabilities, strict=True):
                path = pictures.paths[index]
                rows[index] = _prediction(path, row, ensemble.classes, top, reject_below)
            advance(len(part.indices) + len(part.failures))
    ordered = [rows[index] for index in range(len(rows))]
    predictions = Predictions(
        predictions=ordered,
        crops=crops,
        reject_below=reject_below,
        class_words=_words(ordered, ensemble.class_words),
        csv=None if csv is None else str(csv),
    )
    if csv is not None:
        write_predictions(csv, ordered)
    if all(each.error is not None for each in ordered):
        raise SourceError(_nothing(ordered))
    return predictions


def _check_answer(top: int, reject_below: float | None) -> None:
    if top < 1:
        raise RecipeError(f"top must be at least 1 class; got {top}.")
    if reject_below is not None and not 0 <= reject_below <= 1:
        raise RecipeError(f"reject_below is a probability between 0 and 1; got {reject_below}.")


def _prediction(
    path: str,
    row: NDArray[np.float32],
    classes: tuple[str, ...],
    top: int,
    reject_below: float | None,
) -> Prediction:
    """Name the most probable classes; among equals the one that stands first."""
    import numpy as np

    if not bool(np.isfinite(row).all()):
        return Prediction(
            path=path, error="the network's answer is not a number: its weights are damaged"
        )
    best = np.argsort(-row, kind="stable")[:top].tolist()
    found = [float(row[i]) for i in best]
    return Prediction(
        path=path,
        classes=[classes[i] for i in best],
        probabilities=found,
        rejected=reject_below is not None and found[0] < reject_below,
    )


def _words(rows: list[Prediction], words: dict[str, str]) -> dict[str, str]:
    """Return the words of the classes that are named somewhere."""
    named = {name for row in rows for name in row.classes}
    return {name: text for name, text in words.items() if name in named}


def _nothing(rows: list[Prediction]) -> str:
    first, advice = rows[0], "Name pictures, or folders or archives of pictures."
    if len(rows) == 1:
        return f"{first.path} cannot be read: {first.error}. {advice}"
    count = counted(len(rows), "picture")
    return f"Not one of {count} can be read. The first, {first.path}: {first.error}. {advice}"
