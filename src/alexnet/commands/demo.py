"""`alexnet demo`: a first training on a fresh machine, without images of one's own."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alexnet.errors import RunError, SourceError
from alexnet.files import disk_errors
from alexnet.progress import track
from alexnet.records import DemoReport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["SPLITS", "demo", "digit_files", "write_digits"]

SPLITS = ("train", "test")

_CLASSES = [str(digit) for digit in range(10)]
_TEST_EVERY = 5  # of each class the fifth, tenth, ... image is held out
_SIDE_PX = 32  # of the original bitmaps, of which scikit-learn has counts in 8 x 8 blocks


def write_digits(folder: Path) -> None:
    """Write scikit-learn's 1,797 digits as PNG files: `folder/train/7/0042.png`.

    Each 8 x 8 image counts the ink in blocks of 4 x 4 pixels; it is resized to the original size,
    dark on white. A complete folder is left alone.

    Args:
        folder: written in whole or not at all.

    Raises:
        SourceError: scikit-learn is missing.
        RunError: the folder is there and holds something else, or the disk refuses.
    """
    if folder.exists():
        _require_digits(folder)
        return
    images, labels = _load()
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            _write_all(unfinished, images, labels)
            unfinished.chmod(0o755)  # mkdtemp made it for its owner alone
            unfinished.rename(folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise


def digit_files(folder: Path, split: str) -> list[Path]:
    """Return the files of a split, class by class."""
    return sorted((folder / split).glob("*/*.png"))


def _require_digits(folder: Path) -> None:
    for split in SPLITS:
        path = folder / split
        if not path.is_dir() or sorted(child.name for child in path.iterdir()) != _CLASSES:
            raise RunError(
                f"{folder} exists and does not hold the digits of the demo. "
                "Name another folder with --folder."
            )


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (N, 8, 8) counts of ink in 0..16, and (N,) which digit each is."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SourceError(
            "The demo trains on the handwritten digits of scikit-learn, which is not "
            'installed: pip install "alexnet[learn]".'
        ) from None
    digits = cast("Any", load_digits())
    return digits.images, digits.target


def _write_all(folder: Path, images: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    for name in (f"{split}/{digit}" for split in SPLITS for digit in _CLASSES):
        (folder / name).mkdir(parents=True)
    with track("writing digits", len(images)) as advance:
        for index, name in _file_names(labels):
            _write(folder / name, images[index])
            advance()


def _file_names(labels: NDArray[np.int64]) -> Iterator[tuple[int, str]]:
    """Yield the index of each image and its file name."""
    counts = [0] * 10
    for index, digit in enumerate(labels.tolist()):
        counts[digit] += 1
        split = "train" if counts[digit] % _TEST_EVERY else "test"
        yield index, f"{split}/{digit}/{index:04}.png"


def _write(path: Path, ink: NDArray[np.float64]) -> None:
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.rint(255 - ink * (255 / 16)).astype(np.uint8))
    image.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC).save(path, "PNG")


_FOLDER = Path("runs", "demo")
_RECIPE = "digits"
_THREADS = 1  # nearly as fast as two for so little work, and far faster on a busy machine


def demo(*, folder: Path | str | None = None) -> DemoReport:
    """Train, evaluate and predict on handwritten digits, and draw the report.

    The digits are the 1,797 of scikit-learn, written as image files, a folder for each digit; a
    fifth of them is held out. Less than a minute on two cores.

    The same call again continues where it was stopped, or shows the results of a finished demo.

    Args:
        folder: where images and run go; none: runs/demo.

    Returns:
        The reports of the three verbs, and where the files are.

    Raises:
        SourceError: scikit-learn is missing.
        RunError: the folder holds something else, or the disk refuses.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.commands.evaluate import evaluate
    from alexnet.commands.predict import predict
    from alexnet.commands.train import train
    from alexnet.recipes import choose_recipe

    started = time.monotonic()
    root = _FOLDER if folder is None else Path(folder)
    images, run = root / "digits", root / "run"
    write_digits(images)
    trained = train(images, recipe=_RECIPE, run_dir=run, cache="none", threads=_THREADS)
    held_out = digit_files(images, "test")
    first = {path.parent.name: path for path in reversed(held_out)}
    return DemoReport(
        images=str(images),
        splits={split: len(digit_files(images, split)) for split in SPLITS},
        model=choose_recipe(_RECIPE, {}).model,
        train=trained,
        results=evaluate(run, images, split="test"),
        predictions=predict(run, *[first[digit] for digit in sorted(first)], top=1),
        seconds=time.monotonic() - started,
    )
