"""`alexnet search`: values for the fields of a recipe, found by training trials."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from alexnet.commands.arguments import optional_path
from alexnet.devices import Precision
from alexnet.errors import RecipeError
from alexnet.recipe import RecipeChanges
from alexnet.records import SearchReport

__all__ = ["search"]


def search(
    source: Path | str,
    *,
    trials: int,
    minutes: float | None = None,
    recipe: str | None = None,
    run_dir: Path | str | None = None,
    vary: tuple[str, ...] = (),
    space: Path | str | None = None,
    sampler: Literal["random", "tpe", "grid", "quasi-random"] = "random",
    pruner: Literal["halving", "hyperband", "none"] = "halving",
    workers: int = 1,
    storage: str | None = None,
    retrain: int = 0,
    dry_run: bool = False,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    class_depth: int | None = None,
    join_classes: bool = False,
    name_encoding: str | None = None,
    cache_gb: float | None = None,
    precision: Precision = "auto",
    exact_convolutions: bool = False,
    threads: int | None = None,
    save_every: float | str = 10.0,
    **changes: Unpack[RecipeChanges],
) -> SearchReport:
    """Search for the fields of a recipe that give the lowest validation error.

    The same call again continues a study that was stopped or killed, or joins its other workers.
    The test split is not used, but once by `retrain`.

    Args:
        source: labeled images, as for train. Without val, some of train are held out, the same
            for every trial.
        trials: how many are to finish, pruned and failed ones among them; more than before
            continues a study.
        minutes: after so many no trial is started; those that run are finished.
        recipe: the fields that do not vary, as for train.
        run_dir: folder of the study; none: runs/<date>-<source>-<model>-search.
        vary: the search space: lr=1e-4..1e-1:log dropout=0.2..0.8 activation=relu,tanh, or a field
            with its default bounds; none: lr, momentum, weight_decay, batch_size and dropout.
        space: a .json or .toml file of the search space.
        sampler: how values are sampled.
        pruner: which trials are stopped early when they fall behind.
        workers: processes on this machine, its cores divided between them.
        storage: journal file, or postgresql://USER@HOST/DATABASE, that other machines share; none:
            a journal in the folder.
        retrain: train the best recipe with so many other seeds, and evaluate those on test.
        dry_run: show the search space and what a trial costs, and do nothing.
        cache: auto keeps the decoded images in the cache folder, none in memory.
        unreadable: skip names unreadable images in a list, fail stops at the first one.
        class_depth: level of the class folders, 1 for the top ones; none: told by names and
            structure.
        join_classes: take classes for one whose names look alike (Cat, cat; 1, 1.0).
        name_encoding: of names in a zip or tar that does not say it; none: told by their bytes.
        cache_gb: GB that the cache keeps of packs at s3://, gs://, az://, hf:// or https://; none:
            half of the free disk.
        precision: of convolutions and products; auto measures which is faster here.
        exact_convolutions: in fp32 convolve as torch does, also where Winograd's form, which rounds
            other last digits, is faster here.
        threads: threads of arithmetic, of all workers together; none: every core.
        save_every: minutes between two checkpoints of a trial (10, 0.5), or steps ("500 steps");
            one is always saved after an epoch.
        **changes: any field of the recipe, which then does not vary.

    Returns:
        The report: every trial, the best one, the page; `best_recipe` is what train takes.

    Raises:
        RecipeError: a bound, a field or a setting is invalid, before the first trial.
        RunError: the folder or the storage holds another study, or cannot be used.
        SourceError: the images cannot be used.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.studies import SearchOptions, run_search
    from alexnet.trust import trusting

    for name, value, least in (("trials", trials, 1), ("workers", workers, 1)):
        if value < least:
            raise RecipeError(f"{name} must be at least {least}; got {value}.")
    if retrain < 0 or (minutes is not None and minutes <= 0):
        raise RecipeError(
            f"retrain must be at least 0 and minutes above 0; got {retrain} and {minutes}."
        )
    if vary and space is not None:
        raise RecipeError(
            "The search space is given twice, by --vary and by --space. Give one of them."
        )
    options = SearchOptions(
        source=Path(source),
        recipe=recipe,
        changes=changes,
        folder=optional_path(run_dir),
        vary=vary,
        space=optional_path(space),
        sampler=sampler,
        pruner=pruner,
        trials=trials,
        minutes=minutes,
        workers=workers,
        storage=storage,
        retrain=retrain,
        dry_run=dry_run,
        cache=cache,
        unreadable=unreadable,
        precision=precision,
        exact_convolutions=exact_convolutions,
        threads=threads,
        save_every=save_every,
        class_depth=class_depth,
        join_classes=join_classes,
        name_encoding=name_encoding,
        cache_gb=cache_gb,
    )
    with trusting(changes.get("model")):
        return run_search(options)
