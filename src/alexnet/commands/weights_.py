"""`alexnet weights`: what others have published, and how to have it here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from alexnet.commands.arguments import optional_path
from alexnet.errors import RecipeError
from alexnet.records import WeightsDownload, WeightsList

__all__ = ["weights_"]


def weights_(
    action: Literal["list", "get"] = "list",
    name: str | None = None,
    *,
    folder: Path | str | None = None,
    unverified: bool = False,
) -> WeightsList | WeightsDownload:
    """List published weights, or download some and make them ready for use by their name.

    A download that was stopped goes on where it was, and only the file with the published hash is
    kept. What was got is known by its name wherever weights are asked for. ALEXNET_WEIGHTS_MIRROR
    names an address below which the files are looked for instead.

    Args:
        action: list them all, or get one.
        name: of the weights to get; timm/NAME: a model of timm's from the model hub.
        folder: where to put the files; none: weights in the cache folder, where names are known.
        unverified: take a file that its publisher gives no hash of.

    Returns:
        The list, or where the files lie.

    Raises:
        WeightsError: no such weights, no connection, or another file than the published one.
        RecipeError: no name, or one too many.
        RunError: the disk refuses.
    """
    from alexnet.weights import PUBLISHED, bundled_list, get_weights

    if action == "list":
        if name is not None or folder is not None or unverified:
            raise RecipeError("To download weights write: alexnet weights get NAME")
        return WeightsList(weights=[*bundled_list(), *PUBLISHED.values()])
    if name is None:
        raise RecipeError(f"Name the weights to get: {', '.join(PUBLISHED)}.")
    place = optional_path(folder)
    return _made(get_weights(name, place, unverified=unverified), place)


def _made(got: WeightsDownload, folder: Path | None) -> WeightsDownload:
    """Make the weights file of what was downloaded, unless it is there already."""
    from alexnet.importers import import_published
    from alexnet.weights import made_file, save_weights

    file = made_file(got.name, folder)
    imported = import_published(got)
    if imported is None:
        return got
    save_weights(file, imported.weights)
    return replace(got, weights=str(file), remarks=list(imported.remarks))
