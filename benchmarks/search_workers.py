"""A search with one worker and with two, with a worker killed, and killed as a whole.

    python benchmarks/search_workers.py cifar10.zip --out runs/search-workers

The same study four times: one worker on every core, two workers that share the cores, two of which
one is killed with SIGKILL in the middle of a trial, and two where everything is killed and the same
command goes on. All have to find the same trials; wall times and what a trial took beside its
training are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from alexnet.devices import cores, processor
from search import some_images

Found = tuple[list[str], list[tuple[str, float | None]]]

CALL = [sys.executable, "-c", "import sys; from alexnet.cli.main import main; sys.exit(main())"]


def main() -> None:
    """Search four times and print a table."""
    arguments = _arguments()
    source = some_images(arguments.archive, arguments.images, arguments.out / "images")
    words = ["search", str(source), "--recipe", "cifar", "--epochs", "2", "--image-px", "16"]
    words += [
        "--crop-px",
        "16",
        "--schedule",
        "cosine",
        "--trials",
        str(arguments.trials),
        "--json",
    ]
    words += ["--vary", "lr=1e-5..1e-2:log", "momentum=0.5..0.9", "--pruner", "none"]
    words += ["--precision", "fp32", "--initialization", "he", "--normalize"]
    _finish(
        _start(
            ["1" if each == str(arguments.trials) else each for each in words],
            arguments.out / "warm",
        )
    )  # the pack is made here
    print(f"{processor()}, {cores()} cores, {arguments.trials} trials")
    head = (
        "| what | wall s | beside training, s a trial | ended | given back | same values, errors |"
    )
    print(head, "| --- | --- | --- | --- | --- | --- |", sep="\n", flush=True)
    two = [*words, "--workers", "2"]
    alone = _measure("one worker", words, arguments.out / "one")
    pair = _measure("two workers", two, arguments.out / "two", alone=alone)
    # Sums of one thread and of two round otherwise, so errors are held against one thread's.
    _measure("one of two killed", two, arguments.out / "killed", kill="one", alone=alone, pair=pair)
    _measure("all killed", two, arguments.out / "again", kill="all", alone=alone, pair=pair)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("archive", type=Path, help="cifar10.zip: NAME/train/CLASS/IMAGE")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for all that is made")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=8)
    return parser.parse_args()


def _measure(
    what: str,
    words: list[str],
    folder: Path,
    *,
    kill: str = "",
    alone: Found | None = None,
    pair: Found | None = None,
) -> Found:
    """Search, print a row of the table, and return the values and errors that were found."""
    started = time.monotonic()
    process = _start(words, folder)
    if kill:
        _wait_for(folder / "trials" / "0002" / "journal.jsonl")
        if kill == "one":
            os.kill(_workers(folder)[0], signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            process = _start(words, folder)
    trials = _finish(process)["trials"]
    seconds = time.monotonic() - started
    beside = [e["seconds"] - e["training_seconds"] for e in trials if e["training_seconds"]]
    ended = sum(each["state"] != "running" for each in trials)
    requeued = sum(each["retry_of"] is not None for each in trials)
    values = sorted(json.dumps(each["params"]) for each in trials)
    found = values, sorted((json.dumps(each["params"]), each["val_error"]) for each in trials)
    same = f"{_yes(alone and alone[0], values)}, {_yes(pair and pair[1], found[1])}"
    cells = what, f"{seconds:.1f}", f"{statistics.median(beside):.2f}", ended, requeued, same
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    return found


def _yes(before: object, now: object) -> str:
    return "" if before is None else "yes" if before == now else "no"


def _start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CALL, *words, "--run-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    said, _ = process.communicate()
    return json.loads(said)


def _wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.02)


def _workers(folder: Path) -> list[int]:
    locks = (folder / "study.workers").glob("*-*-*.lock")
    return [int(path.name.split("-")[-2]) for path in locks]


if __name__ == "__main__":
    main()
