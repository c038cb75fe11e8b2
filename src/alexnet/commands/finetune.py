"""`alexnet finetune`: trained weights, other classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Unpack

from alexnet.commands.arguments import weights_and_source
from alexnet.commands.signature import Place, optional_path, recipe_flags
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.records import Compared, FinetuneReport

if TYPE_CHECKING:
    from alexnet.runs.job import Job

__all__ = ["finetune"]


@recipe_flags
def finetune(
    weights: Place,
    source: Place | None = None,
    *,
    lr_new: float = 0.01,
    lr_old: float = 0.001,
    freeze: tuple[str, ...] = (),
    head_epochs: int | None = None,
    compare: bool = False,
    crops: Literal[1, 5, 10] = 1,
    run: Place | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    quarantine: Place | None = None,
    precision: Precision = "auto",
    threads: int | None = None,
    save_every: float | str = 10.0,
    anew: bool = False,
    **changes: Unpack[RecipeChanges],
) -> FinetuneReport:
    """Go on from trained weights on the pictures and classes of another source.

    The last layer is replaced by a new one for the source's classes, which learns alone at first;
    all others are kept and learn slowly then. The preprocessing of the weights is kept.

    Args:
        weights: weights file, or the run folder that holds one; left out: small-200, which comes
            with the package.
        source: labelled pictures, as for train.
        lr_new: learning rate of the new last layer.
        lr_old: learning rate of the layers that are kept; 0 freezes them.
        freeze: layers that stay as they are: names, or ranges such as conv1..conv3.
        head_epochs: epochs, of all, in which the new last layer learns alone; none: a tenth.
        compare: also train the same network from scratch, and a logistic head on its features, and
            measure the three on the same held-out pictures.
        crops: with --compare: views of each picture whose answers are averaged.
        run: run folder; none: runs/<date>-<source>-<model>.
        cache: auto keeps the decoded pictures in the cache folder, none in memory.
        unreadable: skip names unreadable pictures in a list, fail stops at the first one.
        quarantine: folder to copy unreadable pictures to.
        precision: of convolutions and products; auto measures which is faster here, and goes on
            with what a run began with.
        threads: threads of arithmetic; none: every core, and for a run that goes on as many as it
            began with.
        save_every: minutes between two checkpoints (10, 0.5), or steps ("500 steps"); one is always
            saved after an epoch.
        anew: start at the beginning; a run that lies in the folder is moved aside, never deleted.
        **changes: any field of the recipe.

    Returns:
        The report, as `train` gives it, and what it was compared with.

    Raises:
        WeightsError: the weights cannot be read.
        RecipeError: a rate is not above 0, or a field of the recipe cannot be.
        AlexNetError: as for `train`.
    """
    from alexnet.data import open_source
    from alexnet.devices import choose_device
    from alexnet.errors import RecipeError
    from alexnet.runs import finetuning_recipe, with_new_head
    from alexnet.runs.baselines import Comparison, refuse_nothing_held_out
    from alexnet.runs.job import Packing, prepare
    from alexnet.runs.session import conduct
    from alexnet.weights import load_weights

    if lr_new <= 0 or lr_old < 0:
        raise RecipeError(f"lr_new must be above 0 and lr_old at least 0; got {lr_new}, {lr_old}.")
    if "lr" in changes:
        raise RecipeError(
            "lr is two rates here: --lr-new of the new last layer and --lr-old of the others."
        )
    if crops > 1 and not compare:
        raise RecipeError(
            "crops is for --compare. To measure fine-tuned weights on more crops write: alexnet "
            "evaluate RUN SOURCE --crops 10"
        )
    chosen, place = weights_and_source(weights, source)
    packing = Packing(cache=cache, unreadable=unreadable, quarantine=optional_path(quarantine))
    jobs: list[Job] = []

    def make() -> Job:
        pictures = open_source(place)
        seed = changes.get("seed", 0)
        start = with_new_head(load_weights(chosen), len(pictures.classes), seed=seed)
        recipe = finetuning_recipe(
            start,
            lr_new=lr_new,
            lr_old=lr_old,
            changes=changes,
            freeze=freeze,
            head_epochs=head_epochs,
        )
        device = choose_device(precision, threads)
        jobs.append(prepare(pictures, recipe, device=device, packing=packing, start=start))
        if compare:
            refuse_nothing_held_out(jobs[-1])
        return jobs[-1]

    report = conduct(
        make,
        place,
        optional_path(run),
        save_every=save_every,
        anew=anew,
        precision=precision,
        threads=threads,
    )
    compared: list[Compared] = []
    if compare:
        base = load_weights(chosen)
        compared = Comparison(
            report, jobs[-1], base, place, crops=crops, precision=precision, threads=threads
        ).ways()
    return FinetuneReport(**vars(report), compared=compared)
