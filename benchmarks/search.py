"""Random search, TPE and a grid with the same number of trials: the best error against trials.

    python benchmarks/search.py cifar10.zip --out runs/search-benchmark

Takes the first images of each class of the archive's training part, searches them with each
sampler and seed, nothing pruned, and prints a table: after 1, 2, 4, ... trials the mean and the
deviation over the seeds of the best validation error. Each study is a folder that is gone on with,
and `results.json` is written anew after each, so the same command continues what was stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import zipfile
from pathlib import Path
from typing import Any

import alexnet
from alexnet.devices import processor
from alexnet.records import SearchReport

VARY = ("lr=1e-5..1e-1:log", "momentum=0.5..0.98", "weight_decay=1e-5..1e-1:log")


def main() -> None:
    """Search with every sampler and seed, then print the table."""
    arguments = _arguments()
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alexnet").setLevel(logging.INFO)
    source = some_images(arguments.archive, arguments.images, arguments.out / "images")
    found: list[dict[str, Any]] = []
    for seed in range(arguments.seeds):
        for sampler in arguments.samplers:
            report = alexnet.search(
                source,
                recipe="cifar",
                vary=tuple(arguments.vary),
                trials=arguments.trials,
                sampler=sampler,
                pruner="none",
                run_dir=arguments.out / f"{sampler}-{seed}",
                precision="fp32",
                threads=1,
                seed=seed,
                epochs=arguments.epochs,
                image_px=arguments.image_px,
                crop_px=arguments.image_px,
                schedule="cosine",
                initialization="he",
                mean="channel",
                normalize=True,
            )
            found.append(_summary(report, sampler, seed))
            text = json.dumps({"machine": processor(), "studies": found}, indent=1)
            (arguments.out / "results.json").write_text(text)
    print(f"{processor()}, Python {platform.python_version()}, one thread")
    print(f"{arguments.images:,} images of {arguments.image_px} pixels, {arguments.epochs} epochs,")
    print(f"{arguments.trials} trials, {arguments.seeds} seeds")
    print()
    print(_table(found, arguments.samplers, arguments.trials))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("archive", type=Path, help="cifar10.zip: NAME/train/CLASS/IMAGE")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is made")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe", "grid"])
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--image-px", type=int, default=16, help="side of the stored images")
    parser.add_argument("--vary", nargs="+", default=list(VARY))
    return parser.parse_args()


def some_images(archive: Path, count: int, folder: Path) -> Path:
    """Write the first images of each class, by name, as a folder of classes."""
    if folder.is_dir():
        return folder
    with zipfile.ZipFile(archive) as file:
        classes: dict[str, list[str]] = {}
        for name in sorted(file.namelist()):
            parts = name.split("/")
            if len(parts) == 4 and parts[1] == "train" and parts[3]:
                classes.setdefault(parts[2], []).append(name)
        for label, names in classes.items():
            place = folder.with_suffix(".part") / label
            place.mkdir(parents=True, exist_ok=True)
            for name in names[: count // len(classes)]:
                (place / Path(name).name).write_bytes(file.read(name))
    folder.with_suffix(".part").rename(folder)
    return folder


def _summary(report: SearchReport, sampler: str, seed: int) -> dict[str, Any]:
    """Return what the table is made of: each trial's error in the order of the trials."""
    trials = report.trials
    beside = [
        each.seconds - each.training_seconds
        for each in trials
        if each.seconds is not None and each.training_seconds is not None
    ]
    return {
        "sampler": sampler,
        "seed": seed,
        "errors": [each.val_error if each.state == "complete" else None for each in trials],
        "params": [each.params for each in trials],
        "failed": sum(each.state == "failed" for each in trials),
        "importance": report.importance,
        "seconds_beside_training": statistics.median(beside) if beside else None,
    }


def _table(found: list[dict[str, Any]], samplers: list[str], trials: int) -> str:
    counts = [n for n in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64) if n <= trials]
    rows = ["| sampler | " + " | ".join(map(str, counts)) + " | failed | beside |"]
    rows.append("|" + " --- |" * (len(counts) + 3))
    for sampler in samplers:
        studies = [each for each in found if each["sampler"] == sampler]
        cells = [_cell([_best(each["errors"][:n]) for each in studies]) for n in counts]
        failed = statistics.mean(each["failed"] for each in studies)
        beside = statistics.median(each["seconds_beside_training"] or 0.0 for each in studies)
        rows.append(f"| {sampler} | " + " | ".join(cells) + f" | {failed:.1f} | {beside:.2f} s |")
    return "\n".join(rows)


def _best(errors: list[float | None]) -> float:
    return min((each for each in errors if each is not None), default=1.0)


def _cell(errors: list[float]) -> str:
    spread = f" ± {100 * statistics.stdev(errors):.1f}" if len(errors) > 1 else ""
    return f"{100 * statistics.mean(errors):.1f}{spread}"


if __name__ == "__main__":
    main()
