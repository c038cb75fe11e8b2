"""`alexnet weights`: what others have published, and how to have it here."""

from __future__ import annotations

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
) -> WeightsList | WeightsDownload:
    """List published weights that fit a network here, or download some.

    A download that was stopped goes on where it was, and only the file with the published hash is
    kept. ALEXNET_WEIGHTS_MIRROR names an address below which the files are looked for instead.

    Args:
        action: list them all, or get one.
        name: of the weights to get.
        folder: where to put the file; none: weights in the cache folder.

    Returns:
        The list, or where the file lies.

    Raises:
        WeightsError: no such weights, no connection, or another file than the published one.
        RecipeError: no name, or one too many.
        RunError: the disk refuses.
    """
    from alexnet.weights import PUBLISHED, bundled_list, get_weights

    if action == "list":
        if name is not None or folder is not None:
            raise RecipeError("To download weights write: alexnet weights get NAME")
        return WeightsList(weights=[*bundled_list(), *PUBLISHED.values()])
    if name is None:
        raise RecipeError(f"Name the weights to get: {', '.join(PUBLISHED)}.")
    return get_weights(name, optional_path(folder))
