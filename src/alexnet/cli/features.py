"""`alexnet features`: the numbers that a layer makes of each picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alexnet.cli.evaluate import check_batch
from alexnet.cli.flags import Place
from alexnet.reading_ahead import read_ahead
from alexnet.records import FeaturesReport

__all__ = ["features"]


def features(
    weights: Place,
    source: Place,
    *,
    out: Place,
    layer: str | None = None,
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] = "all",
    precision: Literal["fp32", "bf16"] = "fp32",
    batch: int = 128,
) -> FeaturesReport:
    """Write what a layer says about each picture, with its path, class and split.

    Args:
        weights: weights file, or run folder (its best weights).
        source: folder, archive, table or pack of labelled pictures.
        out: file to write: .npz for NumPy, .parquet for tables.
        layer: name of the layer, such as fc7, or relu7 for fc7 after its activation; none: the
            model's own choice.
        crops: views of each picture whose features are averaged: 1, 5 or 10.
        split: which pictures.
        precision: of convolutions and products.
        batch: pictures at once.

    Returns:
        What was written.

    Raises:
        SourceError: the pictures cannot be used.
        WeightsError: the weights cannot be used.
        RecipeError: an unknown layer, or a setting that cannot work.
        RunError: the file cannot be written.
    """
    check_batch(batch)
    read_ahead(Path(weights))  # torch is not there yet, and will take longer
    from alexnet.transfer import extract_features

    return extract_features(
        Path(weights),
        Path(source),
        out=Path(out),
        layer=layer,
        crops=crops,
        split=split,
        batch=batch,
        precision=precision,
    )
