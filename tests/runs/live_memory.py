"""What a whole training holds at its most, by part; a program for `test_memory.py`.

    python live_memory.py FOLDER

Trains on images made in the folder and prints, as JSON, the most that torch's tensors took within
each part, in sizes of the largest tensor. A process of its own: what other tests left alive, and
what their threads free, would be counted, too.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from alexnet.data import open_source
from alexnet.devices import choose_device
from alexnet.nn import fully_connected
from alexnet.recipe import Recipe
from alexnet.runs import Packing, prepare, results
from alexnet.runs.job import PackValidator
from alexnet.runs.saver import Saver
from alexnet.training import Stepper
from fixtures.training import train_job

RECIPE = Recipe(
    model="mlp",
    image_px=72,
    crop_px=72,
    lr=0.001,
    schedule="constant",
    epochs=2,
    batch_size=4,
    val_fraction=0.25,
)
LARGEST = 4 * 72 * 72 * 3 * 512  # bytes: 32 MB, nine tenths of the network

PARTS = (
    ("steps", Stepper, "__call__"),
    ("validation", PackValidator, "validate"),
    ("checkpoint", Saver, "save"),
    ("calibration", results, "calibrated"),
    ("final measuring", results, "measure_held_out"),
    ("final weights", results, "save_weights"),
    ("report", results, "write_report"),
)


class Live:
    """The bytes of torch's tensors that are alive, at the most within each part."""

    def __init__(self) -> None:
        self.most: dict[str, float] = {}

    def mark(self, part: str, owner: Any, name: str) -> None:
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def marked(*arguments: Any, **named: Any) -> Any:
            with torch.autograd.profiler.record_function(f"part: {part}"):
                return function(*arguments, **named)

        setattr(owner, name, marked)

    def read(self, profile: torch.profiler.profile) -> None:
        """Add up what was allocated and freed, and see how much it was at most in each part."""
        events = profile.profiler.kineto_results.events()
        changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
        times = np.array([time for time, _ in changes])
        totals = np.cumsum([size for _, size in changes])
        for event in events:
            if event.name().startswith("part: "):
                start, end = event.start_ns(), event.start_ns() + event.duration_ns()
                first, last = np.searchsorted(times, [start, end])
                most = max(totals[max(0, first - 1) : last + 1]) / LARGEST
                part = event.name().removeprefix("part: ")
                self.most[part] = max(most, self.most.get(part, 0.0))


def write_images(folder: Path) -> Path:
    """Write eight images of each of two classes."""
    draw = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(8):
            pixels = draw.integers(0, 255, (72, 72, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    return folder / "images"


def main(folder: Path) -> None:
    """Train, and print what was held."""
    fully_connected._ROWS = 32
    images, live, device = write_images(folder), Live(), choose_device("fp32", 1)
    for part in PARTS:
        live.mark(*part)
    cpu = torch.profiler.ProfilerActivity.CPU
    with torch.profiler.profile(activities=[cpu], profile_memory=True) as profile:
        train_job(
            lambda: prepare(
                open_source(images), RECIPE, device=device, packing=Packing(cache="none")
            ),
            images,
            folder / "run",
        )
    live.read(profile)
    most = {part: float(each) for part, each in live.most.items()}
    sys.stdout.write(json.dumps(most) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
