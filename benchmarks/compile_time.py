"""How long numba compiles for a first training, packing or prediction on a machine.

    python benchmarks/compile_time.py
    python benchmarks/compile_time.py --before ../older/src --kernels

Each program is a process of its own that finds no machine code on disk. Counted is the time of the
threads that hold numba's compiler lock, so what else the machine does does not matter. Prints a
table, with `--kernels` what each kernel takes, without those that it compiles on the way; and keeps
them in benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from training import make_images
from turns import keep

TRAINED = ("alexnet", "alexnet_small", "cifar_18pct", "cifar_26pct")
_SRC = Path(__file__).resolve().parents[1] / "src"

_CHILD = """
import atexit, collections, json, os, sys, threading, time
import torch  # the command line by torch: the graphs of predictions need no numba
from numba.core import event

class Times(event.Listener):
    def __init__(self):
        self.own = threading.local()
        self.kernels, self.total = collections.Counter(), [0.0]

    def on_start(self, event):
        stack = self.own.__dict__.setdefault("stack", [])
        stack.append([time.thread_time(), 0.0])

    def on_end(self, event):
        stack = self.own.stack
        start, inner = stack.pop()
        took = time.thread_time() - start
        if stack:
            stack[-1][1] += took
        self.add(event, took, took - inner, bool(stack))

    def add(self, event, took, alone, is_inner):
        function = event.data["dispatcher"].py_func
        self.kernels[f"{function.__module__}.{function.__qualname__}"] += alone

class Total(Times):
    def add(self, event, took, alone, is_inner):
        self.total[0] += 0.0 if is_inner else took

times, total = Times(), Total()
event.register("numba:compile", times)
event.register("numba:compiler_lock", total)

def write():
    with open(os.environ["COMPILE_TIMES"], "w") as file:
        json.dump({"seconds": total.total[0], "kernels": dict(times.kernels)}, file)

atexit.register(write)
from alexnet.cli.main import main
from alexnet.kernels.late import load_at_once
if sys.argv[1] == "pack":
    load_at_once()  # as where thousands of images are to come
sys.exit(main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="src folder of another alexnet")
    parser.add_argument("--kernels", action="store_true", help="print what each kernel takes")
    parser.add_argument("--only", help="one program alone")
    parser.add_argument("--precision", default="fp32", help="of the trainings")
    arguments = parser.parse_args()
    sources = {"now": _SRC}
    if arguments.before:
        sources["before"] = arguments.before.resolve()
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        images = make_images(Path(scratch) / "images", 24, (300, 280), octaves=4)
        for name, words in programs(images, arguments.precision).items():
            if arguments.only in (None, name):
                results[name] = {
                    label: measure(words, source, Path(scratch) / f"{name}-{label}")
                    for label, source in sources.items()
                }
                print_row(name, results[name], kernels=arguments.kernels)
    print(keep("compile_time", results))


def programs(images: Path, precision: str) -> dict[str, list[str]]:
    """Return the words after `alexnet` by the name of a program; {out} is a folder of its own."""
    options = ["--epochs", "1", "--batch-size", "8", "--precision", precision]
    trainings = {
        model: ["train", str(images), "--model", model, *options, "--run-dir", "{out}/run"]
        for model in TRAINED
    }
    photo = str(next(images.rglob("*.jpg")))
    return {
        **trainings,
        "packing": ["pack", str(images), "{out}/pack"],
        "prediction": ["predict", photo],
    }


def measure(words: list[str], source: Path, out: Path) -> dict[str, Any]:
    """Run a program without machine code on disk, and return its seconds and its kernels'."""
    out.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(source),
        "NUMBA_CACHE_DIR": str(out / "numba"),
        "ALEXNET_CACHE": str(out / "cache"),
        "COMPILE_TIMES": str(out / "times.json"),
    }
    command = [sys.executable, "-c", _CHILD, *(word.format(out=out) for word in words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads((out / "times.json").read_text())


def print_row(name: str, found: dict[str, Any], *, kernels: bool) -> None:
    """Print what a program took, by the source it ran."""
    times = ", ".join(f"{label} {each['seconds']:.1f} s" for label, each in found.items())
    print(f"{name}: {times}", flush=True)
    for label, each in found.items() if kernels else ():
        for kernel, seconds in sorted(each["kernels"].items(), key=lambda pair: -pair[1]):
            print(f"    {label} {seconds:6.2f}  {kernel}")


if __name__ == "__main__":
    main()
