"""`alexnet finetune`: trained weights, other classes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, Unpack

from alexnet.commands.arguments import optional_path, weights_and_source
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.records import FinetuneReport

__all__ = ["finetune"]

_log = logging.getLogger(__name__)


def finetune(
    weights: Path | str | None = None,
    source: Path | str | None = None,
    *,
    head_lr: float = 0.01,
    backbone_lr: float = 0.001,
    freeze: tuple[str, ...] = (),
    head_epochs: int | None = None,
    compare: bool = False,
    crops: Literal[1, 5, 10] = 1,
    run_dir: Path | str | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Path | str | None = None,
    exclude: Path | str | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    save_every: float | str = 10.0,
    png: bool = False,
    restart: bool = False,
    **changes: Unpack[RecipeChanges],
) -> FinetuneReport:
    """Go on from trained weights on the images and classes of another source.

    The last layer is replaced by a new one for the source's classes, which is fitted on the
    features by logistic regression; then all layers are trained slowly. The preprocessing of the
    weights is kept, but for image_px and crop_px where the model takes images of any size.

    Args:
        weights: weights file, or the run folder that holds one; left out: small-200, which comes
            with the package.
        source: labeled images, as for train.
        head_lr: learning rate of the new last layer.
        backbone_lr: learning rate of the layers that are kept; 0 freezes them.
        freeze: layers that stay as they are: names, or ranges such as conv1..conv3.
        head_epochs: epochs, of all, in which the new last layer alone is trained; none: 0 where it
            could be fitted, else a tenth.
        compare: also train the same network from scratch, a logistic head on its features and two
            classic classifiers, and measure all on the same held-out images.
        crops: with --compare: views of each image whose predictions are averaged.
        run_dir: run folder; none: runs/<date>-<source>-<model>.
        cache: auto keeps the decoded images in the cache folder, none in memory.
        unreadable: skip names unreadable images in a list, fail stops at the first one.
        quarantine: folder to copy unreadable images to.
        exclude: list of images to leave out: a path a line, or what check --exclude-to wrote.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cache_gb: GB that the cache keeps of packs at s3://, gs://, az://, hf:// or https://; none:
            half of the free disk.
        precision: of convolutions and products; auto measures which is faster here, and goes on
            with what a run began with.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        threads: threads of arithmetic; none: every core, and for a run that goes on as many as it
            began with.
        save_every: minutes between two checkpoints (10, 0.5), or steps ("500 steps"); one is always
            saved after an epoch.
        png: write the report's figures as PNG files, too; of a finished run, now.
        restart: start at the beginning; a run in the folder is moved aside, never deleted.
        **changes: any field of the recipe.

    Returns:
        The report, as `train` gives it, and its baselines.

    Raises:
        WeightsError: the weights cannot be read.
        RecipeError: a rate is not above 0, or a field of the recipe cannot be.
        AlexNetError: as for `train`.
    """
    from alexnet.data import exclude_listed, open_source
    from alexnet.devices import choose_device
    from alexnet.errors import RecipeError
    from alexnet.runs import (
        FitOptions,
        Packing,
        as_begun,
        finetuning_recipe,
        fit,
        format_epoch,
        open_run,
        prepare,
        preparing,
        resized_weights,
        run_config,
        train_report,
        with_new_head,
    )
    from alexnet.runs.baselines import Baselines, require_held_out
    from alexnet.training import SaveEvery, stop_on_signals
    from alexnet.weights import load_weights

    if head_lr <= 0 or backbone_lr < 0:
        raise RecipeError(
            f"head_lr must be above 0 and backbone_lr at least 0; got {head_lr}, {backbone_lr}."
        )
    if "lr" in changes:
        raise RecipeError(
            "lr is two rates here: --head-lr of the new last layer and --backbone-lr of the others."
        )
    if crops > 1 and not compare:
        raise RecipeError(
            "crops is for --compare. To measure fine-tuned weights on more crops write: alexnet "
            "evaluate RUN SOURCE --crops 10"
        )
    base, place = weights_and_source(weights, source, verb="finetune")
    every = SaveEvery.parse(save_every)
    options = FitOptions(
        save_every=every,
        precision=precision,
        threads=threads,
        exact_convolutions=exact_convolutions,
        png=png,
    )
    packing = Packing(cache=cache, unreadable=unreadable, quarantine=optional_path(quarantine))
    with stop_on_signals() as stop:
        with preparing(stop):
            opened = open_source(
                place,
                class_depth=class_depth,
                join_classes=join_classes,
                name_encoding=name_encoding,
                cache_gb=cache_gb,
            )
            images = exclude_listed(opened, optional_path(exclude))
            seed = changes.get("seed", 0)
            trained = resized_weights(load_weights(base), changes)
            start = with_new_head(trained, len(images.classes), seed=seed)
            recipe = finetuning_recipe(
                start,
                head_lr=head_lr,
                backbone_lr=backbone_lr,
                changes=changes,
                freeze=freeze,
                head_epochs=head_epochs,
            )
            device = choose_device(precision, threads, exact_convolutions=exact_convolutions)
            job = prepare(images, recipe, device=device, packing=packing, start=start)
            if compare:
                require_held_out(job)
        config = run_config(job, place)
        with open_run(optional_path(run_dir), config, restart=restart) as run:
            job = as_begun(job, run.folder / "split.csv")
            for epoch in fit(job, run, stop, options):
                _log.info("%s", format_epoch(epoch, job.recipe.epochs))
            report = train_report(job, run)
    if not compare:
        return FinetuneReport(**vars(report))
    baselines = Baselines(report, job, trained, place, crops=crops, options=options)
    return FinetuneReport(**vars(report), baselines=baselines.measure())
