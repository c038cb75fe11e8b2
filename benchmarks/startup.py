"""How long one image takes from the shell, beside what importing torch takes by itself.

    python benchmarks/startup.py

Programs in turns, each a process of its own: `import torch` alone, and `alexnet predict` of one
image with the paper's network, with the machine code of numba's kernels in its cache and without.
Prints medians, spreads and what is above torch's import, and keeps them in benchmarks/results.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from training import make_images
from turns import keep


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        image = make_images(Path(scratch, "images"), 1, (500, 375)) / "0" / "0.jpg"
        weights = write_weights(Path(scratch, "weights.safetensors"))
        predict = [sys.executable, "-m", "alexnet", "predict", str(weights), str(image)]
        programs = {
            "import torch": ([sys.executable, "-c", "import torch"], None),
            "predict, warm cache": (predict, Path(scratch, "warm")),
            "predict, cold cache": (predict, Path(scratch, "cold")),
        }
        found: dict[str, list[float]] = {name: [] for name in programs}
        for number in range(arguments.rounds + 1):
            for name, (command, cache) in programs.items():
                folder = cache / str(number) if cache and "cold" in name else cache
                took = seconds(command, folder)
                if number:  # the first round fills the file system's cache and the warm one
                    found[name].append(took)
            print(f"round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
    base = found["import torch"]
    print("| program | seconds, median (least to most) | above import torch |\n| --- | --- | --- |")
    for name, each in found.items():
        above = statistics.median(a - b for a, b in zip(each, base, strict=True))
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"| {name} | {statistics.median(each):.2f} ({spread}) | {above:.2f} |")
    print(keep("startup", {name: {"seconds": each} for name, each in found.items()}))


def seconds(command: list[str], cache: Path | None) -> float:
    """Run a program to its end and return how long it took."""
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # pip compiles what it installs
    if cache is not None:
        environment |= {"ALEXNET_CACHE": str(cache), "NUMBA_CACHE_DIR": str(cache / "numba")}
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


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
