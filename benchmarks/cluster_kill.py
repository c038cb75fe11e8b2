"""Pack and predict 20,000 images with one process and with two Ray workers, one of them killed.

    OMP_NUM_THREADS=1 python benchmarks/cluster_kill.py [IMAGES]

Prints seconds and whether all bytes are equal. A worker is killed with SIGKILL when a third of the
shards are done. One thread a process: the last bits of fp32 depend on the number of threads.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

import alexnet


def make_images(folder: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class {number % 5}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((96, 80)).save(path)


def digest(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    state = hashlib.sha256()
    for file in files:
        if file.is_file() and "lock" not in file.name:
            state.update(file.read_bytes())
    return state.hexdigest()[:16]


def kill_a_worker(parts: Path, after: int, killed: list[int]) -> None:
    """Wait for some finished shards, then kill one process that computes."""
    while len([*parts.glob("*.part")]) < after:
        time.sleep(0.05)
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        if "ray::_compute" in line:
            killed.append(int(line.split()[0]))
            os.kill(killed[0], signal.SIGKILL)
            return


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_images(root / "images", count)
        for verb, output, third in (("pack", "pack", 1), ("predict", "rows.csv", count // 3072)):
            digests, seconds = [], []
            for kind in ("one process", "two workers", "two workers, one killed"):
                out = root / kind / output
                out.parent.mkdir(exist_ok=True)
                killed: list[int] = []
                if "killed" in kind:
                    parts = out.with_name(f"{output}.shards")
                    arguments = parts, third, killed
                    threading.Thread(target=kill_a_worker, args=arguments, daemon=True).start()
                cluster = None if kind == "one process" else "auto"
                start = time.perf_counter()
                if verb == "pack":
                    alexnet.pack(root / "images", out, image_px=72, cluster=cluster, workers=1)
                else:
                    alexnet.predict(None, root / "images", csv=out, cluster=cluster)
                seconds.append(time.perf_counter() - start)
                digests.append(digest(out))
                print(
                    f"{verb:8} {kind:24} {seconds[-1]:7.1f} s  {digests[-1]}  {killed}", flush=True
                )
            print(f"{verb:8} equal bytes: {len(set(digests)) == 1}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
