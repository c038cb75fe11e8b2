"""What fewer multiplications bring, convolution by convolution, and what bounds it.

    python benchmarks/roofline.py                        the paper's network, 32 images
    python benchmarks/roofline.py --model cifar_26pct --images 128

One process, one thread, torch's kernels and Winograd's in turns, by processor time. Prints a table
in Markdown and keeps it in benchmarks/results. Rates of both count the multiplications of the plain
form, torch's before the colon and Winograd's behind it, so that what is saved shows as speed;
"products" are the rate of those that are left, in the forward pass as a whole.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from alexnet.devices import share_cores
from turns import keep

Parts = dict[str, Callable[[], Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    share_cores()
    torch.set_num_threads(1)
    print(
        "| layer | tile | products saved | MB in and out | forward, torch: ours (products) ", end=""
    )
    print("| inputs' gradient | filters' gradient |\n| --- | --- | --- | --- | --- | --- | --- |")
    kept = {}
    for name, layer, x in layers(asked.model, asked.images):
        plan = layer.winograd_plan(x)
        if plan is not None:
            kept[name] = measured(layer, plan, x, asked.rounds)
            print(line(name, plan, kept[name]), flush=True)
    print(keep(f"roofline {asked.model}", kept))


def layers(model: str, images: int) -> list[tuple[str, Any, torch.Tensor]]:
    """Return the convolutions of a model, with what they read of some images of noise."""
    from alexnet.models import build_model
    from alexnet.nn import Convolution

    network = build_model(model, classes=10, initialization="he").eval()
    network.to(memory_format=torch.channels_last)
    x = torch.randn(images, 3, network.crop_px, network.crop_px)
    found = []
    with torch.no_grad():
        for name, layer in network.named_children():
            if isinstance(layer, Convolution):
                found.append((name, layer, x.contiguous(memory_format=torch.channels_last)))
            x = layer(x)
    return found


def measured(layer: Any, plan: Any, x: torch.Tensor, rounds: int) -> dict[str, Any]:
    """Return medians in seconds of each part in both forms, and what they work on."""
    parts = {**torch_parts(layer, x), **winograd_parts(layer, plan, x)}
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds + 1):
        for name, part in parts.items():
            start = time.process_time()
            part()
            seconds[name].append(time.process_time() - start)
    outputs = (len(x), layer.out_channels, plan.height, plan.width)
    taps = layer.weight[0].numel()
    return {
        "seconds": {name: statistics.median(each[1:]) for name, each in seconds.items()},
        "gflop": 2 * taps * torch.Size(outputs).numel() / 1e9,
        "saving": plan.saving,
        "mb": 4 * (x.numel() + torch.Size(outputs).numel()) / 1e6,
    }


def torch_parts(layer: Any, x: torch.Tensor) -> Parts:
    """Return torch's forward pass and its two gradients."""
    with torch.no_grad():
        g = torch.ones_like(layer(x))
    down, right = (layer.window.overhang(size) for size in x.shape[2:])
    padded = torch.nn.functional.pad(x, (0, right, 0, down))
    padded = padded.contiguous(memory_format=torch.channels_last)
    operator: Any = torch.ops.aten.convolution_backward
    windows = (list(layer.stride), list(layer.padding), [1, 1], False, [0, 0], layer.groups)

    def backward(inputs: bool) -> Any:
        return operator(g, padded, layer.weight, None, *windows, [inputs, not inputs, False])

    def forward() -> Any:
        with torch.no_grad():
            return layer(x)

    parts: Parts = {"torch forward": forward, "torch filters": lambda: backward(False)}
    if layer.in_channels > 4:  # images need no gradient
        parts["torch inputs"] = lambda: backward(True)
    return parts


def winograd_parts(layer: Any, plan: Any, x: torch.Tensor) -> Parts:
    """Return the same of Winograd's form; filters are transformed each time, as in a step."""
    from alexnet.kernels.winograd import convolution as winograd

    weight, bias, wild = layer.weight.detach(), layer.bias, winograd.find_wild(x)
    g = torch.ones(len(x), layer.out_channels, plan.height, plan.width)
    g = g.contiguous(memory_format=torch.channels_last)

    def filters(turned: bool = False) -> Any:
        return winograd.Filters(plan, weight, turned=turned)

    parts: Parts = {
        "ours forward": lambda: winograd.forward(plan, x, filters(), bias, wild),
        "ours filters": lambda: winograd.weight_gradient(plan, x, g, weight.shape, wild),
    }
    if layer.in_channels > 4:
        parts["ours inputs"] = lambda: winograd.input_gradient(
            plan, g, filters(turned=True), x.shape, wild
        )
    return parts


def line(name: str, plan: Any, facts: dict[str, Any]) -> str:
    """Return a row of the table, in GFLOP/s of the plain form."""
    seconds, gflop = facts["seconds"], facts["gflop"]

    def pair(part: str) -> str:
        if f"torch {part}" not in seconds:
            return ""
        one, other = seconds[f"torch {part}"], seconds[f"ours {part}"]
        return f"{gflop / one:.0f}: {gflop / other:.0f}, {one / other:.2f} times"

    products = gflop / plan.saving / seconds["ours forward"]
    tile = f"F({plan.m} x {plan.m}, {plan.r} x {plan.r})"
    return (
        f"| {name} | {tile} | {plan.saving:.1f} times | {facts['mb']:.0f} "
        f"| {pair('forward')} ({products:.0f}) | {pair('inputs')} | {pair('filters')} |"
    )


if __name__ == "__main__":
    main()
