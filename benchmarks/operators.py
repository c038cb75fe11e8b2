"""What a training step spends its time in, operator by operator.

    python benchmarks/operators.py                            the paper's network
    python benchmarks/operators.py --model cifar_18pct        one of the CIFAR nets

Trains some steps from a pack under torch's profiler and prints each operator's share of the
processor time of the thread that trains, without what it calls in turn. Our own kernels stand under
the names of the functions that hold them; the update of the weights is one row.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from loading import job, many_images
from steps import begun, endless
from turns import keep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--least", type=float, default=0.005, help="share of what is shown")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run(asked, Path(scratch))


def run(asked: argparse.Namespace, scratch: Path) -> None:
    """Profile the steps and say what came out."""
    import alexnet
    from alexnet.devices import processor
    from alexnet.models import build_model

    image_px = build_model(asked.model, classes=10).image_px
    folder = many_images(scratch / "images", asked.images, image_px)
    asked.pack = scratch / "pack"
    alexnet.pack(folder, asked.pack, image_px=image_px)
    training = begun(job(asked))
    update: Any = training.optimizer.step

    def named_update() -> None:
        with record_function("update of the weights"):
            update()

    training.optimizer.step = named_update
    batches = endless(training.batches)
    for _ in range(3):
        training.step(next(batches))
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(asked.steps):
            with record_function("waiting for the batch"):
                batch = next(batches)
            training.step(batch)
    rows = sorted(found.key_averages(), key=lambda each: -each.self_cpu_time_total)
    whole = sum(each.self_cpu_time_total for each in rows)
    step = whole / asked.steps / 1e6
    print(f"{processor()}, {training.device.precision}, {torch.get_num_threads()} threads")
    images_per_s = asked.batch_size / step
    print(f"a step of {asked.batch_size} images: {step:.3f} s, {images_per_s:.1f} images/s\n")
    print("| operator | share | ms a step | calls a step |\n| --- | --- | --- | --- |")
    facts = {}
    for each in rows:
        share = each.self_cpu_time_total / whole
        if share >= asked.least:
            took = each.self_cpu_time_total / asked.steps / 1e3
            calls = each.count / asked.steps
            print(f"| {each.key} | {100 * share:.1f} % | {took:.1f} | {calls:g} |")
            facts[each.key] = share
    print(keep(f"operators, {asked.model}", {"step_s": step, "share": facts}))


if __name__ == "__main__":
    main()
