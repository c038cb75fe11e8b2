"""Which weights a verb uses where none are named: those that come with the package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alexnet.commands.signature import Place
from alexnet.errors import SourceError
from alexnet.weights.prefetch import DEFAULT, FILE_NAME

__all__ = ["weights_and_pictures", "weights_and_source"]

_OF_WEIGHTS = {".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".pkl", ".caffemodel", ".onnx"}


def weights_and_source(weights: Place, source: Place | None) -> tuple[Path, Path]:
    """Tell a call with weights and a source from one with a source alone."""
    return (Path(DEFAULT), Path(weights)) if source is None else (Path(weights), Path(source))


def weights_and_pictures(weights: Place, pictures: Sequence[Place]) -> tuple[Path, list[Place]]:
    """Tell a call whose first word is weights from one that begins with pictures.

    Pictures are: "-", a file that is not called as weights are anywhere, and, where no picture is
    named beside it, a folder without weights in it.

    Raises:
        SourceError: the one word names a file that is not there, and not as weights are called.
    """
    first = Path(weights)
    alone = first.is_dir() and not pictures and not (first / FILE_NAME).is_file()
    named = first.suffix.lower() in _OF_WEIGHTS
    picture = first.is_file() and not named
    if not pictures and not first.exists() and first.suffix and not named:
        raise SourceError(f"{first} is not there. Look at the name of the picture.")
    if str(first) == "-" or alone or picture:
        return Path(DEFAULT), [weights, *pictures]
    return first, list(pictures)
