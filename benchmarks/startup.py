"""How long one image takes from the shell, from start to answer, beside what must be imported.

    python benchmarks/startup.py
    python benchmarks/startup.py --before ../older/src

Programs in turns, each a process of its own: the imports alone, and `alexnet predict` of one image
with the network that comes with the package and with the paper's (240 MB of weights). Each by its
cached graph, by torch, and for the first time, when torch predicts and the graph is made; and by
the package in another folder, such as an older one. Prints medians, spreads and time of the
processor, and keeps them in benchmarks/results.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from training import make_images
from turns import keep

_BY_TORCH = "import sys, torch; from alexnet.cli.main import main; sys.exit(main())"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--before", type=Path, help="src folder of another alexnet")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        programs = make_programs(Path(scratch), arguments.before)
        found: dict[str, list[tuple[float, float]]] = {program.name: [] for program in programs}
        for number in range(arguments.rounds + 1):
            for program in programs:
                took = program.run()
                if number:  # the first round fills the file system's cache and makes the graphs
                    found[program.name].append(took)
            print(f"round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
    print("| program | seconds, median (least to most) | of the processor |\n| --- | --- | --- |")
    for name, each in found.items():
        walls, processor = zip(*each, strict=True)
        spread = f"{min(walls):.2f} to {max(walls):.2f}"
        middle = statistics.median(processor)
        print(f"| {name} | {statistics.median(walls):.2f} ({spread}) | {middle:.2f} |")
    results = {
        name: {"seconds": [a for a, _ in each], "processor_seconds": [b for _, b in each]}
        for name, each in found.items()
    }
    print(keep("startup", results))


@dataclass(frozen=True)
class Program:
    """A command, and where it finds what an earlier one left."""

    name: str
    words: list[str]
    cache: Path
    source: Path | None = None  # folder of the package; None: the installed one
    first: bool = False  # whether graphs are removed before

    def run(self) -> tuple[float, float]:
        """Run it to its end; return the seconds that it took, by the clock and of the processor."""
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
        folders = {"ALEXNET_CACHE": str(self.cache), "NUMBA_CACHE_DIR": str(self.cache / "numba")}
        environment |= folders
        if self.source is not None:
            environment["PYTHONPATH"] = str(self.source)
        if self.first:
            shutil.rmtree(self.cache / "graphs", ignore_errors=True)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, *self.words], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        took = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def make_programs(scratch: Path, before: Path | None) -> list[Program]:
    """Return what is run in turns."""
    image = str(make_images(scratch / "images", 1, (500, 375)) / "0" / "0.jpg")
    cache = scratch / "cache"
    runtime = "import numpy, onnxruntime, PIL.Image"
    programs = [
        Program("import torch", ["-c", "import torch"], cache),
        Program("import NumPy, ONNX Runtime, Pillow", ["-c", runtime], cache),
    ]
    paper = str(write_weights(scratch / "weights.safetensors"))
    for network, words in (("small-200", [image]), ("the paper's network", [paper, image])):
        module, by_torch = ["-m", "alexnet", "predict"], ["-c", _BY_TORCH, "predict"]
        programs += [
            Program(f"{network}, by its graph", [*module, *words], cache),
            Program(f"{network}, by torch", [*by_torch, *words], cache),
            Program(f"{network}, first use", [*module, *words], scratch / "first", first=True),
        ]
        if before is not None:
            name = f"{network}, before"
            programs.append(Program(name, [*module, *words], scratch / "before", before))
    return programs


def write_weights(place: Path) -> Path:
    """Write weights of the paper's network that answer for a thousand classes."""
    import numpy as np

    from alexnet import Preprocessing, Weights, build_model, save_weights

    network = build_model("alexnet", classes=1000, initialization="he")
    weights = Weights(
        model="alexnet",
        arguments=network.arguments,
        state=network.state_dict(),
        classes=tuple(f"class {n}" for n in range(1000)),
        preprocessing=Preprocessing(
            image_px=256, crop_px=224, mean=np.full((256, 256, 3), 120, np.float32)
        ),
    )
    save_weights(place, weights)
    return place


if __name__ == "__main__":
    main()
