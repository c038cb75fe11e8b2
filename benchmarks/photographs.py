"""What each way from a folder of photographs to a classifier is worth, on your own images.

    python benchmarks/photographs.py grocery.tar signs.tar --seeds 3
    python benchmarks/photographs.py photos --ways train "features + logistic"

A source has a part of its own for measuring, `test` or `val`, which nothing here learns from. Each
way is the command with its defaults, in a run folder under `--out`; given again, what is there is
read back. Prints for each source the accuracy on that part, one center crop, as mean and deviation
over the seeds, and the seconds of making the classifier.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import alexnet
from alexnet.data import SPLITS, Pack, load_pack, open_source
from alexnet.devices import cores, processor, share_cores
from alexnet.files import read_json, write_json
from alexnet.records import FeaturesReport, HeadReport, TrainReport
from alexnet.transfer.image_baselines import IMAGE_PX, fit_image_baselines

Way = Callable[[Path, Path, int], float]
"""From a source, a folder and a seed to an accuracy on the source's own test or val part."""


def main() -> None:
    share_cores()  # as the command line does
    asked = _arguments()
    print(f"{processor()}, {cores()} cores, {asked.seeds} seeds", flush=True)
    print("| source | way | accuracy | deviation | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for source in asked.sources:
        for name in asked.ways:
            made = [_made(name, source, asked.out, seed) for seed in range(asked.seeds)]
            top1 = [each["top1"] for each in made]
            seconds = statistics.mean(each["seconds"] for each in made)
            spread = statistics.stdev(top1) if len(top1) > 1 else 0.0
            cells = f"{statistics.mean(top1):.1%} | {100 * spread:.1f} | {seconds:,.0f}"
            print(f"| {source.stem} | {name} | {cells} |", flush=True)


def _made(name: str, source: Path, out: Path, seed: int) -> dict[str, float]:
    """Make a classifier and measure it, or read back what came of it."""
    folder = out / source.stem / name.replace(" ", "-") / str(seed)
    file = folder / "measured.json"
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        top1 = WAYS[name](source, folder, seed)
        write_json(file, {"top1": top1, "seconds": time.monotonic() - started})
    return read_json(file)


def _train(source: Path, folder: Path, seed: int) -> float:
    return _held_out(alexnet.train(source, run_dir=folder / "run", seed=seed))


def _scratch(source: Path, folder: Path, seed: int) -> float:
    return _held_out(alexnet.train(source, from_="scratch", run_dir=folder / "run", seed=seed))


def _finetune(source: Path, folder: Path, seed: int) -> float:
    return _held_out(alexnet.finetune("small-200", source, run_dir=folder / "run", seed=seed))


def _features(source: Path, folder: Path, seed: int) -> float:
    report = alexnet.features("small-200", source, head="logistic", out=folder / "head.safetensors")
    return _held_out(report)


def _held_out(report: TrainReport | HeadReport | FeaturesReport) -> float:
    if isinstance(report, FeaturesReport) or report.results is None:
        raise SystemExit("Nothing was measured.")
    if report.split not in ("val", "test"):
        raise SystemExit("The source needs a folder test or val, which nothing learns from.")
    return report.results.top1


def _baseline(index: int) -> Way:
    """Return the way of one of the classic classifiers."""

    def measure(source: Path, folder: Path, seed: int) -> float:
        images = open_source(source)
        if isinstance(images, Pack):
            raise SystemExit("Give the images themselves: a pack has them at one size.")
        pack = load_pack(images, image_px=IMAGE_PX, resize_mode="crop")
        train, val, test = (
            np.flatnonzero(pack.splits == SPLITS.index(name)) for name in ("train", "val", "test")
        )
        held_out = test if len(test) else val
        fitted = fit_image_baselines(pack.read(train), pack.labels[train], seed=seed)[index]
        predicted = fitted.predict_proba(pack.read(held_out)).argmax(axis=1)
        return float((fitted.classes[predicted] == pack.labels[held_out]).mean())

    return measure


WAYS: dict[str, Way] = {
    "color histogram, forest": _baseline(0),
    "HOG and color, SVM": _baseline(1),
    "train --from scratch": _scratch,
    "finetune": _finetune,
    "features + logistic": _features,
    "train": _train,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path, nargs="+", help="with a part test or val")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path("runs/photographs"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
