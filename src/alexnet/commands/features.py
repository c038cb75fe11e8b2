"""`alexnet features`: the numbers that a layer makes of each picture, and heads on them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import weights_and_source
from alexnet.commands.evaluate import check_batch
from alexnet.commands.signature import Place, optional_path
from alexnet.errors import RecipeError
from alexnet.records import FeaturesReport, HeadReport
from alexnet.weights.prefetch import read_ahead

__all__ = ["features"]


def features(
    weights: Place,
    source: Place | None = None,
    *,
    out: Place,
    layer: str | None = None,
    head: Literal["logistic", "svm", "knn", "mlp", "tree"] | None = None,
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] = "all",
    cache: Literal["auto", "none"] = "auto",
    quarantine: Place | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    batch: int = 128,
) -> FeaturesReport | HeadReport:
    """Write what a layer says about each picture, with its path, class and split.

    With --head a classic classifier learns on the training pictures instead, its parameters
    searched by cross-validation among them, and is stored in a weights file that predict and
    evaluate use as any other.

    Args:
        weights: weights file, or run folder (its best weights); left out: small-200, which comes
            with the package.
        source: folder, archive, table or pack of labelled pictures.
        out: file to write: .npz for NumPy, .parquet for tables; with --head .safetensors.
        layer: name of the layer, such as fc7, or relu7 for fc7 after its activation; none: the
            model's own choice.
        head: classifier that learns on the features; svm is linear.
        crops: views of each picture whose features are averaged: 1, 5 or 10. With --head: on which
            the held-out pictures are measured; it learns from the centre.
        split: which pictures; with --head leave it out.
        cache: with --head: auto keeps the decoded pictures in the cache folder, none in memory.
        quarantine: with --head: folder to copy unreadable pictures to.
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
    chosen, place = weights_and_source(weights, source)
    read_ahead(chosen)  # torch is not there yet, and will take longer
    if head is not None:
        from alexnet.transfer import head_from_source

        if split != "all":
            raise RecipeError(
                "A head learns from the training pictures and is measured on those held out, so "
                "that --split cannot be chosen with --head. Leave it out."
            )
        return head_from_source(
            chosen,
            place,
            kind=head,
            out=Path(out),
            layer=layer,
            crops=crops,
            cache=cache,
            quarantine=optional_path(quarantine),
            batch=batch,
            precision=precision,
        )
    from alexnet.transfer import extract_features

    return extract_features(
        chosen,
        place,
        out=Path(out),
        layer=layer,
        crops=crops,
        split=split,
        batch=batch,
        precision=precision,
    )
