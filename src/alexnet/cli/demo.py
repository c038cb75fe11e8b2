"""`alexnet demo`: a first answer on a fresh machine, without pictures of one's own."""

from __future__ import annotations

import time
from pathlib import Path

from alexnet.cli.flags import Place
from alexnet.records import DemoReport

__all__ = ["demo"]

_FOLDER = Path("runs", "demo")
_RECIPE = "digits"
_THREADS = 1  # nearly as fast as two for so little work, and several times where others compute


def demo(*, folder: Place | None = None) -> DemoReport:
    """Train, evaluate and predict on handwritten digits, and draw the report.

    The digits are the 1,797 of scikit-learn, written as picture files, a folder for each digit; a
    fifth of them is held out. Less than a minute on two cores.

    The same call again continues where it was stopped, and shows what is there when it was done
    before; another folder makes it anew.

    Args:
        folder: where pictures and run go; none: runs/demo.

    Returns:
        What was found, and where everything lies.

    Raises:
        SourceError: scikit-learn is missing.
        RunError: the folder holds something else, or the disk refuses.
        Interrupted: stopped by Ctrl-C or SIGTERM; the same call continues.
    """
    from alexnet.cli.digits import SPLITS, digit_files, write_digits
    from alexnet.cli.evaluate import evaluate
    from alexnet.cli.predict import predict
    from alexnet.cli.train import train
    from alexnet.recipes import choose_recipe

    started = time.monotonic()
    place = _FOLDER if folder is None else Path(folder)
    pictures, run = place / "digits", place / "run"
    write_digits(pictures)
    trained = train(pictures, recipe=_RECIPE, run=run, cache="none", threads=_THREADS)
    held_out = digit_files(pictures, "test")
    first = {path.parent.name: path for path in reversed(held_out)}
    return DemoReport(
        pictures=str(pictures),
        splits={split: len(digit_files(pictures, split)) for split in SPLITS},
        model=choose_recipe(_RECIPE, {}).model,
        train=trained,
        results=evaluate(run, pictures, split="test"),
        predictions=predict(run, *[first[digit] for digit in sorted(first)], top=1),
        seconds=time.monotonic() - started,
    )
