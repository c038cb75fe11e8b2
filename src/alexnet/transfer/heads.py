"""Teaching a head: features of the training pictures, a search, and weights that answer by it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alexnet.data import Cache, Pack, assign_splits, open_source, pack_of
from alexnet.devices import Device, choose_device
from alexnet.errors import RecipeError
from alexnet.evaluation import BATCH, Exactness, Member, evaluate_weights
from alexnet.models import HeadedNetwork, bare
from alexnet.progress import track
from alexnet.records import HeadReport
from alexnet.transfer.extract import layer_features
from alexnet.weights import Weights, current_versions, load_weights, save_weights

if TYPE_CHECKING:
    from alexnet.transfer.head_search import FoundHead, HeadKind

__all__ = ["Taught", "head_from_source", "teach_head"]

_VAL_FRACTION = 0.1  # as in a training that is told nothing else
_SEED = 0


@dataclass(frozen=True)
class Taught:
    """A head that was taught, and the weights that answer by it."""

    weights: Weights
    found: FoundHead
    seconds: float


def head_from_source(
    weights: Path,
    source: Path,
    *,
    kind: HeadKind,
    out: Path,
    layer: str | None = None,
    crops: int = 1,
    cache: Cache = "auto",
    quarantine: Path | None = None,
    batch: int = BATCH,
    precision: Exactness = "fp32",
) -> HeadReport:
    """Teach a head on a source's training pictures, measure it on the others, and store it.

    Val and test are never learnt from. Where the source has no val, a tenth of the training
    pictures is held out as `train` does.

    Args:
        weights: a weights file or run folder.
        source: folder, archive, table or pack.
        kind: logistic, svm, knn, mlp or tree.
        out: the weights file to make or replace, `.safetensors`.
        layer: name of a layer; None: the network's own choice, its last hidden one.
        crops: views on which the held-out pictures are measured; the head learns from the centre.
        cache: "auto" keeps the decoded pictures in the cache folder, "none" in memory.
        quarantine: folder to copy unreadable pictures to, however many there are; None: more than a
            twentieth is an error.
        batch: pictures at once.
        precision: of the arithmetic.

    Raises:
        SourceError: the source cannot be used, or has too few pictures of a class.
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
    opened = open_source(source)
    rule = base.preprocessing
    pack = (
        opened
        if isinstance(opened, Pack)
        else pack_of(
            opened, image_px=rule.image_px, fit=rule.fit, cache=cache, quarantine=quarantine
        )
    )
    splits = assign_splits(pack, val_fraction=_VAL_FRACTION, seed=_SEED)
    device = choose_device(precision)
    taught = teach_head(
        base,
        pack,
        splits["train"],
        kind=kind,
        layer=layer,
        device=device,
        batch=batch,
        precision=precision,
    )
    split = next((each for each in ("test", "val") if each in splits), None)
    results = None
    if split is not None:
        results, _ = evaluate_weights(
            taught.weights, pack, splits[split], device, crops=crops, batch=batch
        )
    kept = replace(taught.weights, results=results.to_json() if results else None)
    save_weights(out, kept)
    found, settings = taught.found, kept.arguments["head"]
    return HeadReport(
        out=str(out),
        kind=kind,
        layer=settings["layer"],
        numbers=settings["features"],
        images=len(splits["train"]),
        classes=list(kept.classes),
        chosen=found.chosen,
        cross_validation=found.best,
        candidates=found.candidates,
        folds=found.folds,
        searched_on=found.searched_on,
        split=split,
        results=results,
        seconds=taught.seconds,
        unreadable=list(pack.skipped),
    )


def teach_head(
    base: Weights,
    pack: Pack,
    train: NDArray[np.int64],
    *,
    kind: HeadKind,
    layer: str | None,
    device: Device,
    batch: int = BATCH,
    precision: Exactness = "fp32",
    seed: int = _SEED,
) -> Taught:
    """Teach a head on some pictures of a pack.

    Args:
        base: weights whose network makes the features; a head that they have is left out.
        pack: its pictures are stored as the weights want them.
        train: (n,) which pictures to learn from.
        kind: logistic, svm, knn, mlp or tree.
        layer: name of a layer; None: the network's own choice.
        device: where the network runs.
        batch: pictures at once.
        precision: of the network's arithmetic.
        seed: of the search.

    Returns:
        The head, and weights for the pack's classes that answer by it.
    """
    from alexnet.transfer.head_search import as_head, search_head

    started = time.perf_counter()
    body = bare(base.network())
    device.place(body)
    layer = layer or body.features_layer
    parts: list[NDArray[np.float32]] = []
    with track("taking features", len(train)) as advance:
        stream = layer_features(
            Member(body, base.preprocessing),
            pack,
            train,
            layer=layer,
            batch=batch,
            precision=precision,
        )
        for part in stream:
            parts.append(part.numbers)
            advance(len(part.indices))
    found = search_head(kind, np.concatenate(parts), pack.labels[train], seed=seed)
    head = as_head(found, layer=layer, classes=len(pack.classes))
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
    return Taught(weights, found, time.perf_counter() - started)
