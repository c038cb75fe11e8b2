"""How much memory a training takes, from its imports to its report: resident, and at the most.

    python benchmarks/memory.py                         the paper's network, batches of 128 and 32
    python benchmarks/memory.py --precision bf16 --batch-sizes 64
    python benchmarks/memory.py --package ../other/src  the same with another copy of the package

Each batch size is an `alexnet.train` in a process of its own on made photographs: two epochs with
validation, checkpoints, the final measuring and the report. A row is a part of it: what the process
holds at its end, and the most that it held within (VmRSS and VmHWM of /proc, so Linux alone).
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training import make_images

MARKS = (
    ("packed", "alexnet.runs.job", "pack_images", True),
    ("network and velocities", "alexnet.runs.job", "_new_network", True),
    ("prepared", "alexnet.runs.session", "_begin", True),
    ("waiting for a batch", "alexnet.training.step:Stepper", "__call__", False),
    ("forward", "alexnet.models.network:Network", "forward", True),
    ("backward", "torch:Tensor", "backward", True),
    ("update, sums", "alexnet.training.step:Stepper", "__call__", True),
    ("validation", "alexnet.runs.job:PackValidator", "validate", True),
    ("copy for a checkpoint", "alexnet.runs.saver:Saver", "save", True),
    ("calibration", "alexnet.runs.results", "calibrated", True),
    ("final measuring", "alexnet.runs.results", "measure_held_out", True),
    ("final weights", "alexnet.runs.results", "save_weights", True),
    ("report", "alexnet.runs.results", "write_report", True),
)
"""Part; module or class, and its function; whether the part ends after the function or before."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 32])
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--steps", type=int, default=3, help="of an epoch")
    parser.add_argument("--package", type=Path, help="folder that holds another alexnet package")
    parser.add_argument("--role", nargs=2, metavar=("SOURCE", "BATCH"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        train(Path(asked.role[0]), int(asked.role[1]), asked)
        return
    environment = dict(os.environ)
    if asked.package is not None:
        environment["PYTHONPATH"] = str(asked.package.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        images = max(asked.batch_sizes) * asked.steps + 128
        source = make_images(Path(scratch, "images"), images, (500, 375))
        for batch_size in asked.batch_sizes:
            own = ["--role", str(source), str(batch_size), *sys.argv[1:]]
            subprocess.run([sys.executable, __file__, *own], env=environment, check=True)


def train(source: Path, batch_size: int, asked: argparse.Namespace) -> None:
    """Train in this process, and print a row for each part."""
    from alexnet.devices import share_cores

    share_cores()  # as the command line does
    memory = Memory()
    import alexnet

    for part, place, name, after in MARKS:
        memory.mark(part, place, name, after=after)
    memory.note("imports")
    images = sum(1 for _ in source.glob("*/*.jpg"))
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        alexnet.train(
            source,
            run_dir=Path(scratch, "run"),
            cache="none",
            precision=asked.precision,
            model=asked.model,
            batch_size=batch_size,
            epochs=2,
            lr=1e-4,
            schedule="constant",
            val_fraction=128 / images,
        )
    memory.note("end")
    took = time.monotonic() - started
    print(f"\n{asked.model}, batch {batch_size}, {asked.precision}, {took:.0f} s\n")
    print(memory.table())


class Memory:
    """What this process holds when a part of its work ends, and the most that it held within."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[float, float]] = {}

    def mark(self, part: str, place: str, name: str, *, after: bool) -> None:
        """Note a part's memory whenever a function of the package begins, or has ended."""
        module, _, kind = place.partition(":")
        owner: Any = importlib.import_module(module)
        owner = getattr(owner, kind) if kind else owner
        function: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(function)
        def noted(*arguments: Any, **named: Any) -> Any:
            if not after:
                self.note(part)
            result = function(*arguments, **named)
            if after:
                self.note(part)
            return result

        setattr(owner, name, noted)

    def note(self, part: str) -> None:
        """Note that a part ends here; of several times its largest figures stay."""
        facts = Path("/proc/self/status").read_text().splitlines()
        sizes = {line.split(":")[0]: line.split()[1] for line in facts if line.startswith("Vm")}
        now, peak = (int(sizes[name]) / 1000 * 1.024 for name in ("VmRSS", "VmHWM"))
        before = self.rows.get(part, (0.0, 0.0))
        self.rows[part] = max(now, before[0]), max(peak, before[1])
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins again

    def table(self) -> str:
        """Return the rows, and the most of all of them, in MB."""
        lines = ["| part | held at its end, MB | most within, MB |", "| --- | --- | --- |"]
        lines += [
            f"| {part} | {now:,.0f} | {most:,.0f} |" for part, (now, most) in self.rows.items()
        ]
        peak = max(most for _, most in self.rows.values())
        return "\n".join([*lines, f"| whole | | {peak:,.0f} |"])


if __name__ == "__main__":
    main()
