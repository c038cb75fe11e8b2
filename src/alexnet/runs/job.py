"""From a recipe and a source to all that a training needs: pack, preprocessing, batches, steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from alexnet.data import (
    SPLITS,
    Augmentation,
    CacheMode,
    Pack,
    Source,
    SplitAssignment,
    TrainLoader,
    UnreadableMode,
    channel_mean,
    channel_std,
    color_pca,
    draw_splits,
    load_pack,
    mean_image,
    read_split_csv,
)
from alexnet.devices import Device
from alexnet.errors import RecipeError, RunError, SourceError
from alexnet.evaluation import calibrated_loss, compute_metrics, evaluate_pack
from alexnet.images import Preprocessing
from alexnet.models import Network, build_model, is_external
from alexnet.recipe import Recipe, ResizeMode
from alexnet.training import (
    FEW_VALIDATION_IMAGES,
    Cause,
    PaperMomentum,
    Schedule,
    Stepper,
    Training,
    Validation,
    can_step_in_backward,
    capture_for,
    class_weights,
    diagnose_stall,
    label_entropy,
    make_loss,
)
from alexnet.weights import Weights

__all__ = [
    "Job",
    "Packing",
    "Start",
    "as_begun",
    "diagnose",
    "pack_images",
    "prepare",
    "snapshot",
]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How a source becomes a pack; shapes nothing but the time it takes and what is left out."""

    cache: CacheMode = "auto"
    unreadable: UnreadableMode = "skip"
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
    start: Start | None = None  # as `prepare` was given it
    warnings: tuple[str, ...] = ()  # what a reader of the figures should know of the splits

    @property
    def train(self) -> NDArray[np.int64]:
        """Indices of the training images in the pack."""
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
class PackValidator:
    """Measures a network on images of a pack, one center crop each."""

    network: Network
    preprocessing: Preprocessing
    pack: Pack
    indices: NDArray[np.int64]

    def validate(self) -> Validation:
        """Measure it with the weights that it has now."""
        probabilities, labels = evaluate_pack(
            self.network, self.preprocessing, self.pack, self.indices, together=True
        )
        results = compute_metrics(probabilities, labels, self.pack.classes, crops=1)
        calibrated = None
        if len(labels) < FEW_VALIDATION_IMAGES:  # whose loss chooses the epoch
            calibrated = calibrated_loss(probabilities, labels)
        return Validation(results.loss, 1 - results.top1, 1 - results.top5, calibrated)


@dataclass(frozen=True)
class Start:
    """A trained network to go on from, with the preprocessing that it knows."""

    network: Network
    preprocessing: Preprocessing
    origin: str | None  # digest of the weights that it was made of; None: of none
    fits_last_layer: bool = False  # by logistic regression, before the first step


def prepare(
    source: Source | Pack,
    recipe: Recipe,
    *,
    device: Device,
    packing: Packing,
    start: Start | None = None,
    splits: Mapping[str, NDArray[np.int64]] | None = None,
) -> Job:
    """Build everything that a training needs; the network first, so that bad settings cost nothing.

    Args:
        source: labeled images, or a pack that was made of them.
        recipe: how to train.
        device: where to train.
        packing: how to make the pack, where `source` is not one already.
        start: what to go on from; None: the recipe's model with its first weights. The recipe's
            model, sizes and preprocessing are those of the start.
        splits: which images are for what, where that was decided before; None: drawn now.

    Raises:
        RecipeError: names, geometry or settings that cannot work.
        SourceError: images that cannot be used, or too few of them.
    """
    network = start.network if start else _new_network(recipe, len(source.classes))
    optimizer = PaperMomentum(device.place(network), recipe, network.weight_decay)
    pack = pack_images(source, network.image_px, recipe.resize_mode, packing)
    drawn = _splits(pack, recipe) if splits is None else SplitAssignment(dict(splits))
    train, val = drawn.indices["train"], drawn.indices.get("val")
    preprocessing = start.preprocessing if start else _preprocessing(recipe, network, pack, train)
    loader = TrainLoader(
        pack,
        train,
        preprocessing,
        _augmentation(recipe, pack, train),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        sampling=recipe.sampling,
        device_kind=device.kind,
    )
    labels = pack.labels[train]
    weights = class_weights(labels, len(pack.classes)) if recipe.class_weights == "auto" else None
    loss = make_loss(recipe.loss, weights, smoothing=recipe.label_smoothing)
    own = not is_external(network.model)
    capture, why_no_graph = capture_for(device, own=own)
    in_backward = can_step_in_backward(network, device, own=own)
    training = Training(
        stepper=Stepper(network, loss, optimizer, capture, why_no_graph, in_backward=in_backward),
        schedule=Schedule(
            recipe, loader.steps_per_epoch, val_images=None if val is None else len(val)
        ),
        batches=loader.epoch,
        device=device,
        seed=recipe.seed,
        validator=None
        if val is None or not len(val)
        else PackValidator(network, preprocessing, pack, val),
        # A last layer that was fitted knows features by these statistics alone.
        keeps_statistics=start is not None and start.fits_last_layer,
    )
    words = dict(source.class_words)
    origin = start.origin if start else None
    return Job(
        recipe,
        network,
        pack,
        drawn.indices,
        preprocessing,
        words,
        training,
        origin,
        loader,
        start,
        drawn.warnings,
    )


def as_begun(job: Job, split_file: Path) -> Job:
    """Return a job with the splits that its run began with, whatever would be drawn now.

    Args:
        job: no step of it was made yet.
        split_file: `split.csv` of the run; where it is missing the job is as it was.

    Raises:
        RunError: the file is damaged, or not of these images.
    """
    if not split_file.is_file():
        return job
    codes = np.array([SPLITS.index(split) for _, _, split in read_split_csv(split_file)])
    if len(codes) != len(job.pack):
        raise RunError(
            f"{split_file} lists {len(codes):,} images, and the run has {len(job.pack):,}. Restore "
            "the file, or start again with --restart."
        )
    begun = {name: np.flatnonzero(codes == SPLITS.index(name)) for name in SPLITS if name}
    begun = {name: indices for name, indices in begun.items() if len(indices)}
    if begun.keys() == job.splits.keys() and all(
        np.array_equal(indices, job.splits[name]) for name, indices in begun.items()
    ):
        return job
    device, packing = job.training.device, Packing()
    return prepare(
        job.pack, job.recipe, device=device, packing=packing, start=job.start, splits=begun
    )


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


def diagnose(job: Job) -> list[Cause]:
    """Measure on one batch why the loss does not fall."""
    training = job.training
    batch = next(iter(training.batches(0, 0)))
    return diagnose_stall(
        job.network,
        job.network.stages,
        batch.images[:64].to(training.device.kind),
        optimizer=training.optimizer,
        rates=training.schedule.rates(max(training.state.step - 1, 0)),
        train_images=len(job.train),
    )


def _new_network(recipe: Recipe, classes: int) -> Network:
    return build_model(
        recipe.model,
        classes=classes,
        activation=recipe.activation,
        dropout=recipe.dropout,
        image_px=recipe.image_px,
        crop_px=recipe.crop_px,
        initialization=recipe.initialization,
        seed=recipe.seed,
    )


def pack_images(
    source: Source | Pack, image_px: int, resize_mode: ResizeMode, packing: Packing
) -> Pack:
    """Return a source's pack, made where there is none yet; a pack as it is.

    Raises:
        SourceError: images that cannot be used, or a pack of another size.
    """
    if isinstance(source, Pack):
        if (source.image_px, source.resize_mode) != (image_px, resize_mode):
            raise SourceError(
                f"The pack {source.folder} holds images of {source.image_px} pixels "
                f'({source.resize_mode}); this recipe needs {image_px} ("{resize_mode}"). '
                f"Pack the source again with --image-px {image_px} --resize-mode "
                f"{resize_mode}, or train on the source."
            )
        return source
    return load_pack(
        source,
        image_px=image_px,
        resize_mode=resize_mode,
        cache=packing.cache,
        unreadable=packing.unreadable,
        quarantine=packing.quarantine,
    )


def _splits(pack: Pack, recipe: Recipe) -> SplitAssignment:
    drawn = draw_splits(pack, val_fraction=recipe.val_fraction, seed=recipe.seed)
    if recipe.schedule == "plateau" and "val" not in drawn.indices:
        raise RecipeError(
            'The schedule "plateau" follows the validation error, and there are no validation '
            "images. Give --val-fraction above 0, or another --schedule."
        )
    return drawn


def _preprocessing(
    recipe: Recipe, network: Network, pack: Pack, train: NDArray[np.int64]
) -> Preprocessing:
    """Take mean and deviation from the training images alone."""
    mean = None
    if recipe.mean in ("image", "central"):
        mean = mean_image(pack, train)
    elif recipe.mean == "channel":
        mean = channel_mean(pack, train)
    return Preprocessing(
        image_px=network.image_px,
        crop_px=network.crop_px,
        resize_mode=recipe.resize_mode,
        order="RGB",
        mean=mean,
        mean_at="center" if recipe.mean == "central" else "crop",
        std=channel_std(pack, train) if recipe.normalize else None,
    )


def _augmentation(recipe: Recipe, pack: Pack, train: NDArray[np.int64]) -> Augmentation:
    return Augmentation(
        flip=recipe.flip,
        random_resized_crop=recipe.random_resized_crop,
        crop_group=recipe.crop_group,
        color_jitter_form=recipe.color_jitter_form,
        color_jitter=recipe.color_jitter,
        color_jitter_until=recipe.color_jitter_until,
        seed=recipe.seed,
        color_pca=color_pca(pack, train) if recipe.color_jitter else None,
    )
