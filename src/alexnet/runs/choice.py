"""From a folder of images to the way that suits it: the weights, sizes, folds, and what is chosen.

With few images each way is tried by cross-validation, and the final classifier learns from all of
them. With more, the usual validation split is held out, and tells the ways apart.

Legend: n training images, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from alexnet.data import Pack, Source, burst_groups, draw_splits, stratified_group_folds
from alexnet.devices import Device
from alexnet.errors import RecipeError, SourceError
from alexnet.models import HeadedNetwork, Network, default_blocks
from alexnet.progress import track
from alexnet.recipe import Recipe, RecipeChanges, changed
from alexnet.runs.finetune import finetuning_recipe, with_new_head
from alexnet.runs.job import Job, Packing, Start, pack_images, prepare, snapshot
from alexnet.runs.sizes import suitable_size
from alexnet.runs.ways import Division, Fold, Ways
from alexnet.text import quote_names
from alexnet.training import SaveEvery, StepDone, StopRequest, class_weights, train_epochs
from alexnet.weights import Weights

__all__ = ["CHOICE_FIELDS", "FEW_IMAGES", "Candidates", "prepare_candidates"]

CHOICE_FIELDS = ("seed", "val_fraction", "resize_mode")
"""Fields of a recipe that leave the choice open; any other asks for a training from scratch."""

FEW_IMAGES = 1000
"""Training images up to which folds are drawn: a tenth of them says little."""

_FOLDS = 3
_MOST_ROWS, _MOST_TRIED = 5000, 2000  # images of heads, where many are held out: 0.3 GB of features
_HEAD_LR, _BACKBONE_LR = 0.03, 0.003
_SMALLEST_BOX = 0.56  # of an image, as in the crops that the weights were made for
_EPOCHS, _AT_IMAGES, _EXPONENT = 10, 300, 0.35
_FEWEST_EPOCHS, _MOST_EPOCHS = 4, 20
_MOST_NAMES = 5
_HEAVIEST_CLASS = 4  # times the mean; a step that one image of more weight rules makes it diverge


@dataclass(frozen=True)
class Candidates:
    """All that is needed to try the ways and to follow the one that is chosen.

    Args:
        base: the weights to begin with, at the size at which classifiers are evaluated.
        trained: the same, at the size of the crops that are trained on.
        job: the fine-tuning of all training images.
        ways: on the images that classifiers are made of and tried on.
        crossed: whether these are divided into folds; otherwise some of them are held out as usual.
    """

    base: Weights
    trained: Weights
    job: Job
    ways: Ways
    crossed: bool

    def divide(self) -> Division:
        """Divide the images: those of a burst into one fold, or as they are held out already."""
        ways, job = self.ways, self.job
        if self.crossed:
            groups = burst_groups(job.pack, ways.indices, ways.base_views.plain.features)
            return Division(_fold_of(ways.labels, groups, job.recipe.seed), groups)
        held_out = ~np.isin(ways.indices, job.train)
        return Division(np.where(held_out, 0, -1), np.arange(len(held_out)))

    def evaluated(self, weights: Weights) -> Weights:
        """Return a trained network's weights at the size at which they are evaluated."""
        rule = self.base.preprocessing
        return weights.resized(image_px=rule.image_px, crop_px=rule.crop_px)

    def tune(self, fold: Fold, stop: StopRequest) -> Weights:
        """Fine-tune on what a fold trains on.

        Raises:
            Interrupted: somebody asked to stop.
            Diverged: the loss is not finite.
        """
        job = self.job
        start = _start(self.trained, len(job.pack.classes), job.recipe.seed)
        splits = {"train": self.ways.indices[fold.train]}
        device = job.training.device
        own = prepare(
            job.pack, job.recipe, device=device, packing=Packing(), start=start, splits=splits
        )
        with track("fine-tuning", own.recipe.epochs * len(fold.train)) as advance:
            for event in train_epochs(own.training, SaveEvery(), stop):
                if isinstance(event, StepDone):
                    advance(event.images)
        return self.evaluated(snapshot(own, own.network.state_dict()))


def prepare_candidates(
    images: Source | Pack,
    weights: Weights,
    changes: RecipeChanges,
    *,
    device: Device,
    packing: Packing,
) -> Candidates:
    """Decide sizes, splits and folds, and make the fine-tuning ready.

    Args:
        images: labeled.
        weights: to begin with.
        changes: of the fields in `CHOICE_FIELDS`.
        device: where networks run.
        packing: how to make the pack, where there is none yet.

    Raises:
        SourceError: images that cannot be used, or too few of them.
    """
    side, trained_px, evaluated_px = suitable_size(weights, images)
    mode = changes.get("resize_mode", weights.preprocessing.resize_mode)
    weights = _without_head(weights)
    weights = replace(weights, preprocessing=replace(weights.preprocessing, resize_mode=mode))
    trained = weights.resized(image_px=side, crop_px=trained_px)
    base = weights.resized(image_px=side, crop_px=evaluated_px)
    seed = changes.get("seed", 0)
    start = _start(trained, len(images.classes), seed)
    pack = pack_images(images, side, mode, packing)
    drawn = draw_splits(pack, val_fraction=0, seed=seed)
    few = len(drawn.indices["train"]) <= FEW_IMAGES
    if few:
        _require_two_images(pack.labels[drawn.indices["train"]])
    else:
        drawn = draw_splits(pack, val_fraction=changes.get("val_fraction", 0.1), seed=seed)
        _require_held_out(drawn.indices.get("val"))
    recipe = _tuning_recipe(start, pack.labels[drawn.indices["train"]], seed)
    job = prepare(pack, recipe, device=device, packing=packing, start=start, splits=drawn.indices)
    job = replace(job, warnings=tuple(drawn.warnings))
    if few:
        job = replace(job, warnings=(*job.warnings, *_about_single_images(pack, job.train)))
        job.training.validator = None  # what the user holds out chooses nothing
    ways = Ways(base, pack, job.train if few else _some_and_held_out(job, seed), device)
    return Candidates(base, trained, job, ways, few)


def _without_head(weights: Weights) -> Weights:
    """Return the weights of the network below a head; its own classes have no names any more."""
    network = weights.network()
    if not isinstance(network, HeadedNetwork):
        return weights
    backbone = network.backbone
    return replace(
        weights,
        arguments=backbone.arguments,
        state=backbone.state_dict(),
        classes=tuple(map(str, range(backbone.classes))),
        class_words={},
    )


def _start(weights: Weights, classes: int, seed: int) -> Start:
    """Return what to fine-tune, its new last layer drawn: a head is fitted when it is done."""
    return replace(with_new_head(weights, classes, seed=seed), fits_last_layer=False)


def _tuning_recipe(start: Start, labels: NDArray[np.int64], seed: int) -> Recipe:
    """Return the fine-tuning's recipe: the more images, the fewer passes over them.

    Classes of very unequal size are drawn equally often, where weights of the loss would let one
    image of the smallest rule a step.
    """
    epochs = round(_EPOCHS * (_AT_IMAGES / len(labels)) ** _EXPONENT)
    changes: RecipeChanges = {
        "epochs": min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS),
        "seed": seed,
        "early_stop": None,
    }
    if class_weights(labels, int(labels.max()) + 1).max() > _HEAVIEST_CLASS:
        changes |= {"class_weights": "none", "sampling": "balanced"}
    recipe = finetuning_recipe(
        start,
        head_lr=_HEAD_LR,
        backbone_lr=_BACKBONE_LR,
        changes=changes,
        freeze=_kept_layers(start.network),
        head_epochs=0,
    )
    boxes = max(recipe.random_resized_crop, _SMALLEST_BOX)
    return changed(recipe, {"random_resized_crop": boxes})


def _kept_layers(network: Network) -> list[str]:
    """Return the layers that fine-tuning leaves as they are.

    Batch normalizations: 32 images know less than what was learned. And what lies below the layers
    that heads read, but for the convolution right before them: a third of the time, for edges and
    colors that are the same on all photographs.
    """
    layers = dict(cast("Iterator[tuple[str, nn.Module]]", network.named_modules()))
    names = list(layers)
    first = default_blocks(network)[0].layer
    below = [name for name in names[: names.index(first)] if isinstance(layers[name], nn.Conv2d)]
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d)
    norms = [name for name, each in layers.items() if isinstance(each, kinds) and each.affine]
    return [*below[:-1], *norms]


def _require_two_images(labels: NDArray[np.int64]) -> None:
    if np.bincount(labels).max() < 2:
        raise SourceError(
            "No class has two images, so that none can be held out to measure a classifier. Bring "
            "at least two images of each class, or train unmeasured: --from scratch "
            "--val-fraction 0."
        )


def _require_held_out(val: NDArray[np.int64] | None) -> None:
    if val is None or not len(val):
        raise RecipeError(
            f"Nothing is held out, and of more than {FEW_IMAGES:,} training images it is the "
            "validation images that tell which way is best. Leave --val-fraction 0 out, or train "
            "unmeasured: --from scratch --val-fraction 0."
        )


def _about_single_images(pack: Pack, train: NDArray[np.int64]) -> list[str]:
    """Name the classes of one image: no fold holds it out."""
    counts = np.bincount(pack.labels[train], minlength=len(pack.classes))
    names = [name for name, count in zip(pack.classes, counts, strict=True) if count == 1]
    if not names:
        return []
    sentence = (
        f"Of {quote_names(names, _MOST_NAMES)} there is one training image, which is learned from "
        "and never held out: the cross-validated accuracy says nothing of it. Add images."
    )
    return [sentence]


def _fold_of(labels: NDArray[np.int64], groups: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return the fold that holds out each image; -1 for the one image of a class."""
    rows = np.flatnonzero(np.bincount(labels)[labels] > 1)
    fold_of = np.full(len(labels), -1)
    fold_of[rows] = stratified_group_folds(labels[rows], groups[rows], _FOLDS, seed)
    return fold_of


def _some_and_held_out(job: Job, seed: int) -> NDArray[np.int64]:
    """Return images that heads are fitted on, then some to try them on: what memory holds."""
    draw = np.random.default_rng(seed)
    parts = (job.train, _MOST_ROWS), (job.splits["val"], _MOST_TRIED)
    return np.concatenate(
        [np.sort(draw.choice(part, min(most, len(part)), replace=False)) for part, most in parts]
    )
