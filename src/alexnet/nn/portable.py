"""Layers in torch's own operators alone, for programs that have torch and not this package.

They answer as the layers that they stand for, more slowly, and are not made to be trained.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.nn.local import LocallyConnected
from alexnet.nn.response_norm import ResponseNorm

__all__ = ["PlainLocal", "PlainNorm", "plain_layers"]


class PlainNorm(nn.Module):
    """A response normalisation; its sums across channels are a convolution with a band of ones.

    Args:
        norm: what it stands for.
        channels: C.
    """

    def __init__(self, norm: ResponseNorm, channels: int) -> None:
        super().__init__()
        self.scale, self.k, self.beta = norm.scale, norm.k, norm.beta
        self.size, self.towers, self.spatial = norm.size, norm.towers, norm.region == "spatial"
        self.before, self.after = norm.size // 2, norm.size - norm.size // 2 - 1
        width = channels // norm.towers
        offset = torch.arange(width)[None, :] - torch.arange(width)[:, None]
        band = ((offset >= -self.before) & (offset <= self.after)).float()
        self.register_buffer("band", band.repeat(norm.towers, 1)[:, :, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W); sums are made in float32."""
        wide = x.float()
        squares = wide * wide
        if self.spatial:
            around = (self.before, self.after, self.before, self.after)
            padded = functional.pad(squares, around)
            sums = functional.avg_pool2d(padded, self.size, 1) * float(self.size**2)
        else:
            sums = functional.conv2d(squares, cast("Tensor", self.band).float(), groups=self.towers)
        return (wide * (sums * self.scale + self.k).pow(-self.beta)).to(x.dtype)


class PlainLocal(nn.Module):
    """A locally connected layer: shifted inputs side by side, and a product at each place.

    Args:
        layer: what it stands for; the numbers are shared with it.
    """

    def __init__(self, layer: LocallyConnected) -> None:
        super().__init__()
        self.window, self.positions, self.inputs = layer.window, layer.positions, layer.inputs
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, P, P)."""
        window, side = self.window, self.positions
        down, right = (window.padding + window.overhang(int(size)) for size in x.shape[2:])
        padded = functional.pad(x, (window.padding, right, window.padding, down))
        reach, step = (side - 1) * window.stride + 1, window.stride
        shifted = [
            padded[:, :, row : row + reach : step, column : column + reach : step]
            for row in range(window.kernel)
            for column in range(window.kernel)
        ]
        rows = torch.cat(shifted, 1).flatten(2)
        by_map = cast("Tensor", self.weight.unflatten(1, (self.inputs, -1)))
        weight = by_map.transpose(1, 2).flatten(1, 2)
        answers = torch.einsum("npl,lpo->nol", rows, weight)
        maps = answers.reshape(-1, weight.shape[2], side, side)
        return maps if self.bias is None else maps + self.bias


def plain_layers(network: nn.Module, x: Tensor) -> None:
    """Put plain layers in the place of those of a network that compute in ways of our own.

    Args:
        network: is changed; set to answer.
        x: an input; the network is asked about it once, to see how many channels come where.
    """
    channels: dict[nn.Module, int] = {}

    def see(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        channels[layer] = inputs[0].shape[1]

    norms = [layer for layer in network.modules() if isinstance(layer, ResponseNorm)]
    handles = [layer.register_forward_hook(see) for layer in norms]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for each in handles:
            each.remove()
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, ResponseNorm) and layer in channels:
                parent._modules[name] = PlainNorm(layer, channels[layer])  # pyright: ignore[reportPrivateUsage]
            elif isinstance(layer, LocallyConnected):
                parent._modules[name] = PlainLocal(layer)  # pyright: ignore[reportPrivateUsage]
