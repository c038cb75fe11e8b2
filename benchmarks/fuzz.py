"""Damaged files of every kind that the package reads: a correct result or one of the four errors.

    python benchmarks/fuzz.py --cases 20000
    python benchmarks/fuzz.py --kind tiff --cases 500 --seed 3
    python benchmarks/fuzz.py --seed 3 --case 417 --keep found

Whole files are made (and, where there are real images and models, taken from ../shared/data or
$ALEXNET_TEST_DATA), one of them is damaged: bits, cuts, swaps, absurd sizes, checksums put right
again. Each case is read by a process of its own kind, whose memory is limited, within a limited
time. A finding is whatever is neither a correct result nor a sentence: another exception, an answer
that cannot be right, a process that died, one that did not answer in time, memory beyond the bound,
and anything at all on standard output or standard error.

A case is known by seed and number. The exit code is 1 where anything was found. Linux alone.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

KINDS = (
    *("jpeg", "png", "webp", "gif", "tiff", "bmp", "tar", "zip", "csv", "parquet", "list"),
    *("pack", "weights", "checkpoint", "caffe", "pth"),
)

LIMIT_MB = 4096  # of address space beside what the process has at its start
BOUND_MB = 2048  # of memory that a case may hold; its files have at most some hundred kB
BOUND_S = 20.0  # of one processor that a case may take
HANGS_S = 60.0  # of one processor after which no answer is waited for
TIMEOUT_S = 600.0  # of the clock, which on a machine that others use says little
START_S = 300.0


class Worker:
    """A process that reads cases; started again where it died.

    Args:
        command: of the process; see `fuzzing.worker`.
        timeout_s: for each case.
    """

    def __init__(self, command: Sequence[str], *, timeout_s: float) -> None:
        self._command, self._timeout_s = command, timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, case: dict[str, Any]) -> dict[str, Any]:
        """Have a case read; a process that dies or does not answer is an outcome, too."""
        if self._process is None:
            self._start()
        process = self._process
        process.stdin.write(json.dumps(case).encode() + b"\n")
        process.stdin.flush()
        line = self._line(self._timeout_s)
        if line is None:
            self.stop()
            return {"outcome": f"no answer within {self._timeout_s:g} s, or {HANGS_S:g} s of work"}
        if not line:
            code = process.wait()
            self.stop()
            return {"outcome": f"died of signal {-code}" if code < 0 else f"ended with {code}"}
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                pipe.close()
            self._process = None

    def _start(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe)
        if not self._line(START_S):
            self.stop()
            raise SystemExit("The process that reads the cases did not start.")

    def _line(self, timeout_s: float) -> bytes | None:
        """Return the next line; None: there was none in time; empty: the process has ended."""
        end = time.monotonic() + timeout_s
        most = _processor_s(self._process.pid) + HANGS_S
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while (rest := end - time.monotonic()) > 0:
                if ready.select(min(rest, 1.0)):
                    return self._process.stdout.readline()
                if _processor_s(self._process.pid) > most:
                    return None
        return None


def _processor_s(pid: int) -> float:
    """Return the seconds of processor that a process has taken; 0 where it has ended."""
    try:
        numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class MetricAccumulator:
    """What came of the cases of one kind."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    most_mb: float = 0.0

    def add(self, answer: dict[str, Any], finding: str | None) -> None:
        self.outcomes["finding" if finding else answer["outcome"]] += 1
        self.seconds += answer.get("seconds", 0.0)
        self.slowest = max(self.slowest, answer.get("seconds", 0.0))
        self.most_mb = max(self.most_mb, answer.get("peak_mb", 0.0))


def finding(answer: dict[str, Any]) -> str | None:
    """Return what is wrong with an answer; None: nothing."""
    if answer["outcome"] not in ("read", "sentence"):
        return f"{answer['outcome']} {answer.get('said', '')}".strip()
    if answer["noise"]:
        return f"written to the screen: {answer['noise'][:300]!r}"
    if answer["peak_mb"] > BOUND_MB:
        return f"{answer['peak_mb']:,.0f} MB of memory"
    if answer["seconds"] > BOUND_S:
        return f"{answer['seconds']:.0f} s of one processor"
    return None


def cases(kinds: Sequence[str], first: int, count: int) -> Iterator[tuple[str, int]]:
    """Yield kind and number of each case: the kinds in turns."""
    number = first
    while count:
        kind = KINDS[number % len(KINDS)]
        if kind in kinds:
            yield kind, number
            count -= 1
        number += 1


def run(
    worker: Worker, chosen: Iterator[tuple[str, int]], *, seed: int, keep: str | None
) -> tuple[dict[str, MetricAccumulator], list[dict[str, Any]]]:
    """Read cases; return a tally by kind, and the findings, which are printed as they come."""
    tallies: dict[str, MetricAccumulator] = defaultdict(MetricAccumulator)
    found: list[dict[str, Any]] = []
    for kind, number in chosen:
        case = {"kind": kind, "seed": seed, "case": number, "keep": keep}
        answer = worker.ask(case)
        what = finding(answer)
        tallies[kind].add(answer, what)
        if what:
            found.append({**case, **answer, "finding": what})
            print(f"{kind}, --seed {seed} --case {number}: {what}", flush=True)
            if "traceback" in answer:
                print(answer["traceback"], flush=True)
    return dict(tallies), found


def table(tallies: dict[str, MetricAccumulator]) -> Iterator[str]:
    """Yield the lines of a table: a row for each kind, and one for all."""
    yield "| kind | cases | read | a sentence | findings | ms each | slowest, s | most memory, MB |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for kind in (each for each in KINDS if each in tallies):
        yield _row(kind, tallies[kind])
    every = MetricAccumulator()
    for each in tallies.values():
        every.outcomes += each.outcomes
        every.seconds += each.seconds
        every.slowest = max(every.slowest, each.slowest)
        every.most_mb = max(every.most_mb, each.most_mb)
    yield _row("all", every)


def _row(kind: str, tally: MetricAccumulator) -> str:
    count = tally.outcomes.total()
    counts = [count, *(tally.outcomes[each] for each in ("read", "sentence", "finding"))]
    figures = [f"{1000 * tally.seconds / max(count, 1):.1f}", f"{tally.slowest:.2f}"]
    return f"| {' | '.join([kind, *(f'{n:,}' for n in counts), *figures])} | {tally.most_mb:.0f} |"


def real_data() -> Path | None:
    """Return the folder of real images and models, where there is one."""
    beside = HERE.parents[1] / "shared" / "data"
    folder = Path(os.environ.get("ALEXNET_TEST_DATA") or beside)
    return folder if folder.is_dir() else None


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS, help="of these kinds alone")
    parser.add_argument("--case", type=int, help="this one alone")
    parser.add_argument("--keep", help="folder to write the files of the cases to")
    parser.add_argument("--made", action="store_true", help="no real images and models")
    parser.add_argument("--json", help="file to write findings and tallies to")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    real = None if asked.made else real_data()
    if asked.worker:
        from fuzzing.worker import main as work

        work(real, LIMIT_MB)
        return 0
    if asked.case is not None:
        asked.first, asked.cases = asked.case, 1
    print(
        f"seed {asked.seed}, cases from {asked.first} on, real files: {real or 'none'}", flush=True
    )
    start = time.perf_counter()
    worker = worker_of(made=asked.made)
    try:
        chosen = cases(asked.kind or KINDS, asked.first, asked.cases)
        tallies, found = run(worker, chosen, seed=asked.seed, keep=asked.keep)
    finally:
        worker.stop()
    print("\n".join(table(tallies)))
    print(f"{time.perf_counter() - start:.0f} s; {len(found)} findings")
    if asked.json:
        counts = {
            kind: {**vars(each), "outcomes": dict(each.outcomes)} for kind, each in tallies.items()
        }
        Path(asked.json).write_text(json.dumps({"tallies": counts, "findings": found}, indent=1))
    return 1 if found else 0


def worker_of(*, made: bool, timeout_s: float = TIMEOUT_S) -> Worker:
    """Return the process that reads the cases of this program."""
    more = ["--made"] if made else []
    return Worker([sys.executable, __file__, "--worker", *more], timeout_s=timeout_s)


if __name__ == "__main__":
    sys.exit(main())
