"""What saving costs: how long a step waits, how large a checkpoint is, how long writing takes.

    python benchmarks/saving.py --model alexnet --threads 1
    python benchmarks/saving.py --source cifar10.zip --model cifar_26pct --epochs 1 --threads 1

Without a source, steps are made on random numbers, with a save every few of them. With one, epochs
of a whole run are trained, with a save after each, and the run's own account is printed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch

from alexnet import train
from alexnet.devices import choose_device, processor
from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.runs import open_run
from alexnet.training import (
    PaperMomentum,
    Schedule,
    Stepper,
    Training,
    can_step_in_backward,
    make_loss,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--saves", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2, help="between two saves")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{processor()}, {arguments.threads} thread(s)")
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        if arguments.source:
            whole_run(arguments, Path(scratch) / "run")
        else:
            steps_alone(arguments, Path(scratch) / "run")


def whole_run(arguments: argparse.Namespace, folder: Path) -> None:
    """Train on real images and print the share that the run itself accounts for."""
    changes = {"model": arguments.model, "epochs": arguments.epochs}
    report = train(
        arguments.source,
        run_dir=folder,
        threads=arguments.threads,
        precision="fp32",
        recipe="cifar",
        **changes,
    )
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    end = lines[-1]
    waited_s, size_mb = end["saving_seconds"], end["checkpoint_bytes"] / 1e6
    print(
        f"{arguments.model}, {arguments.epochs} epoch(s), a save after each: "
        f"{report.seconds:.1f} s, of which training waited {waited_s:.3f} s for checkpoints of "
        f"{size_mb:.2f} MB: {waited_s / report.seconds:.3%}"
    )


def steps_alone(arguments: argparse.Namespace, folder: Path) -> None:
    """Make steps on random numbers, some with a write under way, and save now and then."""
    device = choose_device("fp32", arguments.threads)
    network = build_model(arguments.model, classes=1000)
    recipe = Recipe(
        model=arguments.model, batch_size=arguments.batch_size, lr=1e-4, schedule="constant"
    )
    optimizer = PaperMomentum(device.place(network), recipe)
    in_backward = can_step_in_backward(network, device, own=True)
    training = Training(
        stepper=Stepper(network, make_loss("softmax"), optimizer, in_backward=in_backward),
        schedule=Schedule(recipe, 1000),
        batches=lambda epoch, start: (),
        device=device,
        seed=0,
    )
    images = torch.randn(arguments.batch_size, 3, network.crop_px, network.crop_px)
    images = images.contiguous(memory_format=torch.channels_last)
    batch = RandomBatch(images, torch.zeros(arguments.batch_size, dtype=torch.int64))

    def step() -> float:
        started = time.perf_counter()
        training.step(batch)
        return time.perf_counter() - started

    step()
    alone, beside, waits, writes = [], [], [], []
    with open_run(folder, {"recipe": recipe.to_json()}) as run:
        for number in itertools.count(1):
            alone += [step() for _ in range(arguments.steps)]
            started, waited_s = time.perf_counter(), training.stepper.waited_s
            checkpoint = training.checkpoint()
            written = run.save(number, checkpoint)
            if checkpoint.held:
                training.stepper.hold(written)
            saving_s = time.perf_counter() - started
            beside += [step() for _ in range(arguments.steps)]
            waits.append(saving_s + training.stepper.waited_s - waited_s)
            run.saver.wait()
            writes.append(run.saver.writing_s or 0.0)
            if number == arguments.saves:
                break
        size = run.checkpoint_bytes or 0
    print(f"{arguments.model}, batch {arguments.batch_size}: checkpoint of {size / 1e6:.1f} MB")
    say("a step alone", alone)
    say("a step while a checkpoint is written", beside)
    say("steps wait for the first checkpoint, whose memory or file is new", waits[:1])
    say("steps wait for a later one", waits[1:])
    say("writing in the background, flushed to disk", writes)


class RandomBatch(NamedTuple):
    """What a loader yields."""

    images: torch.Tensor
    labels: torch.Tensor


def say(what: str, seconds: list[float]) -> None:
    spread = f" ({min(seconds):.3f} to {max(seconds):.3f}, n {len(seconds)})"
    print(f"{what}: {statistics.median(seconds):.3f} s{spread if len(seconds) > 1 else ''}")


if __name__ == "__main__":
    main()
