"""What several processes make of one machine: beside one process with as many threads.

    python benchmarks/processes.py                          the paper's network, batch 128
    python benchmarks/processes.py --only "1 x 2 threads" "2 x 1, hybrid" --precision fp32
    python benchmarks/processes.py --starting               from the command to the first step

Contenders in turns on the same images: one process of N threads, and N processes of one thread by
each way of sharing the network. Prints images a second and their ratios, bytes that a process sends
in a step and what it waits, and keeps them in benchmarks/results.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from steps import begun, endless
from training import make_images
from turns import Contender, arguments, compete, keep, rates, ratio, serve, table

ALONE = "alone"


def main() -> None:
    """Let one process and several compete, or time how long they take to begin."""
    parser = arguments(__doc__, seconds=8.0, rounds=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--batch-size", type=int, default=128, help="of all processes together")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--ways", nargs="*", default=["data", "hybrid", "towers"])
    parser.add_argument("--starting", action="store_true", help="time the beginning instead")
    parser.add_argument("--pack", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        work(asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        if asked.starting:
            starting(asked, Path(scratch))
        else:
            asked.pack = packed(asked.model, Path(scratch))
            competing(asked)


def packed(model: str, scratch: Path) -> Path:
    """Make images of a model's size, and return a pack of them."""
    import alexnet
    from alexnet.models import build_model

    px = build_model(model, classes=2).image_px
    alexnet.pack(make_images(scratch / "images", 512, (px, px)), scratch / "pack", image_px=px)
    return scratch / "pack"


def competing(asked: argparse.Namespace) -> None:
    """Compare images a second, and print what each way sends."""
    count = asked.processes
    names = {f"1 x {count} threads": ALONE} | {f"{count} x 1, {way}": way for way in asked.ways}
    contenders = [
        Contender(name, command(asked, way), environment=threads(count if way == ALONE else 1))
        for name, way in names.items()
        if not asked.only or name in asked.only
    ]
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    print(table(contenders, contenders[0]))
    for each in contenders[1:]:
        print(f"{each.name} is {ratio(each, contenders[0]):.3f} times {contenders[0].name}")
    print(keep(f"processes {asked.model} {asked.precision}", rates(contenders)))


def command(asked: argparse.Namespace, way: str) -> list[str]:
    """Return the command of process 0 of a way, which starts the others."""
    words = [sys.executable, __file__, "--role", way, "--processes", str(asked.processes)]
    words += ["--model", asked.model, "--batch-size", str(asked.batch_size)]
    return [*words, "--precision", asked.precision, "--pack", str(asked.pack)]


def threads(count: int) -> dict[str, str]:
    """Return the environment of a process with so many threads of arithmetic."""
    return {"OMP_NUM_THREADS": str(count), "NUMBA_NUM_THREADS": str(count)}


def work(asked: argparse.Namespace) -> None:
    """Be one of several processes: make steps as often as process 0 is asked for one."""
    from alexnet.distributed import any_of, device_of_all, measure_link, together, traffic

    others = started_with(asked.role != ALONE and "RANK" not in os.environ, asked.processes)
    with others, together() as group:
        device = device_of_all(asked.precision)
        training = begun(job_of(asked, device))
        batches = endless(training.batches)
        facts = f"{device.precision}, convolutions {device.convolutions}, {device.threads} threads"

        def step() -> int:
            any_of(True)
            return training.step(next(batches))

        if not group.first:
            measure_link()
            while any_of(False)[0]:
                training.step(next(batches))
            return
        latency_s = 0.0 if group.alone else measure_link().latency_s
        step()
        traffic.taken()
        step()
        sent, waited = traffic.taken()
        facts += f"; a step sends {sent / 1e6:.2f} MB and waits {waited:.2f} s"
        serve(step, note=facts if group.alone else f"{facts}; a sum takes {latency_s * 1e6:.0f} us")
        any_of(False)


class _NewRun:
    """Stands for the folder of a run that has no journal yet."""

    def events(self, event: str) -> list[dict[str, Any]]:
        return []


def job_of(asked: argparse.Namespace, device: Any) -> Any:
    """Return the job of a training, shared by the processes that there are."""
    from alexnet.data import open_pack
    from alexnet.recipes import choose_recipe
    from alexnet.runs.job import Packing, prepare
    from alexnet.runs.together import share_training

    changes: Any = {"model": asked.model, "batch_size": asked.batch_size, "lr": 1e-4}
    recipe = choose_recipe(None, {**changes, "schedule": "constant"})
    job = prepare(open_pack(asked.pack), recipe, device=device, packing=Packing())
    share_training(job, cast("Any", _NewRun()), "auto" if asked.role == ALONE else asked.role)
    return job


@contextmanager
def started_with(several: bool, count: int) -> Generator[None]:
    """Become process 0 of `count`, and start the others, where there are several."""
    if not several:
        yield
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            [sys.executable, *sys.argv],
            env={**os.environ, **group, "RANK": str(rank)},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
        )
        for rank in range(1, count)
    ]
    os.environ.update(group, RANK="0")
    try:
        yield
    finally:
        for each in started:
            each.wait(30)


def starting(asked: argparse.Namespace, scratch: Path) -> None:
    """Time how long it takes from the command until the first step begins."""
    images = make_images(scratch / "images", 64, (48, 48))
    words = ["train", str(images), "--recipe", "cifar", "--epochs", "1", "--batch-size", "32"]
    words += ["--precision", "fp32", "--json", "--run-dir", str(scratch / "run")]
    found: dict[str, list[float]] = {}
    for number in range(asked.rounds + 1):
        for count in range(1, asked.processes + 1):
            took = first_step_s(count, words, scratch / "run")
            if number:  # the first round packs, and fills the file system's cache
                found.setdefault(str(count), []).append(took)
    print("| processes | seconds to the first step, median (least to most) |\n| --- | --- |")
    for name, each in found.items():
        print(f"| {name} | {statistics.median(each):.1f} ({min(each):.1f} to {max(each):.1f}) |")
    print(keep("processes, starting", found))


def first_step_s(count: int, words: list[str], run: Path) -> float:
    """Return the seconds until a run's journal says that it begins; take the run away again."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *(launcher if count > 1 else []), "-m", "alexnet", *words],
        env={**os.environ, **threads(1), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        stdout=subprocess.DEVNULL,
    )
    journal = run / "journal.jsonl"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.01)
    took = time.perf_counter() - began
    if process.wait():
        raise SystemExit(f"{count} processes ended with exit code {process.returncode}.")
    shutil.rmtree(run)
    return took


if __name__ == "__main__":
    main()
