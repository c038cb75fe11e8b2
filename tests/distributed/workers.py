"""What each of several processes does for the tests here: `python workers.py IMAGES OUT`.

Started by torch's launcher, or alone. Process 0 writes what all came to as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import nn

from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.distributed import (
    add_up,
    any_of,
    exchange,
    gather_parts,
    holding,
    share_of,
    together,
    traffic,
    world,
)
from alexnet.models import build_model, possible_ways, sent_bytes
from alexnet.nn import Dropout
from alexnet.nn.batch_norm import whole_batch_norm
from alexnet.recipes import choose_recipe
from alexnet.runs import Packing, prepare
from alexnet.runs.together import put_in_parts

STEPS = 6
MODELS = {
    "alexnet": {"image_px": 72, "crop_px": 64, "lr": 1e-3},  # towers, normalization, dropout
    "alexnet_small": {"image_px": 36, "crop_px": 32, "lr": 1e-4},  # batch normalization
    "cifar_11pct": {"lr": 1e-3},  # locally connected layers
}
BATCH = 10  # which 3 and 4 do not divide; the last one of 41 has one image


def device() -> Device:
    return Device(kind="cpu", processor="", precision="fp32", threads=1, reason="")


def train(images: Path, model: str, way: str | None) -> dict[str, object]:
    """Make some steps; return the loss of each, a digest of the weights, and figures beside."""
    changes = {"model": model, "batch_size": BATCH, "val_fraction": 0.0, "schedule": "constant"}
    recipe = choose_recipe(None, {**changes, **MODELS[model], "class_weights": "auto"})
    job = prepare(open_source(images), recipe, device=device(), packing=Packing(cache="none"))
    training, sent = job.training, None
    if way is not None:
        sent = sent_bytes(job.network, way, BATCH)
        put_in_parts(job, way)
    training.network.train()
    losses, seen, before = [], [], 0.0
    traffic.taken()
    while training.state.step < STEPS:
        for batch in training.batches(training.state.epoch, training.state.step_in_epoch):
            seen.append(training.step(batch))
            total = float(add_up(training.stepper.sums.clone())[0])
            losses.append((total - before) / seen[-1])
            before = total
            if training.state.step == 1:
                first_bytes = traffic.sent_bytes
            if training.state.step == STEPS:
                break
        training.state.epoch += 1
        training.state.step_in_epoch = 0
    digest = hashlib.blake2b(digest_size=8)
    for tensor in training.checkpoint().tensors.values():
        digest.update(tensor.detach().contiguous().numpy().tobytes())
    return {
        "losses": losses,
        "seen": seen,
        "digest": digest.hexdigest(),
        "sent": [sent, sum(world().from_all(first_bytes)) / world().size],
    }


def normalize(images: int) -> dict[str, object]:
    """Return batch normalization of a whole batch: outputs, gradients, statistics."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(images, 3, 4, 5, generator=draw) * 3 + 40
    g = torch.randn(images, 3, 4, 5, generator=draw)
    layer = nn.BatchNorm2d(3)
    layer.weight.data.copy_(torch.tensor([0.5, 1.0, 2.0]))
    share = share_of(images, world().rank, world().size)
    made = layer if world().alone else whole_batch_norm(layer)
    own = x[share.start : share.stop].clone().requires_grad_()
    with holding(None if world().alone else share):
        y = made(own)
    y.backward(g[share.start : share.stop] * (share.counted > 0))
    counts = [
        each.counted for each in (share_of(images, r, world().size) for r in range(world().size))
    ]
    kept = slice(0, share.counted)
    whole = {
        name: torch.cat(gather_parts(part[kept].detach().contiguous(), counts)).flatten().tolist()
        for name, part in (("y", y), ("dx", own.grad))
    }
    return {
        **whole,
        "dw": add_up(made.weight.grad.clone()).tolist(),
        "db": add_up(made.bias.grad.clone()).tolist(),
        "mean": made.running_mean.tolist(),
        "variance": made.running_var.tolist(),
    }


def drop(images: int) -> list[float]:
    """Return the mask of a whole batch, put together of those of all processes."""
    layer, share = Dropout(0.5).train(), share_of(images, world().rank, world().size)
    torch.manual_seed(3)
    with holding(None if world().alone else share):
        mask = layer(torch.ones(share.held, 7))
    counts = [share_of(images, rank, world().size).counted for rank in range(world().size)]
    return torch.cat(gather_parts(mask[: share.counted].contiguous(), counts)).flatten().tolist()


def talk() -> dict[str, object]:
    """Return what the processes tell each other."""
    rank, size = world().rank, world().size
    parts = exchange(
        [torch.full((2,), 10.0 * rank + other) for other in range(size)], [(2,)] * size
    )
    return {
        "first": world().from_first({"from": rank}),
        "all": world().from_all(rank),
        "any": [any_of(rank == size - 1, False), any_of(False, False)],
        "exchanged": [part.tolist() for part in parts],
        "sum": add_up(torch.arange(3.0) + rank).tolist(),
        "strided": add_up(torch.arange(6.0).reshape(2, 3).t()).tolist(),
    }


def main(images: Path, out: Path, models: list[str]) -> None:
    torch.set_num_threads(1)
    with together() as group:
        found: dict[str, object] = {"size": group.size}
        if not group.alone:
            found["talk"] = group.from_all(talk())
        found["norm"] = {str(count): normalize(count) for count in (7, 2)}
        found["mask"] = {str(count): drop(count) for count in (7, 1)}
        for model in models:
            network = build_model(
                model,
                classes=3,
                **{name: value for name, value in MODELS[model].items() if name.endswith("px")},
            )
            ways = [None] if group.alone else possible_ways(network, BATCH)
            found[model] = {str(way): train(images, model, way) for way in ways}
        if group.first:
            out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
