"""`alexnet train`: from a folder of pictures to measured weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from alexnet.commands.signature import Place, optional_path, recipe_flags
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.records import TrainReport

if TYPE_CHECKING:
    from alexnet.runs.job import Job

__all__ = ["train"]


@recipe_flags
def train(
    source: Place,
    *,
    recipe: str | None = None,
    run: Place | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Place | None = None,
    exclude: Place | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
    save_every: float | str = 10.0,
    anew: bool = False,
    **changes: Unpack[RecipeChanges],
) -> TrainReport:
    """Train a classifier on a folder, an archive, a table or a pack of labelled pictures.

    The same call again continues a run that was stopped, and says so where it is finished.

    Args:
        source: one folder per class (with or without train/val/test above), a .tar, .tar.gz or
            .zip of that, a CSV or Parquet table (path, label, optional split), or a pack.
        recipe: paper, program, cifar, small, digits, or a .json file that holds one; none: the
            recipe that suits the model.
        run: run folder; none: runs/<date>-<source>-<model>.
        cache: auto keeps the decoded pictures in the cache folder, none in memory.
        unreadable: skip names unreadable pictures in a list, fail stops at the first one.
        quarantine: folder to copy unreadable pictures to.
        exclude: list of pictures to leave out: a path a line, or what check --exclude-to wrote.
        precision: of convolutions and products; auto measures which is faster here, and goes on
            with what a run began with.
        threads: threads of arithmetic; none: every core, and for a run that goes on as many as it
            began with.
        save_every: minutes between two checkpoints (10, 0.5), or steps ("500 steps"); one is always
            saved after an epoch.
        anew: start at the beginning; a run that lies in the folder is moved aside, never deleted.
        **changes: any field of the recipe.

    Returns:
        The report; its `run` folder holds weights, journal, results and a page for people.

    Raises:
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        RunError: the run folder belongs to something else, or the disk refuses.
        Diverged: the loss is not finite or does not move; says why and what to do.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.commands.tune import AUTO, settled_rate
    from alexnet.data import leave_out, open_source
    from alexnet.devices import choose_device
    from alexnet.recipes import choose_recipe
    from alexnet.runs.job import Packing, prepare
    from alexnet.runs.session import Manner, conduct
    from alexnet.trust import trusting

    place, folder = Path(source), optional_path(run)
    packing = Packing(cache=cache, unreadable=unreadable, quarantine=optional_path(quarantine))
    tested = changes.get("lr") == "auto"
    if tested:
        del changes["lr"]

    with trusting(changes.get("model")):
        chosen = choose_recipe(recipe, changes)

        def make() -> Job:
            device = choose_device(precision, threads)
            pictures = leave_out(open_source(place), optional_path(exclude))
            job = prepare(pictures, chosen, device=device, packing=packing)
            if not tested:
                return job
            return prepare(job.pack, settled_rate(job, folder), device=device, packing=packing)

        return conduct(
            make,
            place,
            folder,
            save_every=save_every,
            anew=anew,
            precision=precision,
            threads=threads,
            manner=Manner(also_asked=AUTO if tested else {}),
        )
