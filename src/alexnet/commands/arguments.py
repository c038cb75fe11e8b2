"""What the arguments of a verb stand for: paths, and weights where none are named."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from alexnet.errors import RecipeError, RunError, SourceError, WeightsError
from alexnet.files import as_path, require_usable_path
from alexnet.urls import as_url, shown_place
from alexnet.weights import DEFAULT_WEIGHTS, RUN_WEIGHTS

__all__ = [
    "local_path",
    "optional_path",
    "require_weights_first",
    "weights_and_images",
    "weights_and_source",
]

_WEIGHTS_SUFFIXES = {
    *(".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".caffemodel", ".onnx"),
    *(".h5", ".hdf5", ".keras", ".tflite", ".mlmodel", ".pb", ".gguf", ".pt2", ".pdparams"),
    *(".params", ".prototxt", ".weights", ".t7", ".engine"),
}


def optional_path(path: Path | str | None) -> Path | None:
    """Return the path on this machine that a text or a path stands for, if there is one.

    Raises:
        RunError: it is the address of a store.
    """
    return None if path is None else local_path(path)


def local_path(path: Path | str) -> Path:
    """Return the path on this machine that a text or a path stands for.

    Raises:
        RunError: it is the address of a store.
    """
    if as_url(path) is not None:
        raise RunError(
            f"{shown_place(path)} is an address, and files are written on this machine alone. Name "
            "a folder or a file here; the store's own tool copies it there."
        )
    return Path(path)


def weights_and_source(
    weights: Path | str | None, source: Path | str | None, *, verb: str
) -> tuple[Path, Path]:
    """Tell a call with weights and a source from one with a source alone.

    Raises:
        RecipeError: neither is named, or the source comes first.
    """
    if weights is None and source is None:
        raise RecipeError(
            f"{verb} needs SOURCE: labeled images, after the weights where some are named. "
            f"See: alexnet {verb} --help"
        )
    if weights is None or source is None:
        named = source if weights is None else weights
        return Path(DEFAULT_WEIGHTS), as_path(named, SourceError, "A source of images")
    weights = as_path(weights, WeightsError, "A weights file")
    source = as_path(source, SourceError, "A source of images")
    require_weights_first(weights, [source], verb=verb)
    return weights, source


def require_weights_first(weights: Path | str, images: Sequence[Path | str], *, verb: str) -> None:
    """Raise where images stand in the place of the weights, and weights among the images.

    Raises:
        RecipeError: with the command in the right order.
    """
    named = [image for image in images if _is_path(image) and _are_weights(image)]
    if not named or _are_weights(weights) or not Path(weights).exists():
        return
    others = [weights, *(image for image in images if image is not named[0])]
    command = shlex.join(["alexnet", verb, str(named[0]), *map(str, others)])
    raise RecipeError(
        f"{named[0]} are weights, and {weights} holds none: weights come first. Write: {command}"
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _are_weights(path: Path | str) -> bool:
    """Whether a path is a run folder with weights in it, or a weights file by its name."""
    path = Path(path)
    try:
        if path.is_dir():
            return (path / RUN_WEIGHTS).is_file()
        return str(path) == DEFAULT_WEIGHTS or (
            path.suffix.lower() in _WEIGHTS_SUFFIXES and path.is_file()
        )
    except (OSError, ValueError):  # a name that no system takes
        return False


def weights_and_images(
    weights: Path | str | None, images: Sequence[Path | str]
) -> tuple[Path, list[Path | str]]:
    """Tell a call whose first word is weights from one that begins with images.

    Images are: "-", a file that is not called as weights are anywhere, and, where no image is
    named beside it, a folder without weights in it.

    Raises:
        SourceError: the one word names a file that is not there, and not as weights are called.
        RecipeError: the weights stand behind the images.
    """
    if weights is None:
        return Path(DEFAULT_WEIGHTS), list(images)
    if not _is_path(weights):  # an image in memory
        return Path(DEFAULT_WEIGHTS), [weights, *images]
    require_weights_first(weights, images, verb="predict")
    first = Path(weights)
    require_usable_path(first, WeightsError)
    alone = first.is_dir() and not images and not (first / RUN_WEIGHTS).is_file()
    named = first.suffix.lower() in _WEIGHTS_SUFFIXES
    image = first.exists() and not first.is_dir() and not named  # a pipe is one as well
    if not images and not first.exists() and first.suffix and not named:
        raise SourceError(f"{first} is not there. Look at the name of the image.")
    if str(first) == "-" or alone or image:
        return Path(DEFAULT_WEIGHTS), [weights, *images]
    return first, list(images)
