"""Contenders in turns: each is a process of its own that computes only while it is its turn.

Machines are shared and change their speed within minutes, so two figures are compared only where
they were taken side by side. `compete` starts every contender, lets each compute for some seconds,
round after round, and gives the medians of the rounds and of the ratios within a round.

A contender is a program that calls `serve` with a function that does one step; contenders that
differ by little, and would by where their memory lies, are several functions of one program.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
_LIMITS = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "NUMBA_CPU_NAME")


def arguments(
    description: str | None, *, seconds: float, rounds: int = 5
) -> argparse.ArgumentParser:
    """Return a parser that knows what every benchmark in turns is asked.

    Args:
        description: of the benchmark.
        seconds: of each turn, where nothing is said.
        rounds: likewise.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=float, default=seconds, help="of each turn")
    parser.add_argument("--only", nargs="*", help="names of contenders")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    return parser


def serve(step: Callable[[], int] | Mapping[str, Callable[[], int]], *, note: str = "") -> None:
    """Do steps whenever the parent asks for them, until it closes the pipe.

    Args:
        step: does one step and returns how many images were in it; or the step of each of
            several contenders, by name.
        note: how this contender computes, for the table.
    """
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for each in step.values() if isinstance(step, Mapping) else [step]:
        each()
    print(json.dumps({"note": note}), file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        does = step[asked["name"]] if isinstance(step, Mapping) else step
        images, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < asked["seconds"]:
            images += does()
        print(json.dumps({"images": images, "seconds": took}), file=answers)


@dataclass
class Contender:
    """A name and the command that serves it, or another contender whose process serves both."""

    name: str
    command: Sequence[str] = ()
    beside: Contender | None = None
    environment: dict[str, str] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    note: str = ""
    process: Any = None

    def start(self) -> None:
        """Start it and wait until it has done its first step."""
        if self.beside is not None:
            self.process, self.note = self.beside.process, self.beside.note
            return
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self.environment},
        )
        self.note = self._answer()["note"]

    def turn(self, seconds: float) -> None:
        """Let it compute for about so long; its rate in images a second is kept."""
        self.process.stdin.write(json.dumps({"name": self.name, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        found = self._answer()
        self.rates.append(found["images"] / found["seconds"])

    def stop(self) -> None:
        """End its process."""
        if self.process is not None and self.beside is None:
            self.process.stdin.close()
            self.process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"The contender {self.name} ended without an answer.")
        return json.loads(line)


def compete(contenders: Sequence[Contender], *, rounds: int, seconds: float) -> None:
    """Let all of them compute, one after the other, `rounds` times; the first round warms up."""
    try:
        for each in contenders:
            print(f"starting {each.name}", file=sys.stderr, flush=True)
            each.start()
        for number in range(rounds + 1):
            for each in contenders:
                each.turn(seconds)
            if number == 0:
                for each in contenders:
                    each.rates.clear()
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    finally:
        for each in contenders:
            each.stop()


def ratio(one: Contender, other: Contender) -> float:
    """Return the median over the rounds of how many times as fast the first one was."""
    return statistics.median(a / b for a, b in zip(one.rates, other.rates, strict=True))


def table(contenders: Sequence[Contender], base: Contender, unit: str = "images/s") -> str:
    """Return medians, spreads and ratios as a table in Markdown."""
    lines = [
        f"| contender | {unit}, median (least to most) | times {base.name} | how |",
        "| --- | --- | --- | --- |",
    ]
    for each in contenders:
        spread = f"{min(each.rates):,.1f} to {max(each.rates):,.1f}"
        lines.append(
            f"| {each.name} | {statistics.median(each.rates):,.1f} ({spread}) "
            f"| {ratio(each, base):.2f} | {each.note} |"
        )
    return "\n".join(lines)


def keep(name: str, facts: dict[str, Any]) -> Path:
    """Write what was found to benchmarks/results/<date>-<processor>.json, beside what is there.

    A processor of which instructions are hidden, to imitate a smaller one, has a file of its own.
    """
    from alexnet.devices import processor

    limits = [os.environ[name] for name in _LIMITS if os.environ.get(name)]
    slug = re.sub(r"[^A-Za-z0-9]+", "-", "-".join([processor(), *limits])).strip("-").lower()
    path = RESULTS / f"{datetime.date.today().isoformat()}-{slug}.json"
    path.parent.mkdir(exist_ok=True)
    kept = json.loads(path.read_text()) if path.is_file() else {}
    words = [Path(each).name if os.sep in each else each for each in sys.argv]
    kept[name] = {"command": words, **facts}
    path.write_text(json.dumps(kept, indent=2) + "\n")
    return path


def rates(contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return what each contender did in each round, as plain values."""
    return {each.name: {"rates": each.rates, "note": each.note} for each in contenders}
