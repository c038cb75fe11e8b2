"""The reading functions of the Python API from several threads at once: do any fail, or differ?

    python benchmarks/threads.py
    python benchmarks/threads.py --calls 10 --verb check --verb export-onnx

Each function is called once alone and then 200 times from each of 4 threads, on small files of
every kind of image, with noise and damage among them. All at once, too: every thread another
function ("mixed"). A call fails that raises, or whose result differs from the one made alone. So
that nothing is warm in one and cold in another, each function has a process of its own.

Prints a row for each function. The exit code is 1 where a call failed. `await
asyncio.to_thread(alexnet.predict, ...)` is the same from a program with an event loop: `--asyncio`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

VARYING = ("seconds", "images_per_s", "peak_memory_mb", "out", "report", "exclude_to")
"""Fields of reports that tell where and how fast, not what."""

Call = Callable[[Path], Any]
"""One call: is handed a folder of its own to write to, gives a value that can be compared."""


@dataclass(frozen=True)
class Files:
    """What the calls read."""

    images: Path  # folder of two classes, some files of it damaged
    weights: Path
    caffe: tuple[Path, ...]


@dataclass
class Tally:
    """What came of the calls of one function."""

    calls: int = 0
    failures: Counter[str] = field(default_factory=Counter[str])
    seconds: float = 0.0


def make_files(folder: Path) -> Files:
    """Write images of every kind, a small network, and a network of Caffe's."""
    from fuzzing.originals import IMAGE_KINDS, Originals

    originals = Originals(None)
    for k, name in enumerate(("ant", "bee")):
        (folder / "images" / name).mkdir(parents=True)
        for kind in IMAGE_KINDS:
            for i, original in enumerate(originals.of(kind)):
                (data,) = original.files.values()
                (folder / "images" / name / f"{kind}{i}.{kind}").write_bytes(data + bytes([k]))
        (folder / "images" / name / "cut.tiff").write_bytes(data[: len(data) // 2])
    caffe = originals.of("caffe")[0].files
    for name, data in caffe.items():
        (folder / name).write_bytes(data)
    write_weights(folder / "weights.safetensors")
    return Files(
        folder / "images", folder / "weights.safetensors", tuple(folder / name for name in caffe)
    )


def write_weights(path: Path) -> None:
    """Write a network with every kind of layer that has a kernel of its own."""
    from alexnet import Preprocessing, Weights, build_model, save_weights

    network = build_model("alexnet_small", classes=2, image_px=28, crop_px=24, seed=4)
    weights = Weights(
        model=network.model,
        arguments=network.arguments,
        state=network.state_dict(),
        classes=("ant", "bee"),
        preprocessing=Preprocessing(image_px=28, crop_px=24),
    )
    save_weights(path, weights)


def calls(files: Files) -> Mapping[str, Call]:
    """Return one call of each reading function."""
    import alexnet

    images, weights = files.images, files.weights
    exported = {
        f"export-{name}": partial(_exported, weights, name)
        for name in ("safetensors", "onnx", "torchscript", "openvino")
    }
    return {
        "predict": lambda _: _plain(alexnet.predict(weights, images, batch_size=8)),
        "evaluate": lambda _: _plain(alexnet.evaluate(weights, images, split="all", crops=5)),
        "features": lambda folder: (
            _plain(alexnet.features(weights, images, out=folder / "f.npz")),
            _digest(folder / "f.npz"),
        ),
        "describe": lambda _: _plain(alexnet.describe("alexnet")),
        "describe-weights": lambda _: _plain(alexnet.describe(str(weights))),
        "check": lambda folder: _plain(
            alexnet.check(images, report=folder / "c", exclude_to=folder / "e.csv")
        ),
        "open_source": lambda _: _listed(alexnet.open_source(images)),
        "load_weights": lambda _: alexnet.load_weights(weights).digest,
        "import": lambda folder: (
            _plain(alexnet.import_(*files.caffe, out=folder / "i.safetensors")),
            _digest(folder / "i.safetensors"),
        ),
        **exported,
        "export-int8": partial(_exported, weights, "onnx", precision="int8", calibrate=images),
    }


def _exported(weights: Path, name: str, folder: Path, **options: Any) -> Any:
    import alexnet

    suffix = {"openvino": "xml", "torchscript": "pt"}.get(name, name)
    report = alexnet.export(weights, to=name, out=folder / f"x.{suffix}", **options)
    # torch and OpenVINO number what they name through the whole process, so that even one call
    # after another gives a file of other bytes.
    return _plain(report, *(["bytes"] if name in ("openvino", "torchscript") else []))


def _plain(record: Any, *varying: str) -> Any:
    values = record.to_json()
    return {name: value for name, value in values.items() if name not in (*VARYING, *varying)}


def _listed(source: Any) -> Any:
    return [*source.paths], source.labels.tolist(), source.splits.tolist()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stress(
    functions: Mapping[str, Call], folder: Path, *, threads: int, each: int, loop: bool = False
) -> Tally:
    """Call functions in turns from several threads, and hold what comes against one call alone.

    Args:
        functions: by their names.
        folder: each call gets a new folder below it.
        threads: how many call at once.
        each: calls of each thread.
        loop: the threads are those of `asyncio.to_thread`.
    """
    names = list(functions)
    alone = {name: _tried(functions[name], folder / "alone" / name) for name in names}
    tally = Tally()
    lock, together = threading.Lock(), threading.Barrier(threads)

    def work(thread: int) -> None:
        together.wait()
        for i in range(each):
            name = names[(thread + i) % len(names)]
            found = _tried(functions[name], folder / f"{thread}-{i}")
            with lock:
                tally.calls += 1
                if found != alone[name]:
                    tally.failures[f"{name}: {_difference(alone[name], found)}"] += 1

    started = time.monotonic()
    if loop:
        asyncio.run(_in_loop(work, threads))
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    tally.seconds = time.monotonic() - started
    for name, value in alone.items():
        if isinstance(value, _Raised):
            tally.failures[f"{name} alone: {value.text}"] += 1
    return tally


async def _in_loop(work: Callable[[int], None], threads: int) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(threads))
    await asyncio.gather(*(asyncio.to_thread(work, thread) for thread in range(threads)))


@dataclass(frozen=True)
class _Raised:
    text: str


def _tried(function: Call, folder: Path) -> Any:
    folder.mkdir(parents=True)
    try:
        return function(folder)
    except Exception:
        return _Raised(traceback.format_exc(limit=-3))


def _difference(alone: Any, found: Any) -> str:
    if isinstance(found, _Raised):
        return found.text
    return f"another result: {str(found)[:300]} instead of {str(alone)[:300]}"


def process_state() -> dict[str, object]:
    """Return what the whole process shares, which calls are to leave as it was."""
    import torch

    return {
        "warning filters": [str(each) for each in warnings.filters],
        "showwarning": warnings.showwarning,
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "streams": (sys.stdout, sys.stderr, os.fstat(1).st_ino, os.fstat(2).st_ino),
        "folder": Path.cwd(),
    }


def _run_one(name: str, arguments: argparse.Namespace) -> int:
    """Stress one function, or all in turns, in this process; print its row."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        functions = calls(make_files(folder))
        chosen = functions if name == "mixed" else {name: functions[name]}
        for key, function in chosen.items():  # libraries set filters when they are imported
            _tried(function, folder / "first" / key)
        before = process_state()
        how = {"threads": arguments.threads, "each": arguments.calls, "loop": arguments.asyncio}
        tally = stress(chosen, folder / "calls", **how)
        failed = sum(tally.failures.values())
        after = process_state()
        changed = [key for key in before if before[key] != after[key]]
    print(
        f"| {name} | {tally.calls:,} | {failed:,} | {', '.join(changed) or 'nothing'} | "
        f"{tally.seconds:.0f} |",
        flush=True,
    )
    for words, count in tally.failures.most_common(5):
        print(f"{count} x {words}", file=sys.stderr, flush=True)
    return 1 if failed or changed else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--calls", type=int, default=200, help="of each thread")
    parser.add_argument("--verb", action="append", help="one of the names; several times")
    parser.add_argument("--asyncio", action="store_true", help="by asyncio.to_thread")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sys.exit(_run_one(arguments.one, arguments))
    nowhere = Files(Path(), Path(), ())
    print("| function | calls | failed | changed in the process | seconds |", flush=True)
    print("| --- | ---: | ---: | --- | ---: |", flush=True)
    worst = 0
    for name in arguments.verb or [*calls(nowhere), "mixed"]:
        worst = max(worst, subprocess.run([sys.executable, *sys.argv, "--one", name]).returncode)
    sys.exit(worst)


if __name__ == "__main__":
    main()
