#!/usr/bin/env bash
# torch's FLOP counter counts the weight gradient of a grouped convolution once for each group.
#
# Expected: a convolution in g groups needs a g-th of the multiplications of one without, forward and
#   backward alike, so that the backward pass costs twice the forward pass: once for the gradient of
#   the input, once for that of the weights.
# Instead: FlopCounterMode counts the forward pass and the input's gradient correctly, and the gradient of
#   the weights g times: 3 times the forward pass for two groups, 65 times for 64. That gradient of a
#   depthwise convolution is counted as if the convolution were dense.
# Why here: conv2, conv4 and conv5 of the 2012 network have two groups, one for each of its GPUs. A
#   counter that overstates a step by 22 % makes a machine look that much nearer to its limit.
#   `alexnet bench` times the convolutions themselves and uses no counter.
# Versions: torch 2.13.0 (CPU), numpy 2.4.6; 2026-11-30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv || exit 2
install="venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
$install torch==2.13.0 || exit 2
$install numpy==2.4.6 || exit 2

venv/bin/python -W ignore - <<'PYTHON'
import sys

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def counted(layers, x):
    """Return the FLOPs counted forward and backward."""
    with FlopCounterMode(display=False) as forward:
        y = layers(x)
    with FlopCounterMode(display=False) as backward:
        y.sum().backward()
    return forward.get_total_flops(), backward.get_total_flops()


def multiplications(channels, outputs, kernel, side, groups, batch):
    """Count them by hand, two FLOPs each; no padding is involved."""
    return 2 * batch * outputs * (channels // groups) * kernel**2 * (side - kernel + 1) ** 2


holds = True
print("convolution of 64 by 64 channels, 3 x 3, over the FLOPs counted by hand")
for groups in (1, 2, 4, 64):
    by_hand = multiplications(64, 64, 3, 10, groups, batch=2)
    layer = nn.Conv2d(64, 64, 3, groups=groups)
    forward, both = counted(layer, torch.randn(2, 64, 10, 10, requires_grad=True))
    _, weights_alone = counted(layer, torch.randn(2, 64, 10, 10))
    print(
        f"  {groups:2} groups: forward {forward / by_hand:.0f}, backward {both / by_hand:.0f}, "
        f"of it the weights' gradient {weights_alone / by_hand:.0f}"
    )
    holds &= forward == by_hand and weights_alone == groups * by_hand
    holds &= both == (1 + groups) * by_hand


def convolutions(groups):
    """The five convolutions of 2012, without what lies between them but the reduction in size."""
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4, 2), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, 1, 2, groups=groups), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, 1, 1), nn.Conv2d(384, 384, 3, 1, 1, groups=groups),
        nn.Conv2d(384, 256, 3, 1, 1, groups=groups),
    )  # fmt: skip


with torch.device("meta"):
    x = torch.empty(1, 3, 224, 224)
    first = counted(nn.Conv2d(3, 96, 11, 4, 2), x)[0]
    forward, backward = counted(convolutions(2), x)
true = 2 * forward - first  # the image needs no gradient
print(
    f"the convolutions of 2012: backward {backward / 1e9:.2f} GFLOP an image where it is "
    f"{true / 1e9:.2f}; a step {(forward + backward) / (forward + true) - 1:.0%} too much"
)
holds &= backward > 1.2 * true
sys.exit(0 if holds else "changed: the counter counts groups otherwise now")
PYTHON
