"""Where rooms meet: from a recipe and a source to pack, preprocessing, batches and a training."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data import (
    Augmentation,
    Cache,
    Pack,
    Source,
    TrainLoader,
    Unreadable,
    assign_splits,
    channel_deviation,
    channel_mean,
    mean_image,
    pack_of,
    principal_colours,
)
from alexnet.devices import Device
from alexnet.errors import RecipeError, SourceError
from alexnet.evaluation import evaluate_pack, evaluate_weights, measure
from alexnet.images import Preprocessing
from alexnet.models import Network, build_model, is_foreign
from alexnet.recipe import Recipe
from alexnet.records import Results
from alexnet.training import (
    Cause,
    PaperMomentum,
    Schedule,
    Training,
    Validation,
    capture_for,
    causes_of_standstill,
    class_weights,
    label_entropy,
    make_objective,
)
from alexnet.weights import Weights

__all__ = [
    "Job",
    "Packing",
    "Start",
    "examine",
    "final_results",
    "prepare",
    "snapshot",
]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How a source becomes a pack; shapes nothing but the time it takes and what is left out."""

    cache: Cache = "auto"
    unreadable: Unreadable = "skip"
    quarantine: Path | None = None


@dataclass(frozen=True)
class Job:
    """A training that is ready to run, with the data and the values that it was made of."""

    recipe: Recipe
    network: Network
    pack: Pack
    splits: dict[str, NDArray[np.int64]]
    preprocessing: Preprocessing
    class_words: dict[str, str]
    training: Training
    origin: str | None  # digest of the weights that it starts from; None: the model's first ones
    loader: TrainLoader  # where the training's batches come from

    @property
    def train(self) -> NDArray[np.int64]:
        """Indices of the training pictures in the pack."""
        return self.splits["train"]

    @property
    def held_out(self) -> str | None:
        """The split that the final figures come from: test, else val."""
        return next((each for each in ("test", "val") if len(self.splits.get(each, ()))), None)

    @property
    def label_entropy(self) -> float:
        """The loss of knowing nothing but the class sizes, in nats."""
        return label_entropy(self.pack.labels[self.train], len(self.pack.classes))


@dataclass(frozen=True)
class Start:
    """A trained network to go on from, with the preprocessing that it knows."""

    network: Network
    preprocessing: Preprocessing
    origin: str | None  # digest of the weights that it was made of; None: of none


def prepare(
    source: Source | Pack,
    recipe: Recipe,
    *,
    device: Device,
    packing: Packing,
    start: Start | None = None,
) -> Job:
    """Build everything that a training needs; the network first, so that bad settings cost nothing.

    Args:
        source: labelled pictures, or a pack that was made of them.
        recipe: how to train.
        device: where to train.
        packing: how to make the pack, where `source` is not one already.
        start: what to go on from; None: the recipe's model with its first weights. The recipe's
            model, sizes and preprocessing are those of the start.

    Raises:
        RecipeError: names, geometry or settings that cannot work.
        SourceError: pictures that cannot be used, or too few of them.
    """
    network = start.network if start else _new_network(recipe, len(source.classes))
    optimiser = PaperMomentum(device.place(network), recipe, network.decay)
    pack = _packed(source, network.image_px, recipe, packing)
    splits = assign_splits(pack, val_fraction=recipe.val_fraction, seed=recipe.seed)
    if recipe.schedule == "plateau" and not len(splits.get("val", ())):
        raise RecipeError(
            'The schedule "plateau" follows the validation error, and there are no validation '
            "pictures. Give --val-fraction above 0, or another --schedule."
        )
    preprocessing = (
        start.preprocessing if start else _preprocessing(recipe, network, pack, splits["train"])
    )
    loader = TrainLoader(
        pack,
        splits["train"],
        preprocessing,
        _augmentation(recipe, pack, splits["train"]),
        batch=recipe.batch,
        seed=recipe.seed,
        sampling=recipe.sampling,
        device_kind=device.kind,
    )
    labels = pack.labels[splits["train"]]
    weights = class_weights(labels, len(pack.classes)) if recipe.class_weights == "auto" else None
    capture, why_no_graph = capture_for(device, own=not is_foreign(network.model))
    training = Training(
        network=network,
        objective=make_objective(recipe.loss, weights, smoothing=recipe.label_smoothing),
        optimiser=optimiser,
        schedule=Schedule(recipe, loader.steps_per_epoch),
        batches=loader.epoch,
        device=device,
        seed=recipe.seed,
        validate=lambda: _validate(network, preprocessing, pack, splits.get("val")),
        capture=capture,
        why_no_graph=why_no_graph,
    )
    words = dict(source.class_words)
    origin = start.origin if start else None
    return Job(recipe, network, pack, splits, preprocessing, words, training, origin, loader)


def snapshot(job: Job, state: dict[str, Tensor]) -> Weights:
    """Return some tensors of the job's network as weights that are enough by themselves."""
    return Weights(
        model=job.network.model,
        arguments=job.network.arguments,
        state=state,
        classes=tuple(job.pack.classes),
        class_words=job.class_words,
        preprocessing=job.preprocessing,
        recipe=job.recipe.to_json(),
    )


def final_results(
    job: Job, weights: Weights, crops: int = 1
) -> tuple[Results, NDArray[np.float32]] | None:
    """Measure weights on the held-out split; also return the (N, K) probabilities."""
    if job.held_out is None:
        return None
    indices = job.splits[job.held_out]
    return evaluate_weights(weights, job.pack, indices, job.training.device, crops=crops)


def examine(job: Job) -> list[Cause]:
    """Measure on one batch why the loss stands still."""
    training = job.training
    batch = next(iter(training.batches(0, 0)))
    return causes_of_standstill(
        job.network,
        job.network.stages,
        batch.images[:64].to(training.device.kind),
        optimiser=training.optimiser,
        rates=training.schedule.rates(max(training.state.step - 1, 0)),
        pictures=len(job.train),
    )


def _new_network(recipe: Recipe, classes: int) -> Network:
    return build_model(
        recipe.model,
        classes=classes,
        activation=recipe.activation,
        dropout=recipe.dropout,
        image_px=recipe.image_px,
        crop_px=recipe.crop_px,
        initialisation=recipe.initialisation,
        seed=recipe.seed,
    )


def _packed(source: Source | Pack, image_px: int, recipe: Recipe, packing: Packing) -> Pack:
    if isinstance(source, Pack):
        if (source.image_px, source.fit) != (image_px, recipe.fit):
            raise SourceError(
                f"The pack {source.folder} holds pictures of {source.image_px} pixels "
                f'({source.fit}); this recipe wants {image_px} ("{recipe.fit}"). Pack the source '
                f"again with --image-px {image_px} --fit {recipe.fit}, or train on the source."
            )
        return source
    return pack_of(
        source,
        image_px=image_px,
        fit=recipe.fit,
        cache=packing.cache,
        unreadable=packing.unreadable,
        quarantine=packing.quarantine,
    )


def _preprocessing(
    recipe: Recipe, network: Network, pack: Pack, train: NDArray[np.int64]
) -> Preprocessing:
    """Take mean and deviation from the training pictures alone."""
    mean = None
    if recipe.mean in ("image", "central"):
        mean = mean_image(pack, train)
    elif recipe.mean == "channel":
        mean = channel_mean(pack, train)
    return Preprocessing(
        image_px=network.image_px,
        crop_px=network.crop_px,
        fit=recipe.fit,
        order="RGB",
        mean=mean,
        mean_at="centre" if recipe.mean == "central" else "crop",
        scale=channel_deviation(pack, train) if recipe.standardise else None,
    )


def _augmentation(recipe: Recipe, pack: Pack, train: NDArray[np.int64]) -> Augmentation:
    return Augmentation(
        flip=recipe.flip,
        area=recipe.crop_area,
        crop_group=recipe.crop_group,
        colour=recipe.colour,
        colour_noise=recipe.colour_noise,
        colour_until=recipe.colour_until,
        seed=recipe.seed,
        principal=principal_colours(pack, train) if recipe.colour_noise else None,
    )


def _validate(
    network: Network,
    preprocessing: Preprocessing,
    pack: Pack,
    indices: NDArray[np.int64] | None,
) -> Validation | None:
    if indices is None or not len(indices):
        return None
    found, labels = evaluate_pack(network, preprocessing, pack, indices)
    results = measure(found, labels, pack.classes, crops=1)
    return Validation(results.loss, 1 - results.top1, 1 - results.top5)
