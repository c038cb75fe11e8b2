"""Why a loss does not fall: what can be measured of the causes, and the flag that mends each.

The traps are those of the networks of 2012: weights of 0.01 under biases of 1 bury the image's
signal, a rate that is too high kills the rectifiers, inputs of another scale than 0..255 starve the
first layer, and 61 million parameters learn nothing from a few hundred images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alexnet.errors import Diverged
from alexnet.records import Epoch
from alexnet.training.optimizer import PaperMomentum, Rates

__all__ = ["Cause", "diagnose_stall", "is_stalled", "label_entropy", "stalled_error"]

_CLOSE = 0.995  # of the entropy of the labels: nothing but their frequencies was learned
_SMALLEST_SHARE = 1e-5  # of a layer's weights that a step changes; about 1e-3 is usual
_PARAMETERS_PER_IMAGE = 2000  # the paper: 50; CIFAR's nets: 3


@dataclass(frozen=True)
class Cause:
    """One likely cause: what was measured, as a sentence, and what to add to the command.

    Args:
        sentence: what was measured.
        command: what mends it, in words or as flags.
        flags: the same as flags and their values (None: it takes none), where flags can mend it.
        too_few_images: whether starting from trained weights is what mends it best.
    """

    sentence: str
    command: str
    flags: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])
    too_few_images: bool = False


def label_entropy(labels: NDArray[np.int64], classes: int) -> float:
    """Return the loss, in nats, of knowing nothing but how frequent each class is."""
    shares = np.bincount(labels, minlength=classes) / max(len(labels), 1)
    return float(-sum(share * math.log(share) for share in shares if share > 0))


def is_stalled(epoch: Epoch, entropy: float, classes: int) -> bool:
    """Say whether the training loss is still where it knows nothing, after steps enough.

    A network of 1000 classes may need 8,000 steps to leave ln(1000); small ones leave in some
    dozens. So 8 steps a class are granted, at least 200, and never less than two epochs.
    """
    patience = max(200, 8 * classes)
    return epoch.epoch >= 2 and epoch.step >= patience and epoch.train_loss > _CLOSE * entropy


@torch.no_grad()
def diagnose_stall(
    network: nn.Module,
    stages: Callable[[Tensor], dict[str, Tensor]],
    images: Tensor,
    *,
    optimizer: PaperMomentum,
    rates: Rates,
    train_images: int,
) -> list[Cause]:
    """Measure each cause on one batch and return those that fit, the likeliest first.

    Args:
        network: in any mode; measured in evaluation mode.
        stages: gives every layer's output by name, in order.
        images: (N, 3, H, W), as the network gets them.
        optimizer: of the run.
        rates: of the last step.
        train_images: how many training images there are.
    """
    network.eval()
    outputs = stages(images)
    found = [
        _rate(optimizer, rates),
        _dead(outputs, rates),
        _buried(outputs),
        _scale(images, network),
        _too_few(network, train_images),
    ]
    return [cause for cause in found if cause is not None]


def stalled_error(epoch: Epoch, entropy: float, causes: list[Cause]) -> Diverged:
    """Return the error that names the stalled training, what was measured, and what to do."""
    head = (
        f"After {epoch.epoch} epochs ({epoch.step} steps) the training loss is "
        f"{epoch.train_loss:.4f}; knowing nothing but the class sizes gives {entropy:.4f}. "
        "The network is not learning, so the run has stopped; its weights so far are kept."
    )
    lines = [head, *(f"- {cause.sentence} Try: {cause.command}" for cause in causes)]
    if not causes:
        lines.append(
            "- Rate, initialization, input and size look sound, so look at the labels: do the "
            "folders hold what their names say? Try: --lr with a tenth and with ten times the rate"
        )
    return Diverged("\n".join(lines))


def _rate(optimizer: PaperMomentum, rates: Rates) -> Cause | None:
    shares = [
        (_length(slot.velocity) / max(_length(slot.parameter), 1e-12), name)
        for name, slot in optimizer.slots.items()
        if not slot.is_bias and slot.multiple(rates.epoch) > 0
    ]
    if not shares:
        return Cause("Every layer is frozen: all rates are 0.", "no --layer-lr with 0")
    (low, _), (high, name) = min(shares), max(shares)
    if high > 0.1:
        return Cause(
            f"The rate {rates.weights:g} looks too high: one step changes {name} by {high:.0%}.",
            f"--lr {rates.weights / 10:g}",
            {"--lr": f"{rates.weights / 10:g}"},
        )
    if high < _SMALLEST_SHARE:
        return Cause(
            f"The rate {rates.weights:g} looks too low: a step changes no layer by more than "
            f"{high:.1e} of itself, the slowest by {low:.1e}.",
            f"--lr {rates.weights * 100:g}",
            {"--lr": f"{rates.weights * 100:g}"},
        )
    return None


def _length(x: Tensor) -> float:
    return math.sqrt(float(x.detach().double().square().sum()))


def _dead(outputs: dict[str, Tensor], rates: Rates) -> Cause | None:
    worst = max(
        (
            (float((output == 0).all(dim=0).float().mean()), name)
            for name, output in outputs.items()
            if name.startswith("relu")
        ),
        default=(0.0, ""),
    )
    if worst[0] < 0.95:
        return None
    return Cause(
        f"{worst[0]:.1%} of the units of {worst[1]} are zero for every image: a rate that was "
        "too high has switched them off.",
        f"--lr {rates.weights / 10:g}",
        {"--lr": f"{rates.weights / 10:g}"},
    )


def _buried(outputs: dict[str, Tensor]) -> Cause | None:
    last = list(outputs.values())[-1].flatten(1).double()
    hidden = [each for name, each in outputs.items() if name.startswith(("relu", "act"))]
    deep = hidden[-1].flatten(1).double() if hidden else last
    size = float(deep.square().mean().sqrt())
    apart = float(deep.std(dim=0).square().mean().sqrt()) if len(deep) > 1 else size
    if apart > 0.02 * max(size, 1e-12):
        return None
    return Cause(
        f"The images differ by only {apart / max(size, 1e-12):.2%} of the signal in the last "
        "hidden layer: the initial weights are so small that biases bury the image (those of "
        "--model alexnet_program, whose conv3 to conv5 start at 0.03, do not).",
        "--initialization he --lr 0.001",
        {"--initialization": "he", "--lr": "0.001"},
    )


def _scale(images: Tensor, network: nn.Module) -> Cause | None:
    size = float(images.double().square().mean().sqrt())
    first = next((p for p in network.parameters() if p.dim() > 1), None)
    if first is None:
        return None
    signal = size * math.sqrt(first[0].numel()) * float(first.detach().double().std())
    if signal > 0.05:
        return None
    return Cause(
        f"The network sees numbers of size {size:.2g}, and the first layer's outputs are about "
        f"{signal:.1e}: the initial weights were meant for images in 0..255.",
        "--no-normalize, or --initialization he",
        {"--initialization": "he"},
    )


def _too_few(network: nn.Module, train_images: int) -> Cause | None:
    parameters = sum(each.numel() for each in network.parameters())
    if parameters < _PARAMETERS_PER_IMAGE * train_images:
        return None
    return Cause(
        f"There are {parameters / 1e6:.1f} million parameters and {train_images:,} training "
        "images.",
        "a smaller network (--model alexnet_small), or start from trained weights with "
        "`alexnet finetune SOURCE`",
        {"--model": "alexnet_small"},
        too_few_images=True,
    )
