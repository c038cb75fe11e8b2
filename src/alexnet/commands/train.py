"""`alexnet train`: from a folder of images to measured weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, Unpack

from alexnet.commands.arguments import optional_path
from alexnet.commands.processes import launch_processes
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.records import TrainReport

__all__ = ["train"]

_log = logging.getLogger(__name__)


def train(
    source: Path | str,
    *,
    from_: Path | str | None = None,
    recipe: str | None = None,
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
    processes: int | None = None,
    parallel: Literal["auto", "data", "hybrid", "towers"] = "auto",
    save_every: float | str = 10.0,
    png: bool = False,
    restart: bool = False,
    **changes: Unpack[RecipeChanges],
) -> TrainReport:
    """Train a classifier on a folder, an archive, a table or a pack of labeled images.

    It begins with trained weights and tries which way from them suits the images: a head on their
    features, fine-tuning, both. From scratch where a recipe, or a field that shapes a training
    (--model, --epochs, ...), asks for it. The same call again continues a run that was stopped, and
    says so where it is finished.

    Args:
        source: one folder per class (with or without train/val/test above), a .tar, .tar.gz or
            .zip of that, a CSV or Parquet table (path, label, optional split), or a pack.
        from_: scratch, or weights to begin with (a file, a run folder, a name); none: small-200,
            which comes with the package.
        recipe: of a training from scratch: paper, program, cifar, small, digits, or a .json file
            that holds one; none: the recipe that suits the model.
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
        processes: how many processes of this machine train together, each with its part of every
            batch; as "torchrun --nproc-per-node" does. The batch is the whole one.
        parallel: how processes share a network: data, all of it in each; hybrid, the fully
            connected layers in parts; towers, one of the paper's two towers in each; auto, what
            takes the least time to send.
        save_every: minutes between two checkpoints (10, 0.5), or steps ("500 steps"); one is always
            saved after an epoch.
        png: write the report's figures as PNG files, too; of a finished run, now.
        restart: start at the beginning; a run in the folder is moved aside, never deleted.
        **changes: any field of the recipe.

    Returns:
        The report; its `run_dir` holds weights, journal, results and a page for people.

    Raises:
        SourceError: the images cannot be used.
        RecipeError: a setting cannot work.
        RunError: the run folder belongs to something else, or the disk refuses.
        Diverged: the loss is not finite or does not fall; says why and what to do.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.commands.tune import AUTO, resolve_lr
    from alexnet.data import exclude_listed, open_source
    from alexnet.distributed import device_of_all, together, world
    from alexnet.recipes import choose_recipe
    from alexnet.runs import (
        FitOptions,
        Packing,
        fit,
        follow_best_way,
        format_epoch,
        open_run,
        prepare,
        prepare_candidates,
        preparing,
        run_config,
        train_report,
    )
    from alexnet.training import SaveEvery, stop_on_signals
    from alexnet.trust import trusting
    from alexnet.weights import DEFAULT_WEIGHTS, load_weights, suggested_weights

    launched = launch_processes(processes, "train")
    if launched is not None:
        return TrainReport.from_json(launched)
    every = SaveEvery.parse(save_every)
    options = FitOptions(
        save_every=every,
        precision=precision,
        threads=threads,
        exact_convolutions=exact_convolutions,
        png=png,
        parallel=parallel,
    )
    packing = Packing(cache=cache, unreadable=unreadable, quarantine=optional_path(quarantine))
    folder, auto_lr = optional_path(run_dir), changes.get("lr") == "auto"
    from_scratch = _is_from_scratch(from_, recipe, changes)
    if auto_lr:
        del changes["lr"]

    with together(), trusting(changes.get("model")), stop_on_signals() as stop:
        chosen = choose_recipe(recipe, changes)
        with preparing(stop):
            opened = open_source(
                source,
                class_depth=class_depth,
                join_classes=join_classes,
                name_encoding=name_encoding,
                cache_gb=cache_gb,
            )
            images = exclude_listed(opened, optional_path(exclude))
            device = device_of_all(precision, threads, exact_convolutions=exact_convolutions)
            if not from_scratch:
                weights = load_weights(Path(from_ or DEFAULT_WEIGHTS))
                candidates = prepare_candidates(
                    images, weights, changes, device=device, packing=packing
                )
                job = candidates.job
            else:
                candidates = None
                job = prepare(images, chosen, device=device, packing=packing)
            if auto_lr:
                chosen = resolve_lr(job, folder)
                job = prepare(job.pack, chosen, device=device, packing=packing)
        facts = AUTO if auto_lr else {"way": "chosen"} if candidates else {}
        config = run_config(job, source, **facts)
        with open_run(folder, config, restart=restart) as run:
            if from_scratch and from_ is None:
                _log.info("From scratch, as its settings ask; without them: with trained weights.")
            epochs = (
                follow_best_way(candidates, run, stop, options)
                if candidates
                else fit(job, run, stop, options)
            )
            for epoch in epochs:
                _log.info("%s", format_epoch(epoch, job.recipe.epochs))
            if candidates and from_ is None:
                more = suggested_weights(len(job.train))
                _log.info("Other weights may do better; %s, then --from that name.", more)
            report = train_report(job, run).to_json() if world().first else None
            return TrainReport.from_json(world().from_first(report))


def _is_from_scratch(from_: Path | str | None, recipe: str | None, changes: RecipeChanges) -> bool:
    """Tell a training from scratch from one that begins with weights.

    Raises:
        RecipeError: weights, and settings that a training from scratch alone has.
    """
    from alexnet.errors import RecipeError
    from alexnet.runs import CHOICE_FIELDS

    shaping = ["recipe"] if recipe else []
    shaping += [name for name in changes if name not in CHOICE_FIELDS]
    if str(from_) == "scratch":
        return True
    if from_ is not None and shaping:
        raise RecipeError(
            f"{shaping[0]} belongs to a training from scratch. Leave it out: with weights `train` "
            f"settles it by itself. Or fine-tune with your own settings: alexnet finetune {from_} "
            f"SOURCE --{shaping[0].replace('_', '-')} ..."
        )
    return bool(shaping)
