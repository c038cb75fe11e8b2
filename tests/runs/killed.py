"""Kill a small run in many ways, let it go on, and compare; a program for `test_killed.py`.

    python killed.py FOLDER operations 20 0    at 20 operations on files, drawn with seed 0
    python killed.py FOLDER operations all 0   at every one
    python killed.py FOLDER instants 10 0      at 10 instants
    python killed.py FOLDER instants 10 0 held     likewise, with steps that wait for a checkpoint

Everything is imported and prepared once; each run is a fork of this process, killed by SIGKILL.
Prints one JSON object: how many kills, and what was otherwise than in the uninterrupted run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import matplotlib.figure  # noqa: F401  # the pages' painter: so that forks need not import it
import numpy as np
from PIL import Image

from alexnet.data import open_source
from alexnet.devices import choose_device
from alexnet.recipe import Recipe
from alexnet.runs import Job, Packing, prepare
from alexnet.training import step
from fixtures import faults
from fixtures.training import train_job

TIMES = {"time", "seconds", "images_per_s", "saving_seconds", "checkpoint_bytes", "peak_memory_mb"}
RECIPE = Recipe(
    model="cifar_26pct",
    image_px=16,
    crop_px=14,
    initialization="he",
    dropout=0.2,
    schedule="plateau",
    patience=1,
    lr=0.005,
    epochs=2,
    batch_size=6,
    val_fraction=0.25,
)


def main() -> None:
    place, mode, count, seed = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    if sys.argv[5:] == ["held"]:  # as networks of many parameters have it
        step._LARGE = 1
    draw = random.Random(seed)
    write_images(place / "images")
    device = choose_device("fp32", 1)
    source = open_source(place / "images")
    job = prepare(source, RECIPE, device=device, packing=Packing(cache="none"))
    assert job.training.stepper.in_backward == (sys.argv[5:] == ["held"])
    whole = place / "whole"
    started = time.monotonic()
    assert child(lambda: count_operations(job, whole)) == 0
    life = time.monotonic() - started
    total = int((place / "operations").read_text())
    if mode == "operations":
        chosen = range(total) if count == "all" else sorted(draw.sample(range(total), int(count)))
        kills = [lambda folder, n=n: killed_at(job, folder, n) for n in chosen]
    else:
        ages = [draw.uniform(0, 1.2 * life) for _ in range(int(count))]
        kills = [lambda folder, age=age: killed_after(job, folder, age) for age in ages]
    made, wrong = 0, []
    for number, kill in enumerate(kills):
        folder = place / f"run-{number}"
        made += kill(folder)
        if number % 2:  # and once more while it goes on
            made += killed_at(job, folder, draw.randrange(total))
        code = child(lambda folder=folder: run(job, folder))
        wrong += [f"{number}: {each}" for each in differences(whole, folder, code)]
    sys.stdout.write(json.dumps({"operations": total, "kills": made, "wrong": wrong}))


def run(job: Job, folder: Path) -> None:
    train_job(lambda: job, folder.parent / "images", folder, save_every="2 steps")


def count_operations(job: Job, folder: Path) -> None:
    count = faults.Count()
    with faults.watched_disk(count):
        run(job, folder)
    (folder.parent / "operations").write_text(str(len(count.names)))


def killed_at(job: Job, folder: Path, operation: int) -> bool:
    """Say whether a run was killed at an operation, or came to its end before."""

    def body() -> None:
        with faults.watched_disk(faults.KillAt(operation)):
            run(job, folder)

    return child(body) == -signal.SIGKILL


def killed_after(job: Job, folder: Path, age_s: float) -> bool:
    return child(lambda: run(job, folder), age_s) == -signal.SIGKILL


def child(body: Callable[[], None], age_s: float | None = None) -> int:
    """Do something in a fork and return its exit code, or less the signal that ended it."""
    process = os.fork()
    if process == 0:
        try:
            body()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if age_s is not None:
        time.sleep(age_s)
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def differences(whole: Path, folder: Path, code: int) -> list[str]:
    found = [f"exit code {code}"] if code else []
    for name in ("weights.safetensors", "split.csv", "skipped.csv", "report/index.html"):
        if name.endswith("html"):
            same = (folder / name).is_file()
        else:
            same = (whole / name).read_bytes() == (folder / name).read_bytes()
        found += [] if same else [name]
    lines = [comparable(place / "journal.jsonl") for place in (whole, folder)]
    found += [] if lines[0] == lines[1] else ["journal"]
    results = [timeless(json.loads((p / "results.json").read_text())) for p in (whole, folder)]
    found += [] if results[0] == results[1] else ["results.json"]
    names = [sorted(p.relative_to(r) for p in r.rglob("*")) for r in (whole, folder)]
    found += [] if names[0] == names[1] else [f"files {set(names[0]) ^ set(names[1])}"]
    return found


def comparable(journal: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in journal.read_bytes().splitlines(keepends=True)]
    return [timeless(each) for each in lines if each["event"] != "begin"]


def timeless(values: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name not in TIMES}


def write_images(folder: Path) -> None:
    """Write a few bright and dark images."""
    draw = np.random.default_rng(0)
    for split, count in (("train", 16), ("test", 4)):
        for name, light in (("day", 150), ("night", 0)):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(light, light + 100, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{i}.png")


if __name__ == "__main__":
    main()
