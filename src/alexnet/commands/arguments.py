"""What the arguments of a verb stand for: paths, and weights where none are named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alexnet.errors import SourceError
from alexnet.weights import DEFAULT_WEIGHTS, RUN_WEIGHTS

__all__ = ["optional_path", "weights_and_images", "weights_and_source"]

_WEIGHTS_SUFFIXES = {
    *(".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".caffemodel", ".onnx"),
    *(".h5", ".hdf5", ".keras", ".tflite", ".mlmodel", ".pb", ".gguf", ".pt2", ".pdparams"),
    *(".params", ".prototxt", ".weights", ".t7", ".engine"),
}


def optional_path(path: Path | str | None) -> Path | None:
    """Return the path that a text or a path stands for, if there is one."""
    return None if path is None else Path(path)


def weights_and_source(weights: Path | str, source: Path | str | None) -> tuple[Path, Path]:
    """Tell a call with weights and a source from one with a source alone."""
    return (
        (Path(DEFAULT_WEIGHTS), Path(weights)) if source is None else (Path(weights), Path(source))
    )


def weights_and_images(
    weights: Path | str, images: Sequence[Path | str]
) -> tuple[Path, list[Path | str]]:
    """Tell a call whose first word is weights from one that begins with images.

    Images are: "-", a file that is not called as weights are anywhere, and, where no image is
    named beside it, a folder without weights in it.

    Raises:
        SourceError: the one word names a file that is not there, and not as weights are called.
    """
    first = Path(weights)
    alone = first.is_dir() and not images and not (first / RUN_WEIGHTS).is_file()
    named = first.suffix.lower() in _WEIGHTS_SUFFIXES
    image = first.exists() and not first.is_dir() and not named  # a pipe is one as well
    if not images and not first.exists() and first.suffix and not named:
        raise SourceError(f"{first} is not there. Look at the name of the image.")
    if str(first) == "-" or alone or image:
        return Path(DEFAULT_WEIGHTS), [weights, *images]
    return first, list(images)
