"""Kill a random process of a training by several, again and again: does it come to the same losses?

    python benchmarks/kills.py --kills 20 --processes 3

Trains the paper's network on small made photographs once undisturbed, then as often as said with a
SIGKILL at a random instant for a random process of the group, process 0 among them, now and then in
the middle of a save. torch's agent starts all again. Prints how many came to losses that are equal
to the last digit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = (
    *("--from", "scratch", "--model", "alexnet", "--image-px", "72", "--crop-px", "64"),
    *("--epochs", "4", "--batch-size", "16", "--lr", "0.001", "--precision", "fp32"),
    *("--save-every", "3 steps"),
)


def main() -> None:
    """Train once, then kill, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--parallel", default="hybrid")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_images(folder / "photos")
        started = time.monotonic()
        whole = train(folder, options.processes, options.parallel)
        seconds = time.monotonic() - started
        print(f"undisturbed: {seconds:.0f} s, losses {whole}")
        same = 0
        for number in range(1, options.kills + 1):
            kill = draw.uniform(0.15, 0.9) * seconds, draw.randrange(options.processes)
            losses = train(folder, options.processes, options.parallel, kill)
            same += losses == whole
            print(
                f"kill {number}: process {kill[1]} after {kill[0]:.1f} s: "
                f"{'the same losses' if losses == whole else losses}, {same} of {number}",
                flush=True,
            )
    sys.exit(0 if same == options.kills else 1)


def train(
    folder: Path, processes: int, parallel: str, kill: tuple[float, int] | None = None
) -> list[float] | str:
    """Train in a new run folder; return the loss of each epoch, or why there are none."""
    shutil.rmtree(folder / "run", ignore_errors=True)
    words = [sys.executable, "-m", "alexnet", "train", str(folder / "photos"), *WORDS]
    words += ["--run-dir", str(folder / "run"), "--parallel", parallel]
    words += ["--processes", str(processes)]
    environment = {**os.environ, "ALEXNET_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    with (folder / "errors").open("w") as errors:
        running = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        if kill is not None:
            time.sleep(kill[0])
            children = children_of(running.pid)
            if kill[1] < len(children):
                os.kill(children[kill[1]], signal.SIGKILL)
        running.wait()
    if running.returncode:
        return (folder / "errors").read_text()[-2000:]
    lines = map(json.loads, (folder / "run" / "journal.jsonl").read_text().splitlines())
    return [each["train_loss"] for each in lines if each["event"] == "epoch"]


def children_of(process: int) -> list[int]:
    """Return the processes that a process started, in order."""
    done = subprocess.run(
        ["pgrep", "-P", str(process)], capture_output=True, text=True, check=False
    )
    return sorted(map(int, done.stdout.split()))


def write_images(folder: Path) -> None:
    """Write 96 images of four classes."""
    draw = np.random.default_rng(0)
    for label in range(4):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(24):
            pixels = draw.normal(80 + 40 * label, 40, (72, 72, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")


if __name__ == "__main__":
    main()
