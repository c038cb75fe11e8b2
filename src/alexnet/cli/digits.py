"""Handwritten digits as picture files: what the demonstration learns from."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alexnet.errors import RunError, SourceError
from alexnet.files import disk_errors
from alexnet.progress import track

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SPLITS", "digit_files", "write_digits"]

SPLITS = ("train", "test")

_CLASSES = [str(digit) for digit in range(10)]
_TEST_EVERY = 5  # of each class the fifth, tenth, ... picture is held out
_SIDE_PX = 32  # of the forms that the digits were written on, before they were counted into 8 x 8


def write_digits(folder: Path) -> None:
    """Write scikit-learn's 1,797 digits as PNG files: `folder/train/7/0042.png`.

    Each 8 x 8 picture is a count of ink in squares of 4 x 4 dots; it is drawn at the size of those
    forms again, dark on white, softly between the counts. A folder that is whole is left alone.

    Args:
        folder: to make; it is there in whole or not at all.

    Raises:
        SourceError: scikit-learn is missing.
        RunError: the folder is there and holds something else, or the disk refuses.
    """
    if folder.exists():
        _check(folder)
        return
    images, labels = _load()
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _write_all(beside, images, labels)
            beside.chmod(0o755)  # mkdtemp made it for its owner alone
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise


def digit_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split, class by class."""
    return sorted((folder / split).glob("*/*.png"))


def _check(folder: Path) -> None:
    for split in SPLITS:
        found = folder / split
        if not found.is_dir() or sorted(each.name for each in found.iterdir()) != _CLASSES:
            raise RunError(
                f"{folder} is there already and does not hold the digits of the demonstration. "
                "Name another folder with --folder."
            )


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (N, 8, 8) counts of ink in 0..16, and (N,) which digit each is."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SourceError(
            "The demonstration learns from the handwritten digits of scikit-learn, which is not "
            'installed: pip install "alexnet[learn]".'
        ) from None
    digits = cast("Any", load_digits())
    return digits.images, digits.target


def _write_all(folder: Path, images: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    for name in (f"{split}/{digit}" for split in SPLITS for digit in _CLASSES):
        (folder / name).mkdir(parents=True)
    with track("writing digits", len(images)) as advance:
        for index, place in _places(labels):
            _write(folder / place, images[index])
            advance()


def _places(labels: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """Give each picture's number and where it goes."""
    seen = [0] * 10
    for index, digit in enumerate(labels.tolist()):
        seen[digit] += 1
        split = "train" if seen[digit] % _TEST_EVERY else "test"
        yield index, f"{split}/{digit}/{index:04}.png"


def _write(path: Path, ink: NDArray[np.float64]) -> None:
    import numpy as np
    from PIL import Image

    paper = Image.fromarray(np.rint(255 - ink * (255 / 16)).astype(np.uint8))
    paper.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC).save(path, "PNG")
