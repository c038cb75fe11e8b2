"""What one image costs a program: `alexnet.predict` a call, and a `Predictor` that is loaded once.

    python benchmarks/predictor.py                           small-200
    OMP_NUM_THREADS=1 python benchmarks/predictor.py --weights runs/pets

Prints the median and the least milliseconds of a call with one photograph of 500 x 375 pixels, for
each form of it. On a machine that is busy with other programs
one thread is faster: several wait for each other at the end of every layer.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import alexnet
from training import make_images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="small-200")
    parser.add_argument("--calls", type=int, default=50)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_images(Path(scratch, "images"), 1, (500, 375))
        path = next(each for each in folder.rglob("*") if each.is_file())
        data, pixels = path.read_bytes(), np.asarray(Image.open(path).convert("RGB"))
        begun = time.perf_counter()
        predictor = alexnet.Predictor(asked.weights)
        predictor(path)
        print(f"loading and the first image: {1000 * (time.perf_counter() - begun):.0f} ms")
        forms: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int]] = {
            "alexnet.predict": (alexnet.predict, (asked.weights, path), max(3, asked.calls // 10)),
            "Predictor, path": (predictor, (path,), asked.calls),
            "Predictor, bytes": (predictor, (data,), asked.calls),
            "Predictor, array": (predictor, (pixels,), asked.calls),
        }
        for name, (call, arguments, calls) in forms.items():
            times = [milliseconds(call, *arguments) for _ in range(calls)]
            print(f"{name:18} median {statistics.median(times):7.1f} ms   least {min(times):6.1f}")


def milliseconds(call: Callable[..., Any], *arguments: Any) -> float:
    begun = time.perf_counter()
    call(*arguments)
    return 1000 * (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
