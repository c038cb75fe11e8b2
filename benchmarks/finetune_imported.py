"""Whether fine-tuning keeps what a logistic head on the same features gets, on your own images.

    python benchmarks/finetune_imported.py squeezenet.safetensors grocery.tar signs.tar
    python benchmarks/finetune_imported.py small-200 photos --seeds 3 --epochs 10

Fits the last layer of the weights by logistic regression and measures it, then fine-tunes from
there by the defaults, on the same held-out images (test, else val), one center crop each. Prints
for each source the accuracies, the interval of 95 %, how many points fine-tuning ends above or
below, and whether it is below by more than the interval. Given again, it reads back what is there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from alexnet import finetune
from alexnet.data import open_source
from alexnet.devices import choose_device, cores, processor, share_cores
from alexnet.evaluation import evaluate_weights
from alexnet.records import Results
from alexnet.runs import Packing, finetuning_recipe, prepare, with_new_head
from alexnet.runs.job import Job, snapshot
from alexnet.transfer.last_layer import fit_last_layer
from alexnet.weights import load_weights


def main() -> None:
    share_cores()  # as the command line does
    asked = _arguments()
    print(f"{processor()}, {cores()} cores", flush=True)
    print("| weights | images | seed | head alone | fine-tuned | 95 % interval | best epoch | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    gains: list[float] = []
    below = 0
    for source in asked.sources:
        for seed in range(asked.seeds):
            alone = head_alone(asked.weights, source, seed)
            folder = asked.out / f"{Path(asked.weights).stem}-{source.stem}-{seed}"
            started = time.monotonic()
            changes = {"epochs": asked.epochs} if asked.epochs else {}
            report = finetune(asked.weights, source, run_dir=folder, seed=seed, **changes)
            assert report.results is not None, "images are held out"
            interval = report.results.top1_interval
            gains.append(100 * (report.results.top1 - alone.top1))
            below += alone.top1 > interval.high
            seconds = report.seconds if report.already_finished else time.monotonic() - started
            print(
                f"| {Path(asked.weights).stem} | {source.stem}: {report.results.images:,} "
                f"{report.split} | {seed} | {alone.top1:.2%} | {report.results.top1:.2%} | "
                f"{interval.low:.2%} to {interval.high:.2%} | {report.best_epoch} of "
                f"{report.epochs} | {seconds:,.0f} |",
                flush=True,
            )
    span = f"mean of {len(gains)}, from {min(gains):+.1f} to {max(gains):+.1f}"
    print(f"\nFine-tuning ends {statistics.mean(gains):+.1f} points from the head alone ({span});")
    print(f"{below} times the head alone lies above the interval of the fine-tuned network.")


def head_alone(weights: str, source: Path, seed: int) -> Results:
    """Measure the fitted last layer on the images that fine-tuning holds out."""
    images = open_source(source)
    base = load_weights(Path(weights))
    start = with_new_head(base, len(images.classes), seed=seed)
    recipe = finetuning_recipe(start, head_lr=0.01, backbone_lr=0.001, changes={"seed": seed})
    device = choose_device("fp32")
    job = prepare(images, recipe, device=device, packing=Packing(), start=start)
    assert job.held_out is not None, "images are held out"
    if start.fits_last_layer:
        fit(job)
    tuned = snapshot(job, {name: each.cpu() for name, each in job.network.state_dict().items()})
    return evaluate_weights(tuned, job.pack, job.splits[job.held_out], device, crops=1)[0]


def fit(job: Job) -> None:
    """Fit the last layer as a fine-tuning begins with it."""
    fit_last_layer(
        job.network,
        job.preprocessing,
        job.pack,
        job.train,
        balanced=job.recipe.class_weights == "auto",
        seed=job.recipe.seed,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", help="a weights file, a run folder, or a name that ships")
    parser.add_argument("sources", type=Path, nargs="+", help="folders, archives or tables")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="none: the recipe's")
    parser.add_argument("--out", type=Path, default=Path("runs/finetune-imported"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
