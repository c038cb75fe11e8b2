"""How fast the paper's network trains on a GPU, from images, beside the plain way in PyTorch.

    python benchmarks/gpu.py IMAGES                       one folder per class
    python benchmarks/gpu.py IMAGES --batch-size 256 --seconds 20

Contenders, in turns: ours, as `alexnet train` does it; ours with images that are copied batch by
batch, whether they fit on the card or not; and the plain script (peers/plain.py's images and
network, DataLoader, `LocalResponseNorm`) in float32 and under bf16 autocast. Prints medians, ratios
and the share of what the card reaches in products of bf16 matrices, and keeps them.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from steps import begun, endless, prepared
from turns import Contender, arguments, compete, keep, rates, ratio, serve, table

SETTLED = 20  # steps between two waits: a program may be ahead of its card, but not without end


def main() -> None:
    parser = arguments(__doc__, seconds=12.0)
    parser.add_argument("source", type=Path, help="JPEG files in one folder per class")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--pack", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("There is no GPU here that torch can use, and this measures nothing else.")
    if asked.role:
        ROLES[asked.role](asked)
        return
    with tempfile.TemporaryDirectory() as scratch:
        run(asked, Path(scratch, "pack"))


def run(asked: argparse.Namespace, pack: Path) -> None:
    """Let the contenders compete and say what came out."""
    import alexnet

    alexnet.pack(asked.source, pack, image_px=256, store="pixels")
    own = [str(asked.source), "--batch-size", str(asked.batch_size), "--pack", str(pack)]
    contenders = [
        Contender(role, [sys.executable, __file__, "--role", role, *own])
        for role in ROLES
        if not asked.only or role in asked.only
    ]
    compete(contenders, rounds=asked.rounds, seconds=asked.seconds)
    print(table(contenders, contenders[-1]))
    for other in contenders[1:]:
        name, times = contenders[0].name, ratio(contenders[0], other)
        print(f"{name} is {times:.2f} times as fast as {other.name}")
    name, peak, work = card()
    shares = {each.name: statistics.median(each.rates) * work / peak for each in contenders}
    print(f"{name}: products in bf16 reach {peak / 1e3:,.0f} TFLOP/s; of that a step uses")
    for each, share in shares.items():
        print(f"  {each}: {100 * share:.1f} %")
    facts = {"card": name, "bf16 GFLOP/s": peak, "shares": shares, "batch_size": asked.batch_size}
    print(keep(f"gpu, batch {asked.batch_size}", {**facts, **rates(contenders)}))


def card() -> tuple[str | None, float, float]:
    """Return the card, its GFLOP/s in products of bf16, and the GFLOP of an image in a step."""
    from alexnet.benchmarking.limits import matmul
    from alexnet.devices import accelerator_name
    from alexnet.models import build_model, summarize_network

    turns = matmul("bf16", "cuda")
    for _ in range(5):
        turns.run(1.0)
    geometry = summarize_network(build_model("alexnet", classes=1000))
    first = next(each.multiply_adds for each in geometry.layers if each.multiply_adds)
    return accelerator_name(), turns.max, (6 * geometry.multiply_adds - 2 * first) / 1e9


def settled(step: Callable[[], int]) -> Callable[[], int]:
    """Let a step wait for the card now and then, in every contender alike."""
    from alexnet.devices import synchronize

    numbers = itertools.count(1)

    def settling() -> int:
        images = step()
        if next(numbers) % SETTLED == 0:
            synchronize("cuda")
        return images

    return settling


def ours(asked: argparse.Namespace, *, there: bool = True) -> None:
    """Serve whole steps of our training, from a pack."""
    from alexnet.data import open_pack
    from alexnet.data.loading import device_loader as feeding
    from alexnet.nn import describe_normalization

    if not there:
        feeding.free_bytes = lambda kind: 0
    job = prepared(open_pack(asked.pack), "alexnet", asked.batch_size)
    feeding_form, training = job.loader.open(), begun(job)
    device, batches = training.device, endless(training.batches)
    form = describe_normalization(training.network, device.kind)
    serve(
        settled(lambda: training.step(next(batches))),
        note=f"{device.precision}, normalization {form}, {feeding_form}",
    )


def plain(asked: argparse.Namespace, *, bf16: bool) -> None:
    """Serve whole steps as one would write them with torch alone."""
    import torch
    from torch.utils.data import DataLoader

    from alexnet.devices import cores
    from peers.plain import Images, alexnet

    workers = max(2, cores() - 2)
    loader = DataLoader(
        Images(asked.source, 256, 224),
        asked.batch_size,
        shuffle=True,
        num_workers=workers,
        pin_memory=True,
        drop_last=True,
        persistent_workers=True,
    )
    network = alexnet(1000).to("cuda", memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def step() -> int:
        images, labels = (each.to("cuda", non_blocking=True) for each in next(batches))
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=bf16):
            loss = torch.nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return len(labels)

    precision = "bf16 autocast" if bf16 else "fp32"
    serve(settled(step), note=f"{precision}, torch's layers, DataLoader with {workers} workers")


ROLES = {
    "ours": ours,
    "ours, images copied": lambda asked: ours(asked, there=False),
    "plain, bf16": lambda asked: plain(asked, bf16=True),
    "plain, fp32": lambda asked: plain(asked, bf16=False),
}

if __name__ == "__main__":
    main()
