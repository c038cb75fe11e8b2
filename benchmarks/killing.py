"""Kill real runs at random instants, let the same command go on, and compare bit by bit.

    python benchmarks/killing.py --source cifar10.zip
    python benchmarks/killing.py --source cifar10.zip --kills 10 --pack-kills 3 --seed 7

A run of two epochs is trained once without interruption, and then again and again under SIGKILL at
ages of the process that are drawn at random, so that it dies while it starts, packs, trains, saves,
measures or writes its report; every third kill waits for a file that is being written. When a run
is through, its weights have to be the uninterrupted run's byte by byte, and its journal and results
the same but for times. `pack` is killed likewise. A kill is survived where the run that it hit came
to the same end.

Every tenth victim is a process that begins with Python itself; the others are forks of this one,
which has imported everything, so that they are at work at once. Where nothing forks, all are of the
first kind.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import os
import platform
import random
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import alexnet.cli.main
import alexnet.runs.session  # so that forks need not import it
from alexnet.data import SPLITS, open_source
from alexnet.devices import processor
from alexnet.files import is_unfinished

MAY_DIFFER = {
    *("time", "seconds", "images_per_s", "saving_seconds", "peak_memory_mb"),
    "checkpoint_bytes",  # the state in it holds times, some with more digits
}
POLL_S = 0.002  # between two looks for a file that is being written
WHOLE_EVERY = 10  # kills: one of them hits a process that began with Python itself
START_S = 3.0  # of arithmetic, until such a process has imported everything


@dataclasses.dataclass
class Victim:
    """Something that a command makes in a folder, and how far it got when it died."""

    name: str
    command: Callable[[Path], list[str]]  # the words after "alexnet"
    phase: Callable[[Path, Path | None], str]  # of a folder, and what was being written there
    compare: Callable[[Path, Path], list[str]]  # what differs from the uninterrupted one
    most_s: float  # age of the oldest process that is killed, in seconds of arithmetic


def main() -> int:
    """Kill, compare, print; 0 where every kill was survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, required=True, help="labeled images of 32 pixels")
    parser.add_argument("--kills", type=int, default=100, help="of a training")
    parser.add_argument("--pack-kills", type=int, default=30, help="of a packing")
    parser.add_argument("--a-run", type=int, default=25, help="most kills of one run")
    parser.add_argument("--images", type=int, default=60_000, help="trained and measured on")
    parser.add_argument("--packed", type=int, default=3000, help="images that are packed")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{processor()}, {arguments.threads} thread(s), Python {platform.python_version()}")
    print(f"seed of the instants: {arguments.seed}")
    with tempfile.TemporaryDirectory(prefix="killing-") as scratch:
        place = Path(scratch)
        os.environ["ALEXNET_CACHE"] = str(place / "cache")
        os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
        draw = random.Random(arguments.seed)
        survived = 0
        if arguments.kills:
            some = place / "some.zip"
            with zipfile.ZipFile(some, "w") as archive:
                for path, data in images(arguments.source, arguments.images):
                    archive.writestr(path, data)
            victim = training(some, arguments.threads)
            survived += torment(victim, arguments.kills, arguments.a_run, draw, place)
        if arguments.pack_kills:
            for path, data in images(arguments.source, arguments.packed):
                (place / "images" / path).parent.mkdir(parents=True, exist_ok=True)
                (place / "images" / path).write_bytes(data)
            victim = packing(place / "images", arguments.threads)
            survived += torment(victim, arguments.pack_kills, arguments.a_run, draw, place)
    total = arguments.kills + arguments.pack_kills
    print(f"\n{survived} of {total} kills survived")
    return 0 if survived == total else 1


def training(source: Path, threads: int) -> Victim:
    """Two epochs of the authors' fastest net, saved every 10 steps."""
    words = ["--recipe", "cifar", "--epochs", "2", "--save-every", "10 steps", "--quiet"]
    fixed = ["--threads", str(threads), "--precision", "fp32"]

    def command(folder: Path) -> list[str]:
        return ["train", str(source), "--run-dir", str(folder), *words, *fixed]

    return Victim("train", command, phase_of_run, run_differences, most_s=2.5)


def packing(source: Path, threads: int) -> Victim:
    """Some hundred megabytes in shards of 64."""
    words = ["--image-px", "256", "--workers", str(threads), "--quiet"]

    def command(folder: Path) -> list[str]:
        return ["pack", str(source), str(folder), *words]

    return Victim("pack", command, phase_of_pack, pack_differences, most_s=1.5)


def torment(victim: Victim, kills: int, most: int, draw: random.Random, place: Path) -> int:
    """Make it once in peace, then under kills; print a table and return how many it survived."""
    whole = place / f"{victim.name}-whole"
    started = time.perf_counter()
    finish(victim, whole)
    life = time.perf_counter() - started
    print(f"\n{victim.name}: alexnet {shlex.join(victim.command(Path('FOLDER')))}")
    print(
        f"uninterrupted: {life:.1f} s; killed at 0 to {victim.most_s:g} s of arithmetic\n",
        flush=True,
    )
    os.environ["ALEXNET_CACHE"] = str(place / "cache of the killed")
    phases: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    started = time.perf_counter()
    for number in itertools.count():
        left = kills - phases.total()
        if not left:
            break
        folder = place / f"{victim.name}-{number}"
        hit = list(kill_repeatedly(victim, folder, min(left, most), draw))
        wrong = finish(victim, folder) or victim.compare(whole, folder)
        phases.update(hit)
        lost.update(hit if wrong else ())
        state = "; ".join(wrong) if wrong else "the same, bit by bit"
        print(f"{victim.name} {number}: {len(hit)} kills, {state}", flush=True)
    print(f"\nin {time.perf_counter() - started:.0f} s\n\n| killed while | kills | survived |")
    print("| --- | --- | --- |")
    for phase, count in phases.most_common():
        print(f"| {phase} | {count} | {count - lost[phase]} |")
    print(f"| {victim.name} | {kills} | {kills - lost.total()} |", flush=True)
    return kills - lost.total()


def kill_repeatedly(victim: Victim, folder: Path, kills: int, draw: random.Random) -> Iterator[str]:
    """Start and kill until enough kills are made or it came to its end; yield what each hit."""
    for number in range(kills):
        whole = number % WHOLE_EVERY == WHOLE_EVERY - 1 or not hasattr(os, "fork")
        process = Program(victim, folder) if whole else Fork(victim, folder)
        until = draw.uniform(0, victim.most_s + START_S * whole)
        aimed = number % 3 == 2
        born = time.perf_counter()
        while process.poll() is None and age_s(process.pid, born) < until:
            time.sleep(5 * POLL_S)
        while aimed and process.poll() is None and being_written(folder) is None:
            if age_s(process.pid, born) > until + victim.most_s:
                break
            time.sleep(POLL_S)
        process.kill()
        process.wait()
        if process.returncode == 0:
            return
        yield victim.phase(folder, being_written(folder))


class Program(subprocess.Popen[str]):
    """The victim's command as a process that begins with Python itself."""

    def __init__(self, victim: Victim, folder: Path) -> None:
        call = "import sys; from alexnet.cli.main import main; sys.exit(main())"
        with said(folder).open("w") as stderr:
            super().__init__(
                [sys.executable, "-c", call, *victim.command(folder)],
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )


class Fork:
    """The same in a fork of this process; used as a `subprocess.Popen` is."""

    def __init__(self, victim: Victim, folder: Path) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(os.open(said(folder), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
            os._exit(alexnet.cli.main.main(victim.command(folder)))

    def poll(self) -> int | None:
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        while self.poll() is None:
            time.sleep(POLL_S)


def said(folder: Path) -> Path:
    """Return where the last process of a folder complained."""
    return folder.with_name(f"{folder.name} said")


def age_s(process: int, born: float) -> float:
    """Return the seconds of arithmetic that a process had; of the clock, where nobody tells."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return time.perf_counter() - born


def finish(victim: Victim, folder: Path) -> list[str]:
    """Let the same command run to its end; return what it complained of."""
    code = Program(victim, folder).wait()
    return [] if code == 0 else [f"exit code {code}: {said(folder).read_text().strip()}"]


def being_written(folder: Path) -> Path | None:
    """Return a file that is written beside its place, or was when the process died."""
    for place in (folder, folder / "checkpoints", folder / "report"):
        if place.is_dir():
            for path in place.iterdir():
                if is_unfinished(path):
                    return path
    return None


def phase_of_run(folder: Path, half: Path | None) -> str:
    """Say what a killed training was doing."""
    if half is not None:
        inside = "a save" if half.parent.name == "checkpoints" else f"writing {written(half)}"
        return f"inside {inside}" if inside == "a save" else inside
    if not (folder / "run.json").is_file():
        return "starting or packing"
    lines = journal(folder)
    epochs = [each for each in lines if each["event"] == "epoch"]
    if epochs and epochs[-1]["epoch"] == 2:
        return "measuring or reporting"
    return "training, or starting to go on"


def written(half: Path) -> str:
    """Return the name that a file was to have."""
    return half.name[1:].rsplit(".", 2)[0]


def phase_of_pack(folder: Path, half: Path | None) -> str:
    """Say what a killed packing was doing."""
    if half is not None:
        return "writing a shard" if half.name.startswith(".shard") else f"writing {written(half)}"
    return "between two shards" if (folder / "packing.journal").exists() else "starting"


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a journal that may have a torn end."""
    path = folder / "journal.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def run_differences(whole: Path, folder: Path) -> list[str]:
    """Compare what two runs left."""
    found: list[str] = []
    names = ("weights.safetensors", "split.csv", "skipped.csv")
    found += [n for n in names if (whole / n).read_bytes() != (folder / n).read_bytes()]
    text = (folder / "journal.jsonl").read_bytes()
    if not text.endswith(b"\n"):
        found.append("torn journal")
    epochs = [
        [comparable(each) for each in journal(place) if each["event"] in ("epoch", "end")]
        for place in (whole, folder)
    ]
    if epochs[0] != epochs[1]:
        found.append("journal")
    results = [comparable(json.loads((p / "results.json").read_text())) for p in (whole, folder)]
    if results[0] != results[1]:
        found.append("results.json")
    if being_written(folder):
        found.append("something half written")
    return found


def pack_differences(whole: Path, folder: Path) -> list[str]:
    """Compare two folders file by file."""
    names = sorted({each.name for place in (whole, folder) for each in place.iterdir()})
    names.remove(".packing.lock")
    return [n for n in names if not same_file(whole / n, folder / n)]


def same_file(one: Path, other: Path) -> bool:
    """Whether both are there with the same bytes."""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def comparable(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what may differ between two runs."""
    return {name: value for name, value in values.items() if name not in MAY_DIFFER}


def images(source: Path, count: int) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of some images, taken evenly from all splits and classes."""
    found = open_source(source)
    step = max(1, len(found.paths) // count)
    for i in range(0, len(found.paths), step)[:count]:
        place = f"{SPLITS[found.splits[i]]}/{found.classes[found.labels[i]]}"
        yield f"{place}/{i}{Path(found.paths[i]).suffix}", found.read(i)


if __name__ == "__main__":
    sys.exit(main())
