"""`alexnet weights`: what others have published, and how to have it here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from alexnet.commands.arguments import optional_path
from alexnet.errors import RecipeError
from alexnet.records import PublishedWeights, WeightsDownload, WeightsList
from alexnet.text import shorten

__all__ = ["weights_"]


def weights_(
    action: Literal["list", "show", "get"] = "list",
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
        action: list them all, show all that is known of one, or get one.
        name: of the weights to show or get; timm/NAME: a model of timm's from the model hub.
        folder: where to put the files; none: weights in the cache folder, where names are known.
        unverified: take a file that its publisher gives no hash of.

    Returns:
        The list, of one where it is shown; or where the files lie.

    Raises:
        WeightsError: no such weights, no connection, or another file than the published one.
        RecipeError: no name, or one too many.
        RunError: the disk refuses.
    """
    from alexnet.weights import PUBLISHED, bundled_list, get_weights

    _check(action, name)
    if action != "get" and (folder is not None or unverified):
        raise RecipeError("To download weights write: alexnet weights get NAME")
    if action == "list":
        if name is not None:
            raise RecipeError(
                f"`list` lists them all. One of them: alexnet weights show {shorten(name)}; to "
                f"download it: alexnet weights get {shorten(name)}"
            )
        return WeightsList(weights=[*bundled_list(), *PUBLISHED.values()])
    if name is None:
        raise RecipeError(f"Name the weights to {action}: {', '.join(PUBLISHED)}.")
    if action == "show":
        return WeightsList(weights=[_shown(name)])
    place = optional_path(folder)
    return _made(get_weights(name, place, unverified=unverified), place)


def _check(action: Any, name: Any) -> None:
    if action not in ("list", "show", "get"):
        raise RecipeError(f'action must be "list", "show" or "get"; got "{shorten(action)}".')
    if name is not None and not isinstance(name, str):
        raise RecipeError(
            f"Weights are named by a text; got a value of type {type(name).__name__}."
        )


def _shown(name: str) -> PublishedWeights:
    from alexnet.weights import bundled_list, find_published

    if name.startswith("timm/"):
        raise RecipeError(
            f"The model hub has {shorten(name)}, and its figures: they are not listed here. Get "
            f"it: alexnet weights get {shorten(name)}"
        )
    bundled = next((each for each in bundled_list() if each.name == name), None)
    return bundled or find_published(name)


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
