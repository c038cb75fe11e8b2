"""`alexnet search`: values for the fields of a recipe, found by training short trials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Unpack

from cyclopts import Parameter

from alexnet.commands.signature import Place, optional_path, recipe_flags
from alexnet.devices import Precision
from alexnet.errors import RecipeError
from alexnet.recipe import RecipeChanges
from alexnet.records import SearchReport

__all__ = ["search"]

Fields = Annotated[tuple[str, ...], Parameter(metavar="FIELD=VALUES", show_default=False)]


@recipe_flags
def search(
    source: Place,
    *,
    trials: int,
    minutes: float | None = None,
    recipe: str | None = None,
    run: Place | None = None,
    vary: Fields = (),
    space: Place | None = None,
    sampler: Literal["random", "tpe", "grid", "quasi-random"] = "random",
    pruner: Literal["halving", "hyperband", "none"] = "halving",
    workers: int = 1,
    storage: str | None = None,
    retrain: int = 0,
    dry_run: bool = False,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    precision: Precision = "auto",
    threads: int | None = None,
    save_every: float | str = 10.0,
    **changes: Unpack[RecipeChanges],
) -> SearchReport:
    """Search for the fields of a recipe that give the lowest validation error.

    The same call again continues a study that was stopped or killed, or joins its other workers.
    The test split is not looked at, but once by `retrain`.

    Args:
        source: labelled pictures, as for train. Without val, some of train are held out, the same
            for every trial.
        trials: how many are to come to an end, pruned and failed ones among them; more than before
            goes on with a study.
        minutes: after so many no trial is begun; those under way are finished.
        recipe: what does not move, as for train.
        run: folder of the study; none: runs/<date>-<source>-<model>-search.
        vary: what moves: lr=1e-4..1e-1:log dropout=0.2..0.8 activation=relu,tanh, or a field alone
            with its usual bounds; none: lr, momentum, decay, batch and dropout.
        space: a .json or .toml file that says the same.
        sampler: how values are drawn.
        pruner: which trials are given up when they fall behind.
        workers: processes on this machine, its cores divided between them.
        storage: journal file, or postgresql://USER@HOST/DATABASE, that other machines share; none:
            a journal in the folder.
        retrain: train the best recipe with so many other seeds, and measure those on test.
        dry_run: say what moves and what a trial costs, and do nothing.
        cache: auto keeps the decoded pictures in the cache folder, none in memory.
        unreadable: skip names unreadable pictures in a list, fail stops at the first one.
        precision: of convolutions and products; auto measures which is faster here.
        threads: threads of arithmetic, of all workers together; none: every core.
        save_every: minutes between two checkpoints of a trial (10, 0.5), or steps ("500 steps");
            one is always saved after an epoch.
        **changes: any field of the recipe, which then does not move.

    Returns:
        The report: every trial, the best one, the page; `best_recipe` is what train takes.

    Raises:
        RecipeError: a bound, a field or a setting that cannot be, before the first trial.
        RunError: the folder or the storage holds another study, or cannot be used.
        SourceError: the pictures cannot be used.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.studies.session import Asked, conduct_search
    from alexnet.trust import trusting

    for name, value, least in (("trials", trials, 1), ("workers", workers, 1)):
        if value < least:
            raise RecipeError(f"{name} must be at least {least}; got {value}.")
    if retrain < 0 or (minutes is not None and minutes <= 0):
        raise RecipeError(
            f"retrain must be at least 0 and minutes above 0; got {retrain} and {minutes}."
        )
    if vary and space is not None:
        raise RecipeError("What moves is said twice, by --vary and by --space. Give one of them.")
    asked = Asked(
        source=Path(source),
        recipe=recipe,
        changes=changes,
        folder=optional_path(run),
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
        threads=threads,
        save_every=save_every,
    )
    with trusting(changes.get("model")):
        return conduct_search(asked)
