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

import torch

from alexnet import train
from alexnet.devices import choose_device, processor
from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.runs import open_run
from alexnet.training import PaperMomentum, Schedule, Training, make_objective


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--source", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--saves", type=int, default=4)
    parser.add_argument("--steps", type=int, default=2, help="between two saves")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    print(f"{processor()}, {asked.threads} thread(s)")
    with tempfile.TemporaryDirectory(dir=".") as scratch:
        if asked.source:
            whole_run(asked, Path(scratch) / "run")
        else:
            steps_alone(asked, Path(scratch) / "run")


def whole_run(asked: argparse.Namespace, folder: Path) -> None:
    """Train on real pictures and print the share that the run itself accounts for."""
    changes = {"model": asked.model, "epochs": asked.epochs}
    report = train(
        asked.source, run=folder, threads=asked.threads, precision="fp32", recipe="cifar", **changes
    )
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    end = lines[-1]
    print(
        f"{asked.model}, {asked.epochs} epoch(s), a save after each: {report.seconds:.1f} s, of "
        f"which training waited {end['saving_seconds']:.3f} s for checkpoints of "
        f"{end['checkpoint_bytes'] / 1e6:.2f} MB: {end['saving_seconds'] / report.seconds:.3%}"
    )


def steps_alone(asked: argparse.Namespace, folder: Path) -> None:
    """Make steps on random numbers, some with a write under way, and save now and then."""
    device = choose_device("fp32", asked.threads)
    network = build_model(asked.model, classes=1000)
    recipe = Recipe(model=asked.model, batch=asked.batch, lr=1e-4, schedule="constant")
    optimiser = PaperMomentum(device.place(network), recipe)
    training = Training(
        network=network,
        objective=make_objective("softmax"),
        optimiser=optimiser,
        schedule=Schedule(recipe, 1000),
        batches=lambda epoch, start: (),
        device=device,
        seed=0,
        validate=lambda: None,
    )
    images = torch.randn(asked.batch, 3, network.crop_px, network.crop_px)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(asked.batch, dtype=torch.int64)

    def step() -> float:
        started = time.perf_counter()
        training.objective(network(images), labels).backward()
        optimiser.step(training.schedule.rates(0))
        network.zero_grad(set_to_none=True)
        return time.perf_counter() - started

    step()
    alone, beside, waits, writes = [], [], [], []
    with open_run(folder, {"recipe": recipe.to_json()}) as run:
        for number in itertools.count(1):
            alone += [step() for _ in range(asked.steps)]
            started = time.perf_counter()
            run.save(number, training.checkpoint())
            waits.append(time.perf_counter() - started)
            beside += [step() for _ in range(asked.steps)]
            run.saver.wait()
            writes.append(run.saver.writing_s or 0.0)
            if number == asked.saves:
                break
        size = run.checkpoint_bytes or 0
    print(f"{asked.model}, batch {asked.batch}: checkpoint of {size / 1e6:.1f} MB")
    say("a step alone", alone)
    say("a step while a checkpoint is written", beside)
    say("a step waits for the first copy, whose memory is new", waits[:1])
    say("a step waits for a later copy", waits[1:])
    say("writing in the background, flushed to disk", writes)


def say(what: str, seconds: list[float]) -> None:
    spread = f" ({min(seconds):.3f} to {max(seconds):.3f}, n {len(seconds)})"
    print(f"{what}: {statistics.median(seconds):.3f} s{spread if len(seconds) > 1 else ''}")


if __name__ == "__main__":
    main()
