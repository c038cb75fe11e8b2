"""`alexnet tune lr`: the learning-rate range test."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Unpack

from alexnet.cli.flags import Place, optional_path, recipe_flags
from alexnet.devices import Precision
from alexnet.recipe import RecipeChanges
from alexnet.search_records import TuneReport

__all__ = ["tune"]


@recipe_flags
def tune(
    field: Literal["lr"],
    source: Place,
    *,
    recipe: str | None = None,
    out: Place | None = None,
    cache: Literal["auto", "none"] = "auto",
    unreadable: Literal["skip", "fail"] = "skip",
    precision: Precision = "auto",
    threads: int | None = None,
    **changes: Unpack[RecipeChanges],
) -> TuneReport:
    """Find a learning rate by the range test: it rises over one short pass.

    A hundred steps from first weights, while the rate rises evenly in powers of ten from 1e-7 to
    10; it stops where the loss explodes. The suggestion is the middle of the fall of the smoothed
    loss, in powers of ten. Nothing is kept but the picture. `train --lr auto` does the same.

    Args:
        field: lr, the learning rate.
        source: labelled pictures, as for train.
        recipe: how to train, as for train; its rate and schedule are not used.
        out: page to write, with the picture; none: runs/<date>-<source>-<model>-lr.html.
        cache: auto keeps the decoded pictures in the cache folder, none in memory.
        unreadable: skip names unreadable pictures in a list, fail stops at the first one.
        precision: of convolutions and products; auto measures which is faster here.
        threads: threads of arithmetic; none: every core.
        **changes: any field of the recipe.

    Returns:
        The suggestion with its reason, and rate and loss of every step.

    Raises:
        SourceError: the pictures cannot be used.
        RecipeError: a setting cannot work.
        Diverged: the loss falls at no rate.
    """
    from alexnet.cli.tuning import conduct_tuning
    from alexnet.trust import trusting

    with trusting(changes.get("model")):
        return conduct_tuning(
            Path(source),
            recipe,
            changes,
            out=optional_path(out),
            cache=cache,
            unreadable=unreadable,
            precision=precision,
            threads=threads,
        )
