"""`alexnet train`: from a folder of images to measured weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, Unpack

from alexnet.commands.arguments import optional_path
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.records import TrainReport

__all__ = ["train"]

_log = logging.getLogger(__name__)


def train(
    source: Path | str,
    *,
    recipe: str | None = None,
    run_dir: Path | str | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Path | str | None = None,
    exclude: Path | str | None = None,
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
    save_every: float | str = 10.0,
    restart: bool = False,
    **changes: Unpack[RecipeChanges],
) -> TrainReport:
    """Train a classifier on a folder, an archive, a table or a pack of labeled images.

    The same call again continues a run that was stopped, and says so where it is finished.

    Args:
        source: one folder per class (with or without train/val/test above), a .tar, .tar.gz or
            .zip of that, a CSV or Parquet table (path, label, optional split), or a pack.
        recipe: paper, program, cifar, small, digits, or a .json file that holds one; none: the
            recipe that suits the model.
        run_dir: run folder; none: runs/<date>-<source>-<model>.
        cache: auto keeps the decoded images in the cache folder, none in memory.
        unreadable: skip names unreadable images in a list, fail stops at the first one.
        quarantine: folder to copy unreadable images to.
        exclude: list of images to leave out: a path a line, or what check --exclude-to wrote.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        precision: of convolutions and products; auto measures which is faster here, and goes on
            with what a run began with.
        threads: threads of arithmetic; none: every core, and for a run that goes on as many as it
            began with.
        save_every: minutes between two checkpoints (10, 0.5), or steps ("500 steps"); one is always
            saved after an epoch.
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
    from alexnet.devices import choose_device
    from alexnet.recipes import choose_recipe
    from alexnet.runs import (
        FitOptions,
        Packing,
        fit,
        format_epoch,
        open_run,
        prepare,
        preparing,
        run_config,
        train_report,
    )
    from alexnet.training import SaveEvery, stop_on_signals
    from alexnet.trust import trusting

    every = SaveEvery.parse(save_every)
    options = FitOptions(save_every=every, precision=precision, threads=threads)
    packing = Packing(cache=cache, unreadable=unreadable, quarantine=optional_path(quarantine))
    folder, auto_lr = optional_path(run_dir), changes.get("lr") == "auto"
    if auto_lr:
        del changes["lr"]

    with trusting(changes.get("model")), stop_on_signals() as stop:
        chosen = choose_recipe(recipe, changes)
        with preparing(stop):
            device = choose_device(precision, threads)
            opened = open_source(
                Path(source),
                class_depth=class_depth,
                join_classes=join_classes,
                name_encoding=name_encoding,
            )
            images = exclude_listed(opened, optional_path(exclude))
            job = prepare(images, chosen, device=device, packing=packing)
            if auto_lr:
                chosen = resolve_lr(job, folder)
                job = prepare(job.pack, chosen, device=device, packing=packing)
        config = run_config(job, Path(source), **(AUTO if auto_lr else {}))
        with open_run(folder, config, restart=restart) as run:
            for epoch in fit(job, run, stop, options):
                _log.info("%s", format_epoch(epoch, job.recipe.epochs))
            return train_report(job, run)
