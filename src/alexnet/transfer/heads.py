"""Fitting a head: features of the training images, a search, and weights that predict with it."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from alexnet.data import CacheMode, Pack, load_pack, open_source
from alexnet.devices import choose_device
from alexnet.errors import RecipeError
from alexnet.evaluation import BATCH, InferencePrecision
from alexnet.models import make_head
from alexnet.records import HeadReport
from alexnet.transfer.head_measurement import HeadFitting
from alexnet.weights import load_weights, save_weights

if TYPE_CHECKING:
    from alexnet.transfer.head_calibration import ClassWeight
    from alexnet.transfer.head_search import HeadKind

__all__ = ["fit_head_on_source"]


def fit_head_on_source(
    weights: Path,
    source: Path,
    *,
    kind: HeadKind,
    out: Path,
    layer: str | None = None,
    class_weight: ClassWeight = "balanced",
    crops: int = 1,
    cache: CacheMode = "auto",
    quarantine: Path | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
    exact_convolutions: bool = False,
) -> HeadReport:
    """Fit a head on a source's training images, evaluate it on the others, and save it.

    It is never fitted on the source's own val or test. Where the source has neither, a tenth of the
    images is held out as `train` does, the head is searched and measured without it, and fitted
    again on all images with the parameters that were found. Where that tenth would be fewer than
    100 images, the head is measured by cross-validation over all of them instead, near duplicates
    and bursts held out together.

    Args:
        weights: a weights file or run folder.
        source: folder, archive, table or pack.
        kind: logistic, svm, knn, mlp or tree.
        out: the weights file to make or replace, `.safetensors`.
        layer: name of a layer; None: the network's own choice, its last hidden one.
        class_weight: "balanced": classes weigh the same however many images they have; None: each
            image weighs the same.
        crops: of the held-out images, whose predictions are averaged; the head is fitted on the
            center.
        cache: "auto" keeps the decoded images in the cache folder, "none" in memory.
        quarantine: folder to copy unreadable images to, however many there are; None: more than a
            twentieth is an error.
        class_depth: level of the class folders, 1 for the top ones; None: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; None: told by their bytes.
        cache_gb: as in `open_source`.
        batch_size: images at once.
        precision: of the arithmetic.
        exact_convolutions: see `choose_device`.

    Raises:
        SourceError: the source cannot be used, or has too few images of a class.
        WeightsError: the weights cannot be used.
        RecipeError: unknown layer, kind of head or of file, or number of crops.
        AlexNetError: scikit-learn is missing.
        RunError: the disk refuses.
    """
    import_module("alexnet.transfer.head_search")  # at once: scikit-learn may be missing
    if out.suffix != ".safetensors":
        raise RecipeError(
            f'A head is stored in a weights file: out must end in .safetensors; got "{out}".'
        )
    base = load_weights(weights)
    images = open_source(
        source,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
        cache_gb=cache_gb,
    )
    rule = base.preprocessing
    pack = (
        images
        if isinstance(images, Pack)
        else load_pack(
            images,
            image_px=rule.image_px,
            resize_mode=rule.resize_mode,
            cache=cache,
            quarantine=quarantine,
        )
    )
    device = choose_device(precision, exact_convolutions=exact_convolutions)
    fitting = HeadFitting(base, pack, kind, class_weight, layer, device, batch_size, precision)
    measured = fitting.measured(crops)
    saved = replace(
        measured.fitted.weights,
        results=measured.results.to_json() if measured.results else None,
    )
    save_weights(out, saved)
    search, head = measured.fitted.search, make_head(saved.arguments["head"])
    return HeadReport(
        out=str(out),
        kind=kind,
        layer=head.features_from,
        feature_dim=head.features,
        images=measured.images,
        classes=list(saved.classes),
        best_parameters=search.best_parameters,
        cross_validation=search.best,
        candidates=search.candidates,
        folds=search.folds,
        search_images=search.search_rows,
        split=measured.split,
        results=measured.results,
        seconds=measured.fitted.seconds,
        unreadable=list(pack.skipped),
        measured_by=measured.by,
        warnings=list(measured.warnings),
    )
