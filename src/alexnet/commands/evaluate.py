"""`alexnet evaluate`: how good weights are on labelled pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.commands.signature import Place, Places, optional_path
from alexnet.errors import RecipeError, WeightsError
from alexnet.records import Results
from alexnet.text import counted
from alexnet.weights.prefetch import read_ahead

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alexnet.data import Pack, Source

__all__ = ["check_batch", "check_finite", "evaluate"]

_log = logging.getLogger(__name__)


def evaluate(
    weights: Place,
    source: Place,
    *,
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] | None = None,
    also: Places = (),
    unreadable: Literal["skip", "fail"] = "skip",
    exclude: Place | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    batch: int = 128,
) -> Results:
    """Measure weights on labelled pictures: top-1, top-5, loss, each class, what is mixed up.

    The classes come from the weights. A class that the source has and the weights lack is an
    error; one that the source lacks is said.

    Args:
        weights: weights file, or run folder (its best weights).
        source: folder, archive, table or pack of labelled pictures.
        crops: views of each picture whose answers are averaged: 1 is the centre, 5 adds the
            corners, 10 their mirror images.
        split: which pictures; none: test where there is one, else val, else what the run held
            out of this source, else all.
        also: further weights, whose answers are averaged with the first's.
        unreadable: skip names unreadable pictures in the result, fail stops at the first one.
        exclude: list of pictures to leave out: a path a line, or what check --exclude-to wrote.
        precision: of convolutions and products; fp32 gives the same figure as training did.
        batch: pictures answered at once.

    Returns:
        The figures; shares are fractions in 0..1.

    Raises:
        SourceError: the pictures cannot be used.
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
    """
    check_batch(batch)
    paths = [Path(each) for each in (weights, *also)]
    read_ahead(*paths)  # torch is not there yet, and will take longer
    from alexnet.data import UnreadablePolicy, leave_out, nothing_readable, open_source
    from alexnet.evaluation import Tally, answers, class_positions, load_ensemble
    from alexnet.evaluation.held_out import held_out_pictures
    from alexnet.progress import track

    ensemble = load_ensemble(paths, precision=precision)
    opened = leave_out(open_source(Path(source), fewest_classes=1), optional_path(exclude))
    position = class_positions(opened.classes, ensemble.classes, where=source)
    name, indices = held_out_pictures(opened, split, paths, where=source)
    policy = UnreadablePolicy(unreadable)
    tally = Tally(ensemble.classes)
    failures: list[tuple[str, str]] = []
    with track("evaluating", len(indices)) as advance:
        stream = answers(
            ensemble.members, opened, indices, crops=crops, batch=batch, precision=precision
        )
        for part in stream:
            policy.take(opened, part.failures)
            failures += [(opened.paths[index], reason) for index, reason in part.failures]
            check_finite(part.probabilities, weights)
            tally.add(part.probabilities, position[opened.labels[part.indices]])
            advance(len(part.indices) + len(part.failures))
    if failures and len(failures) == len(indices):
        raise nothing_readable(source, failures)
    missing = _missing(opened, indices, ensemble.classes)
    results = tally.results(crops=crops, missing=missing, unreadable=failures)
    count = counted(results.images, "picture")
    _log.info("Measured on %s (%s) of %s.", count, name, source)
    return results


def check_batch(batch: int) -> None:
    """Raise RecipeError for a batch without a picture."""
    if batch < 1:
        raise RecipeError(f"batch must be at least 1 picture; got {batch}.")


def check_finite(answers: NDArray[np.float32], weights: Place) -> None:
    """Raise WeightsError for answers that are no numbers: they would be counted as mistakes."""
    import numpy as np

    if not bool(np.isfinite(answers).all()):
        raise WeightsError(
            f"{weights} answers with numbers that are not finite: its training went wrong, or it "
            "is damaged. Use other weights, or train again at a lower rate."
        )


def _missing(
    source: Source | Pack, indices: NDArray[np.int64], classes: tuple[str, ...]
) -> list[str]:
    """Return the classes that the weights know and none of the chosen pictures shows."""
    import numpy as np

    labels: list[int] = np.unique(source.labels[indices]).tolist()
    there = {source.classes[label] for label in labels}
    return [name for name in classes if name not in there]
