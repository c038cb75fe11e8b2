"""`alexnet features`: a layer's output for each image, and heads on it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import local_path, optional_path, weights_and_source
from alexnet.commands.evaluate import require_batch_size
from alexnet.errors import RecipeError
from alexnet.records import FeaturesReport, HeadReport

__all__ = ["features"]


def features(
    weights: Path | str | None = None,
    source: Path | str | None = None,
    *,
    out: Path | str,
    layer: str | None = None,
    head: Literal["logistic", "svm", "knn", "mlp", "tree"] | None = None,
    class_weight: Literal["balanced", "none"] = "balanced",
    crops: Literal[1, 5, 10] = 1,
    split: Literal["train", "val", "test", "all"] = "all",
    cache: Literal["auto", "none"] = "auto",
    quarantine: Path | str | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    precision: Literal["fp32", "bf16"] = "fp32",
    exact_convolutions: bool = False,
    batch_size: int = 128,
    cluster: str | None = None,
) -> FeaturesReport | HeadReport:
    """Write the output of a layer for each image, with its path, class and split.

    With --head a classic classifier is fitted on the training images instead, its parameters
    searched by cross-validation among them, and is saved in a weights file that predict and
    evaluate use as any other.

    Args:
        weights: weights file, or run folder (its best weights); left out: small-200, which comes
            with the package.
        source: folder, archive, table or pack of labeled images.
        out: file to write: .npz for NumPy, .parquet for tables; with --head .safetensors.
        layer: name of the layer, such as fc7, or relu7 for fc7 after its activation; mean:NAME: its
            maps averaged; none: the model's own choice.
        head: classifier to fit on the features; svm is linear.
        class_weight: with --head: balanced - classes weigh the same however many images they have;
            none - every image weighs the same.
        crops: crops of each image whose features are averaged: 1, 5 or 10. With --head: those of
            the held-out images; it is fitted on the center.
        split: which images; with --head leave it out.
        cache: with --head: auto keeps the decoded images in the cache folder, none in memory.
        quarantine: with --head: folder to copy unreadable images to.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cache_gb: GB that the cache keeps of packs at s3://, gs://, az://, hf:// or https://; none:
            half of the free disk.
        precision: of convolutions and products.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        batch_size: images of a batch.
        cluster: compute on a Ray cluster: auto is the one that RAY_ADDRESS names, else this
            machine alone; or the address of its head. Not with --head.

    Returns:
        What was written.

    Raises:
        SourceError: the images cannot be used.
        WeightsError: the weights cannot be used.
        RecipeError: an unknown layer, or a setting that cannot work.
        RunError: the file cannot be written.
    """
    require_batch_size(batch_size)
    chosen, place = weights_and_source(weights, source, verb="features")
    if head is not None:
        from alexnet.transfer import fit_head_on_source

        if split != "all":
            raise RecipeError(
                "A head is fitted on the training images and evaluated on those held out, so "
                "that --split cannot be chosen with --head. Leave it out."
            )
        if cluster is not None:
            raise RecipeError(
                "A head is fitted in one process. Leave --cluster out, or write the features "
                "without --head."
            )
        return fit_head_on_source(
            chosen,
            place,
            kind=head,
            out=local_path(out),
            layer=layer,
            class_weight="balanced" if class_weight == "balanced" else None,
            crops=crops,
            cache=cache,
            quarantine=optional_path(quarantine),
            class_depth=class_depth,
            join_classes=join_classes,
            name_encoding=name_encoding,
            cache_gb=cache_gb,
            batch_size=batch_size,
            precision=precision,
            exact_convolutions=exact_convolutions,
        )
    from alexnet.commands.without_torch import keep_features_graph
    from alexnet.evaluation.graph_predictions import map_for_graph
    from alexnet.transfer import extract_features

    mapped = map_for_graph(chosen, precision=precision, exact_convolutions=exact_convolutions)
    report, member = extract_features(
        chosen,
        place,
        out=local_path(out),
        layer=layer,
        crops=crops,
        split=split,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
        cache_gb=cache_gb,
        batch_size=batch_size,
        precision=precision,
        exact_convolutions=exact_convolutions,
        mapped=mapped,
        cluster=cluster,
    )
    if mapped is not None and member is not None:
        keep_features_graph(mapped, layer, member, crops * report.images)
    return report
