"""How fast training images leave a pack, and what of a training step that takes.

    python benchmarks/loading.py                            the paper's network
    python benchmarks/loading.py --model cifar_26pct        one of the CIFAR nets

Contenders, in turns: crops as bytes, cut on every core, for a device that turns them into numbers
itself; finished batches, made by one thread, for a processor; training steps that are fed; and
training steps on one batch that lies ready. The last two tell what feeding costs: one process does
both, since two that do the same differ by more than that.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from alexnet.devices import share_cores
from steps import begun, endless, prepared
from training import make_images
from turns import Contender, arguments, compete, keep, rates, ratio, serve, table

DISTINCT = 64
FED, READY = "steps, fed", "steps, ready"


def main() -> None:
    parser = arguments(__doc__, seconds=5.0)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--pack", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        share_cores()  # as the command line does
        ROLES[asked.role](asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run(asked, Path(scratch))


def run(asked: argparse.Namespace, scratch: Path) -> None:
    """Let the contenders compete and say what came out."""
    import alexnet
    from alexnet.models import build_model

    image_px = build_model(asked.model, classes=10).image_px
    folder = many_images(scratch / "images", asked.images, image_px)
    alexnet.pack(folder, scratch / "pack", image_px=image_px)
    own = [
        "--model",
        asked.model,
        "--batch-size",
        str(asked.batch_size),
        "--pack",
        str(scratch / "pack"),
    ]
    contenders = [
        Contender(role, [sys.executable, __file__, "--role", role, *own])
        for role in ROLES
        if not asked.only or role in asked.only
    ]
    if contenders[-1].name == FED:
        contenders.append(Contender(READY, beside=contenders[-1]))
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    print(table(contenders, contenders[-1]))
    if contenders[-1].name == READY:
        share = 1 - ratio(*contenders[-2:])
        print(f"feeding takes {100 * share:.1f} % of a step")
    print(keep(f"loading {asked.model}", rates(contenders)))


def many_images(folder: Path, count: int, image_px: int) -> Path:
    """Make some images and give each of them many names."""
    make_images(folder, DISTINCT, (image_px, image_px))
    for path in list(folder.rglob("*.jpg")):
        for copy in range(1, count // DISTINCT):
            os.link(path, path.with_name(f"{path.stem}-{copy}.jpg"))
    return folder


def job(asked: argparse.Namespace) -> Any:
    """Return a training from the pack."""
    from alexnet.data import open_pack

    return prepared(open_pack(asked.pack), asked.model, asked.batch_size)


def crops(asked: argparse.Namespace) -> None:
    """Serve crops as bytes."""
    from alexnet.devices import cores

    stream = endless(job(asked).loader.crops)
    serve(lambda: len(next(stream).labels), note=f"uint8, {cores()} threads")


def numbers(asked: argparse.Namespace) -> None:
    """Serve batches as a processor takes them."""
    stream = endless(job(asked).loader.epoch)
    serve(lambda: len(next(stream).labels), note="float32, one thread")


def steps(asked: argparse.Namespace) -> None:
    """Serve training steps on batches as they come, and on one batch again and again."""
    training = begun(job(asked))
    stream = endless(training.batches)
    batch = next(stream)
    ways = {
        FED: lambda: training.step(next(stream)),
        READY: lambda: training.step(batch),
    }
    serve(ways, note=training.device.precision)


ROLES = {
    "crops, bytes": crops,
    "batches, numbers": numbers,
    FED: steps,
}

if __name__ == "__main__":
    main()
