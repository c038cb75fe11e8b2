"""Fitting a head: features of the training images, a search, and weights that predict with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import CacheMode, Pack, assign_splits, load_pack, open_source
from alexnet.devices import Device, choose_device
from alexnet.errors import RecipeError
from alexnet.evaluation import BATCH, InferencePrecision, Member, evaluate_weights
from alexnet.models import HeadedNetwork, backbone_of
from alexnet.progress import track
from alexnet.records import HeadReport
from alexnet.transfer.extract import layer_features
from alexnet.weights import Weights, current_versions, load_weights, save_weights

if TYPE_CHECKING:
    from alexnet.transfer.head_calibration import ClassWeight
    from alexnet.transfer.head_search import HeadKind, HeadSearch

__all__ = ["FittedHead", "fit_head", "fit_head_on_source"]

_VAL_FRACTION = 0.1  # as training has by default
_SEED = 0


@dataclass(frozen=True)
class FittedHead:
    """A fitted head, and the weights that predict with it."""

    weights: Weights
    search: HeadSearch
    seconds: float


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
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
) -> HeadReport:
    """Fit a head on a source's training images, evaluate it on the others, and save it.

    It is never fitted on val or test. Where the source has no val, a tenth of the training
    images is held out as `train` does.

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
        batch_size: images at once.
        precision: of the arithmetic.

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
    splits = assign_splits(pack, val_fraction=_VAL_FRACTION, seed=_SEED)
    device = choose_device(precision)
    fitted = fit_head(
        base,
        pack,
        splits["train"],
        kind=kind,
        layer=layer,
        class_weight=class_weight,
        device=device,
        batch_size=batch_size,
        precision=precision,
    )
    split = next((name for name in ("test", "val") if name in splits), None)
    results = None
    if split is not None:
        results, _ = evaluate_weights(
            fitted.weights, pack, splits[split], device, crops=crops, batch_size=batch_size
        )
    saved = replace(fitted.weights, results=results.to_json() if results else None)
    save_weights(out, saved)
    search, settings = fitted.search, saved.arguments["head"]
    return HeadReport(
        out=str(out),
        kind=kind,
        layer=settings["layer"],
        feature_dim=settings["features"],
        images=len(splits["train"]),
        classes=list(saved.classes),
        best_parameters=search.best_parameters,
        cross_validation=search.best,
        candidates=search.candidates,
        folds=search.folds,
        search_images=search.search_rows,
        split=split,
        results=results,
        seconds=fitted.seconds,
        unreadable=list(pack.skipped),
    )


def fit_head(
    base: Weights,
    pack: Pack,
    train: NDArray[np.int64],
    *,
    kind: HeadKind,
    layer: str | None,
    class_weight: ClassWeight = "balanced",
    device: Device,
    batch_size: int = BATCH,
    precision: InferencePrecision = "fp32",
    seed: int = _SEED,
) -> FittedHead:
    """Fit a head on some images of a pack.

    Args:
        base: weights whose network makes the features; a head that they have is left out.
        pack: its images are stored as the weights want them.
        train: (n,) which images to fit on.
        kind: logistic, svm, knn, mlp or tree.
        layer: name of a layer; None: the network's own choice.
        class_weight: see `search_head`.
        device: where the network runs.
        batch_size: images at once.
        precision: of the network's arithmetic.
        seed: of the search.

    Returns:
        The head, and weights for the pack's classes that predict with it.
    """
    from alexnet.transfer.head_conversion import head_from_sklearn
    from alexnet.transfer.head_search import search_head

    started = time.perf_counter()
    body = backbone_of(base.network())
    device.place(body)
    layer = layer or body.features_layer
    parts: list[NDArray[np.float32]] = []
    with track("extracting features", len(train)) as advance:
        batches = layer_features(
            Member(body, base.preprocessing),
            pack,
            train,
            layer=layer,
            batch_size=batch_size,
            precision=precision,
        )
        for batch in batches:
            parts.append(batch.features)
            advance(len(batch.indices))
    search = search_head(
        kind, np.concatenate(parts), pack.labels[train], class_weight=class_weight, seed=seed
    )
    head = head_from_sklearn(search, layer=layer, classes=len(pack.classes))
    headed = HeadedNetwork(body.to("cpu"), head)
    weights = Weights(
        model=headed.model,
        arguments=headed.arguments,
        state=headed.state_dict(),
        classes=tuple(pack.classes),
        class_words=dict(pack.class_words),
        preprocessing=base.preprocessing,
        recipe=base.recipe,
        versions=current_versions(),
    )
    return FittedHead(weights, search, time.perf_counter() - started)
