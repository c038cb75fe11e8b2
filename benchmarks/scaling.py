"""What training in many processes would take, by arithmetic, and how wrong that is here.

    sudo bash benchmarks/nodes.sh rates /tmp/nodes      measures, keeps it in benchmarks/results
    python benchmarks/scaling.py                        tables of errors and of large clusters

A step is its arithmetic, the update of the parameters that a process holds, and what is sent:

    step = arithmetic + update + sending on the processor + what is waited for of the network

Gradients of fc6 to fc8 are sent while the convolutions' backward pass goes on, and waited for only
as far as they take longer; so it is by data alone. Those of the convolutions fill one bucket, which
leaves when the pass is over, and activations are waited for in full. A ring of N processes passes
2 (N-1) messages for each sum, a tree 2 log2 N. The exchanges of towers take twice the time of their
bytes, as measured. Machines are equal, nobody else uses the network, images are always there: what
is lost to any of it comes on top.

Legend: N processes, B images of the whole batch.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

from turns import RESULTS

IMAGENET = 1_281_167  # training images
BEHIND = 0.55  # of a step's arithmetic is left when the gradients of fc6 to fc8 exist
CALLS = {"data": 10, "hybrid": 15, "towers": 8}
TURNS = {"data": 1, "hybrid": 1, "towers": 2}  # measured: both directions of towers take their turn
TWO_CORES = 2


@dataclass(frozen=True)
class Machine:
    """What one process has.

    Attributes:
        images_per_s: of arithmetic alone.
        bytes_per_s: that it sends.
        latency_s: of a message.
        update_s: for a parameter.
        sending_s: of the processor, for a byte that is sent; 0 where nothing else waits for it.
        cores: that all processes share where they are on one machine; None: each has its own.
        tree: whether sums of many processes go up and down a tree, and not round a ring.
    """

    images_per_s: float
    bytes_per_s: float
    latency_s: float = 50e-6
    update_s: float = 0.0
    sending_s: float = 0.0
    cores: int | None = None
    tree: bool = False


class Sizes:
    """The paper's network with 1,000 classes, or another number: what each way sends and holds."""

    def __init__(self, classes: int = 1000) -> None:
        from alexnet.models import build_model

        self._network = build_model("alexnet", classes=classes)
        counts = {name: each.numel() for name, each in self._network.named_parameters()}
        self.convolutions = sum(each for name, each in counts.items() if name.startswith("conv"))
        self.parameters = sum(counts.values())

    def sent(self, way: str, batch: int, count: int) -> float:
        """Return the bytes that a process sends in a step."""
        from alexnet.models import sent_bytes

        with as_one_of(count):
            return sent_bytes(self._network, way, batch)  # type: ignore[arg-type]

    def ways(self, batch: int, count: int) -> list[str]:
        """Return the ways that there are."""
        from alexnet.models import possible_ways

        with as_one_of(count):
            return list(possible_ways(self._network, batch))


@contextmanager
def as_one_of(count: int) -> Generator[None]:
    """Let bytes be counted as if this were one of so many processes."""
    from alexnet.distributed import World

    others = World(0, count)
    with mock.patch("alexnet.distributed.world._world", others):
        yield


def step_s(machine: Machine, sizes: Sizes, way: str, batch: int, count: int) -> float:
    """Return the seconds of a step."""
    crowd = 1.0 if machine.cores is None else max(1.0, count / machine.cores)
    arithmetic = batch / count / machine.images_per_s * crowd
    gradients = {"data": sizes.parameters, "hybrid": sizes.convolutions, "towers": 0}[way]
    held = gradients + (sizes.parameters - gradients) / count
    update = held * machine.update_s * crowd
    if count == 1:
        return arithmetic + update
    sent = sizes.sent(way, batch, count)
    gradients_sent = 2 * (count - 1) / count * 4 * sizes.parameters if way == "data" else 0.0
    hops = 2 * math.ceil(math.log2(count)) if machine.tree else 2 * (count - 1)
    messages = CALLS[way] * hops * machine.latency_s
    hidden = BEHIND * arithmetic / crowd
    waited = max(0.0, gradients_sent / machine.bytes_per_s - hidden)
    waited += TURNS[way] * (sent - gradients_sent) / machine.bytes_per_s
    return arithmetic + update + sent * machine.sending_s * crowd + waited + messages


def measured() -> dict[str, Any]:
    """Return what `nodes.sh rates` kept last, all numbers of nodes together."""
    for path in sorted(RESULTS.glob("*.json"), reverse=True):
        kept = json.loads(path.read_text())
        each = [kept[name] for name in sorted(kept) if name.startswith("nodes, rates")]
        if each:
            steps = [step for facts in reversed(each) for step in facts["steps"]]
            return {**each[0], "steps": steps, "path": path}
    raise SystemExit("Nothing is measured yet: sudo bash benchmarks/nodes.sh rates FOLDER")


def calibrated(facts: dict[str, Any], sizes: Sizes) -> Machine:
    """Return this machine by two of its measured steps: one process alone, and two by data."""
    steps = {(e["nodes"], e["way"], e["mbit_per_s"]): e["seconds"] for e in facts["steps"]}
    batch = facts["batch_size"]
    alone, pair = steps[1, "alone", 0], steps[2, "data", 0]
    update = facts["update_s"] / sizes.parameters
    rate = batch / (alone - facts["update_s"])
    here = Machine(rate, math.inf, facts["latency_s"] / 2, update_s=update, cores=TWO_CORES)
    sent = sizes.sent("data", batch, 2)
    more = pair - step_s(here, sizes, "data", batch, 2)
    return replace(here, sending_s=max(0.0, more / sent))


def print_errors(facts: dict[str, Any], here: Machine, sizes: Sizes) -> None:
    """Print steps as measured and as computed."""
    print("\n| nodes | way | Mbit/s | measured, s | computed, s | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    errors: list[float] = []
    for each in facts["steps"]:
        count, way, mbit = each["nodes"], each["way"], each["mbit_per_s"]
        if count == 1:
            continue
        machine = replace(here, bytes_per_s=mbit * 1e6 / 8 if mbit else math.inf)
        computed = step_s(machine, sizes, way, facts["batch_size"], count)
        error = computed / each["seconds"] - 1
        fitted = (count, way, mbit) == (2, "data", 0)
        errors += [] if fitted else [abs(error)]
        note = "(fitted)" if fitted else f"{error:+.0%}"
        cells = count, way, mbit or "no limit", f"{each['seconds']:.2f}", f"{computed:.2f}", note
        print("| " + " | ".join(map(str, cells)) + " |")
    print(f"\nmedian error {statistics.median(errors):.0%}, largest {max(errors):.0%}")


def print_cluster(name: str, machine: Machine, sizes: Sizes, each: int) -> None:
    """Print the time of 90 epochs by size and rate, with so many images for each process."""
    print(f"\n{name}: 90 epochs of ImageNet with {each} images a process and step")
    print("\n| processes | whole batch | way | 1 Gbit/s | 10 Gbit/s | 100 Gbit/s | sent |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for count in (1, 8, 64, 512):
        batch = each * count
        for way in ["data"] if count == 1 else sizes.ways(batch, count):
            cells: list[str] = []
            for gbit in (1, 10, 100):
                step = step_s(
                    replace(machine, bytes_per_s=gbit * 1e9 / 8), sizes, way, batch, count
                )
                cells.append(duration(90 * math.ceil(IMAGENET / batch) * step))
            sent = sizes.sent(way, batch, count) / 1e6 if count > 1 else 0
            print(f"| {count} | {batch} | {way} | {' | '.join(cells)} | {sent:.0f} MB |")


def duration(seconds: float) -> str:
    """Return "3.1 h" or "12 min"."""
    if seconds >= 86_400:
        return f"{seconds / 86_400:.1f} days"
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def print_published(sizes: Sizes) -> None:
    """Hold the model against what others reached, with their own inputs where they name them."""
    # Sun et al. 2019: 512 V100, eight to a machine with 56 Gbit/s, 95 epochs in 1.5 minutes, 410.2
    # times as fast as one, which gives what one does; 65,536 images, gradients in half precision.
    rate = 95 * IMAGENET / 90 / 410.2
    machine = Machine(8 * rate, 56e9 / 8, 5e-6, tree=True)  # eight GPUs as one
    half = step_s(replace(machine, bytes_per_s=2 * machine.bytes_per_s), sizes, "data", 65536, 64)
    full = step_s(machine, sizes, "data", 65536, 64)
    steps = 95 * math.ceil(IMAGENET / 65536)
    print(f"\nSun et al. 2019, one GPU {rate:,.0f} images/s by their own speedup; computed for 64")
    print(f"machines: {steps * half:.0f} s in half precision, {steps * full:.0f} s in single,")
    print("printed: 90 s with half precision and sums of the largest chunks alone")
    # You et al. 2017: 1,024 processors, 32,768 images, 100 epochs in 11 minutes.
    step = 660 / (100 * math.ceil(IMAGENET / 32768))
    sent = sizes.sent("data", 32768, 1024)
    network = sent / (100e9 / 8)
    print(f"You et al. 2017: a step of {step:.3f} s, {sent / 1e6:.0f} MB each, {network:.3f} s at")
    print(
        f"100 Gbit/s: a processor made 32 images in {step:.3f} s, at least {32 / step:.0f} images/s"
    )


def main() -> None:
    """Print all tables."""
    facts = measured()
    here = calibrated(facts, Sizes(classes=2))
    print(f"from {Path(facts['path']).name}: {here}")
    print_errors(facts, here, Sizes(classes=2))
    sizes = Sizes()
    node = Machine(2 * here.images_per_s, 0, update_s=here.update_s, sending_s=here.sending_s / 2)
    print_cluster("Nodes of two cores as here", node, sizes, 128)
    gpu = Machine(95 * IMAGENET / 90 / 410.2, 0, 10e-6, tree=True)
    print_cluster("GPUs as a V100 of 2019, each with a network of its own", gpu, sizes, 128)
    print_published(sizes)


if __name__ == "__main__":
    main()
