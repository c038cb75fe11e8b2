"""Layers in torch's operators alone, for programs that have torch and not this package.

They compute what the layers do that they replace, more slowly, and are for inference only.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.nn.local import LocallyConnected
from alexnet.nn.response_norm import ResponseNorm

__all__ = ["PortableLocallyConnected", "PortableResponseNorm", "replace_with_portable"]


class PortableResponseNorm(nn.Module):
    """A response normalization; its sums across channels are a convolution with a band of ones.

    Args:
        norm: the layer that it replaces.
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
        """Return the shape of `x`, which has positions on one to three axes; sums in float32."""
        wide = x.float()
        squares = wide * wide
        if self.spatial:
            padded = functional.pad(squares, (self.before, self.after) * 2)
            sums = functional.avg_pool2d(padded, self.size, 1) * float(self.size**2)
        else:
            band = cast("Tensor", self.band).float()
            maps = squares if x.dim() == 4 else squares.flatten(2).unsqueeze(3)
            sums = functional.conv2d(maps, band, groups=self.towers).view_as(squares)
        return (wide * (sums * self.scale + self.k).pow(-self.beta)).to(x.dtype)


class PortableLocallyConnected(nn.Module):
    """A locally connected layer: shifted inputs side by side, and a product at each place.

    Args:
        layer: the one that it replaces; weights are shared with it.
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
        span, step = (side - 1) * window.stride + 1, window.stride
        shifted = [
            padded[:, :, row : row + span : step, column : column + span : step]
            for row in range(window.kernel)
            for column in range(window.kernel)
        ]
        rows = torch.cat(shifted, 1).flatten(2)
        by_map = cast("Tensor", self.weight.unflatten(1, (self.inputs, -1)))
        weight = by_map.transpose(1, 2).flatten(1, 2)
        products = torch.einsum("npl,lpo->nol", rows, weight)
        maps = products.reshape(-1, weight.shape[2], side, side)
        return maps if self.bias is None else maps + self.bias


def replace_with_portable(network: nn.Module, x: Tensor) -> None:
    """Replace the layers of a network that use autograd functions or kernels of this package.

    Args:
        network: is changed; in evaluation mode.
        x: an input; the network runs on it once, to find how many channels each layer sees.
    """
    channels: dict[nn.Module, int] = {}

    def count_channels(layer: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        channels[layer] = inputs[0].shape[1]

    norms = [layer for layer in network.modules() if isinstance(layer, ResponseNorm)]
    handles = [layer.register_forward_hook(count_channels) for layer in norms]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, ResponseNorm) and layer in channels:
                parent._modules[name] = PortableResponseNorm(layer, channels[layer])  # pyright: ignore[reportPrivateUsage]
            elif isinstance(layer, LocallyConnected):
                parent._modules[name] = PortableLocallyConnected(layer)  # pyright: ignore[reportPrivateUsage]
