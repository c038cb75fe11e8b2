"""`alexnet evaluate`: how good weights are on labelled pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from alexnet.records import Results

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alexnet.data import Source

__all__ = ["evaluate"]

_log = logging.getLogger(__name__)


def evaluate(
    weights: Path,
    source: Path,
    *,
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] | None = None,
    also: tuple[Path, ...] = (),
    unreadable: Literal["skip", "fail"] = "skip",
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
        precision: of convolutions and products; fp32 gives the same figure as training did.
        batch: pictures answered at once.

    Returns:
        The figures; shares are fractions in 0..1.

    Raises:
        SourceError: the pictures cannot be used.
        WeightsError: the weights cannot be used, or do not belong together.
        RecipeError: a setting cannot work.
    """
    from alexnet.cli.held_out import held_out_pictures
    from alexnet.data import open_source
    from alexnet.evaluation import Tally, answers, class_positions
    from alexnet.progress import track
    from alexnet.transfer import load_ensemble

    check_batch(batch)
    ensemble = load_ensemble([weights, *also], precision=precision)
    opened = open_source(source)
    position = class_positions(opened.classes, ensemble.classes, where=source)
    name, indices = held_out_pictures(opened, split, [weights, *also], where=source)
    tally = Tally(ensemble.classes)
    failures: list[tuple[str, str]] = []
    with track("evaluating", len(indices)) as advance:
        stream = answers(
            ensemble.members, opened, indices, crops=crops, batch=batch, precision=precision
        )
        for part in stream:
            _take_failures(opened, part.failures, failures, unreadable)
            check_finite(part.probabilities, weights)
            tally.add(part.probabilities, position[opened.labels[part.indices]])
            advance(len(part.indices) + len(part.failures))
    missing = _missing(opened, indices, ensemble.classes)
    results = tally.results(crops=crops, missing=missing, unreadable=failures)
    _log.info("Measured on %d pictures (%s) of %s.", results.images, name, source)
    return results
