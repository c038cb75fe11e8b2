"""What `nodes.sh` cannot say in shell: looking at a run, repeating its history, timing steps.

    python benchmarks/nodes.py replay RUN train IMAGES ...      the words of RUN, without --run-dir

`replay` trains again with as many processes as the run had, stopped at the steps at which these
changed, and compares losses and weights. `rates` is called by nodes.sh, inside its namespaces.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from processes import packed, threads
from training import make_images
from turns import Contender, keep

WAIT_S = 170.0
STEADY_S = 5.0  # of each measurement


def main() -> None:
    """Do what the first word says."""
    if os.environ.get("STOP_AT"):
        stop_at(int(os.environ["STOP_AT"]), sys.argv[1:])
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("images").add_argument("folder", type=Path)
    await_ = verbs.add_parser("await")
    await_.add_argument("run", type=Path)
    await_.add_argument("--begins", type=int, default=0)
    await_.add_argument("--epochs", type=int, default=0, help="after the last beginning")
    await_.add_argument("--finished", action="store_true")
    replay_ = verbs.add_parser("replay")
    replay_.add_argument("run", type=Path)
    replay_.add_argument("words", nargs=argparse.REMAINDER)
    rates_ = verbs.add_parser("rates")
    rates_.add_argument("--folder", type=Path)
    rates_.add_argument("--prefix")
    rates_.add_argument("--net")
    asked = parser.parse_args()
    {"images": images, "await": wait_for, "replay": replay, "rates": rates}[asked.verb](asked)


def images(asked: argparse.Namespace) -> None:
    """Make 108 images of two classes, if they are not there."""
    if not asked.folder.is_dir():
        make_images(asked.folder, 108, (96, 96))


def journal(run: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a run's journal."""
    path = run / "journal.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def events_of(run: Path, event: str) -> list[dict[str, Any]]:
    """Return the lines of one event."""
    return [each for each in journal(run) if each["event"] == event]


def wait_for(asked: argparse.Namespace) -> None:
    """Wait until a run came so far."""
    until, events = time.monotonic() + WAIT_S, list[str]()
    while time.monotonic() < until:
        events = [each["event"] for each in journal(asked.run)]
        begun = events.count("begin")
        after = events[len(events) - events[::-1].index("begin") :] if begun else []
        there = begun >= asked.begins and after.count("epoch") >= asked.epochs
        if (asked.run / "results.json").exists() if asked.finished else there:
            return
        time.sleep(0.05)
    raise SystemExit(f"{asked.run} did not come so far within {WAIT_S:.0f} s: {events}")


def replay(asked: argparse.Namespace) -> None:
    """Train with a run's history and no loss, and compare."""
    begins = events_of(asked.run, "begin")
    history = [(each["step"], each["processes"]["count"]) for each in begins]
    print("from step, processes:", ", ".join(f"{step}, {count}" for step, count in history))
    again = asked.run.with_name("replay")
    subprocess.run(["rm", "-rf", str(again)], check=True)
    last = (
        -1 if (asked.run / "results.json").exists() else events_of(asked.run, "epoch")[-1]["step"]
    )
    ends = [step for step, _ in history[1:]] + [last]
    for (start, count), end in zip(history, ends, strict=True):
        if start == end:  # nothing was saved before the next one
            continue
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        subprocess.run(
            [sys.executable, *launcher, __file__, *asked.words, "--run-dir", str(again)],
            env={**os.environ, **threads(1), "STOP_AT": str(end), "GLOO_SOCKET_IFNAME": "lo"},
            check=end < 0,
            capture_output=True,
        )
    one, other = losses(asked.run), losses(again)
    same = sum(one[epoch] == other.get(epoch) for epoch in one)
    print(f"{same} of {len(one)} epochs have the same losses to the last digit")
    print(f"the weights are {'the same' if digest(asked.run) == digest(again) else 'others'}")


def stop_at(step: int, words: list[str]) -> None:
    """Be one process of a training that is asked to stop after a step."""
    from alexnet.cli.main import main as command
    from alexnet.training import Training

    made = Training.step

    def counted(training: Training, batch: Any) -> int:
        count = made(training, batch)
        if training.state.step == step and os.environ["RANK"] == "0":
            signal.raise_signal(signal.SIGTERM)
        return count

    Training.step = counted  # type: ignore[method-assign]
    sys.exit(command(words))


def losses(run: Path) -> dict[int, tuple[float, float]]:
    """Return the losses of each epoch, as it was made last."""
    epochs = events_of(run, "epoch")
    return {each["epoch"]: (each["train_loss"], each["val_loss"]) for each in epochs}


def digest(run: Path) -> str:
    """Return a hash of the tensors of the best weights; their header holds times."""
    from safetensors import safe_open

    with safe_open(run / "weights.safetensors", "numpy") as file:
        tensors = [file.get_tensor(name).tobytes() for name in sorted(file.keys())]
    return hashlib.sha256(b"".join(tensors)).hexdigest()


def rates(asked: argparse.Namespace) -> None:
    """Time steps by each way between two and three nodes, at several rates, and print a table."""
    pack = packed("alexnet", asked.folder / "rates")
    limits = [int(each) for each in os.environ.get("RATES", "250 1000 10000 0").split()]
    counts = [int(each) for each in os.environ.get("COUNTS", "2 3").split()]
    found: list[dict[str, Any]] = []
    print("| nodes | way | Mbit/s | seconds a step | how |\n| --- | --- | --- | --- | --- |")
    each_way = [(1, "alone"), *itertools.product(counts, ("data", "hybrid", "towers"))]
    for count, way in each_way:
        if way == "towers" and count != 2:  # there are two
            continue
        facts = SimpleNamespace(count=count, way=way, pack=pack, prefix=asked.prefix, net=asked.net)
        for each in measured(facts, limits if count > 1 else [0]):
            found.append(each)
            cells = count, way, each["mbit_per_s"] or "no limit", f"{each['seconds']:.3f}"
            print("| " + " | ".join(map(str, cells)) + f" | {each['how']} |", flush=True)
    latencies = [re.findall(r"takes (\d+) us", each["how"]) for each in found]
    latency_s = statistics.median(int(us) / 1e6 for all_ in latencies for us in all_)
    facts = {"steps": found, "batch_size": 128, "latency_s": latency_s, "update_s": update_s()}
    keep(f"nodes, rates, up to {max(counts)}", {**facts, "model": "alexnet"})


def update_s() -> float:
    """Return how long one thread takes to update all parameters, in seconds."""
    import torch

    from alexnet.models import build_model
    from alexnet.recipes import choose_recipe
    from alexnet.training import PaperMomentum, Rates

    torch.set_num_threads(1)
    network = build_model("alexnet", classes=2)
    recipe = choose_recipe(None, {"model": "alexnet"})
    optimizer = PaperMomentum(network, recipe, network.weight_decay)
    optimizer.prepare(0)
    optimizer.set_lr(Rates(weights=1e-4, biases=1e-4, epoch=0))
    took: list[float] = []
    for _ in range(6):
        for each in network.parameters():
            each.grad = torch.zeros_like(each)
        started = time.thread_time()
        optimizer.step()
        took.append(time.thread_time() - started)
    return statistics.median(took[1:])


def measured(facts: SimpleNamespace, limits: list[int]) -> list[dict[str, Any]]:
    """Return seconds of a step for each rate, of one way and number of nodes."""
    group = {"WORLD_SIZE": str(facts.count), "MASTER_ADDR": f"{facts.net}.10"}
    group |= {"MASTER_PORT": "29500", "GLOO_SOCKET_IFNAME": "eth0", **threads(1)}
    group |= {"ALEXNET_PROCESS_TIMEOUT": "900"}  # the others wait through what is not their turn
    words = [sys.executable, str(Path(__file__).with_name("processes.py")), "--role", facts.way]
    words += ["--pack", str(facts.pack), "--precision", "fp32", "--processes", str(facts.count)]
    each = [["ip", "netns", "exec", f"{facts.prefix}{rank}", *words] for rank in range(facts.count)]
    limit(facts, 0)
    others = [
        subprocess.Popen(each[rank], env={**os.environ, **group, "RANK": str(rank)})
        for rank in range(1, facts.count)
    ]
    first = Contender(facts.way, each[0], environment={**group, "RANK": "0"})
    try:
        first.start()
        found: list[dict[str, Any]] = []
        for mbit_per_s in limits:
            limit(facts, mbit_per_s)
            first.turn(0.1)  # a step that is not counted
            first.rates.clear()
            for _ in range(3):
                first.turn(STEADY_S / 3)
            seconds = 128 / statistics.median(first.rates)
            found.append({"nodes": facts.count, "way": facts.way, "mbit_per_s": mbit_per_s})
            found[-1] |= {"seconds": seconds, "how": first.note}
        limit(facts, 0)
        return found
    finally:
        first.stop()
        for other in others:
            other.wait(30)


def limit(facts: SimpleNamespace, mbit_per_s: int) -> None:
    """Limit what each node sends; 0: as fast as the kernel copies."""
    for rank in range(facts.count):
        node = ["tc", "-n", f"{facts.prefix}{rank}", "qdisc"]
        subprocess.run([*node, "delete", "dev", "eth0", "root"], check=False, capture_output=True)
        if mbit_per_s:
            burst = max(64_000, mbit_per_s * 125)  # bytes of a millisecond
            rule = ["tbf", "rate", f"{mbit_per_s}mbit", "burst", f"{burst}", "latency", "50ms"]
            subprocess.run([*node, "add", "dev", "eth0", "root", *rule], check=True)


if __name__ == "__main__":
    main()
