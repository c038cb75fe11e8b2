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
from search import some_pictures

CALL = [sys.executable, "-c", "import sys; from alexnet.cli.main import main; sys.exit(main())"]


def main() -> None:
    """Search four times and print a table."""
    asked = _arguments()
    source = some_pictures(asked.archive, asked.pictures, asked.out / "pictures")
    words = ["search", str(source), "--recipe", "cifar", "--epochs", "2", "--image-px", "16"]
    words += ["--crop-px", "16", "--schedule", "cosine", "--trials", str(asked.trials), "--json"]
    words += ["--vary", "lr=1e-5..1e-2:log", "momentum=0.5..0.9", "--pruner", "none"]
    words += ["--precision", "fp32", "--initialisation", "he", "--standardise"]
    _finish(
        _start(["1" if each == str(asked.trials) else each for each in words], asked.out / "warm")
    )  # the pack is made here
    print(f"{processor()}, {cores()} cores, {asked.trials} trials")
    rows = [
        _measure("one worker", words, asked.out / "one"),
        _measure("two workers", [*words, "--workers", "2"], asked.out / "two"),
        _measure("one of two killed", [*words, "--workers", "2"], asked.out / "killed", kill="one"),
        _measure("all killed", [*words, "--workers", "2"], asked.out / "again", kill="all"),
    ]
    print(
        "| what | wall s | beside training, s a trial | ended | given back | same values, errors |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for row in rows:
        # Sums of one thread and of two round otherwise, so errors are held against one thread's.
        same = [row["values"] == rows[0]["values"], row["errors"] == rows[1]["errors"]]
        cells = (row[name] for name in ("what", "seconds", "beside", "ended", "given_back"))
        print("| " + " | ".join(map(str, cells)) + f" | {same[0]}, {same[1]} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("archive", type=Path, help="cifar10.zip: NAME/train/CLASS/PICTURE")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for all that is made")
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--trials", type=int, default=8)
    return parser.parse_args()


def _measure(what: str, words: list[str], folder: Path, kill: str = "") -> dict[str, Any]:
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
    report = _finish(process)
    trials = report["trials"]
    beside = [e["seconds"] - e["training_seconds"] for e in trials if e["training_seconds"]]
    return {
        "what": what,
        "seconds": round(time.monotonic() - started, 1),
        "beside": round(statistics.median(beside), 2),
        "ended": sum(each["state"] != "running" for each in trials),
        "given_back": sum(each["retry_of"] is not None for each in trials),
        "values": sorted(json.dumps(each["values"]) for each in trials),
        "errors": sorted((json.dumps(each["values"]), each["error"]) for each in trials),
    }


def _start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*CALL, *words, "--run", str(folder)],
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
