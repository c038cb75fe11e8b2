"""Outputs of several layers as one row of numbers an image, whatever the size of their maps.

Legend: N images, C maps of H x W, D features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from alexnet.errors import RecipeError
from alexnet.models.network import Network
from alexnet.nn import Concat, Eltwise, ProgramActivation

__all__ = ["Block", "PooledFeatures", "default_blocks"]

_LARGEST_GRID = 16
_RAW = "raw:"
_MEAN = "mean:"
_LAST_MAPS = 3  # layers of maps that a head takes
_GRIDS = (1, 2)
_SMALLEST_NORM = 1e-12
_MAPS = 4  # axes of (N, C, H, W)
_ACTIVATIONS = (nn.ReLU, nn.Tanh, nn.Sigmoid, ProgramActivation)


@dataclass(frozen=True)
class Block:
    """A layer's maps, averaged over a grid of cells; or a layer without maps, as it is.

    Args:
        layer: its name.
        grid: rows and columns of cells; 0: the layer has no maps.
        raw: the layer's output as it is, for class scores that are averaged with a head's own; or,
            with a grid of one cell, the plain averages of its maps.
    """

    layer: str
    grid: int = 0
    raw: bool = False

    @classmethod
    def parse(cls, text: object) -> Block:
        """Read "relu5/2", cells of 2 x 2, or "relu6", or "raw:fc8", or "mean:fire9/concat".

        Raises:
            RecipeError: neither of them.
        """
        if isinstance(text, str) and text.startswith(_RAW) and text != _RAW:
            return cls(text.removeprefix(_RAW), raw=True)
        if isinstance(text, str) and text.startswith(_MEAN) and text != _MEAN:
            return cls(text.removeprefix(_MEAN), 1, raw=True)
        layer, _, grid = text.rpartition("/") if isinstance(text, str) else ("", "", "")
        if grid and not layer and "/" not in str(text) and text not in (_RAW, _MEAN):
            return cls(grid)
        if not layer or not grid.isdecimal() or not 1 <= int(grid) <= _LARGEST_GRID:
            raise RecipeError(
                f"A head takes blocks of features such as relu6, or relu5/2 for maps in 2 x 2 "
                f"cells, at most {_LARGEST_GRID}; got {text!r:.60}."
            )
        return cls(layer, int(grid))

    def __str__(self) -> str:
        """Return what `parse` reads."""
        if self.raw:
            return f"{_MEAN if self.grid else _RAW}{self.layer}"
        return f"{self.layer}/{self.grid}" if self.grid else self.layer

    def __call__(self, output: Tensor) -> Tensor:
        """Return (N, d) float32: signed square roots of the averages, of unit length.

        The square root makes a few strong features weigh less; unit length makes images of high
        and of low contrast alike (Perronnin, Sanchez and Mensink 2010, sections 3.1 and 3.2).
        What is raw is neither rooted nor scaled.

        Raises:
            RecipeError: a layer without maps is to be averaged over them.
        """
        if self.grid and output.ndim != _MAPS:
            raise RecipeError(
                f'The layer "{self.layer}" has no maps that could be averaged: it makes '
                f"{output[0].numel():,} numbers. Name a layer of maps, or this one as it is."
            )
        if self.grid:
            output = functional.adaptive_avg_pool2d(output.float(), self.grid)
        flat = output.float().flatten(1)
        if self.raw:
            return flat
        rooted = flat.sign() * flat.abs().sqrt()
        return functional.normalize(rooted, dim=1, eps=_SMALLEST_NORM)


class PooledFeatures(nn.Module):
    """Several blocks side by side, those that are not raw together of unit length.

    Args:
        blocks: at least one.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.blocks = tuple(blocks)
        self.layers = tuple(dict.fromkeys(block.layer for block in blocks))

    def forward(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return (N, D) float32 for the outputs of `layers`, by name."""
        scale = max(sum(not block.raw for block in self.blocks), 1) ** -0.5
        features = [
            block(outputs[block.layer]) * (1 if block.raw else scale) for block in self.blocks
        ]
        return torch.cat(features, dim=1)

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return ", ".join(map(str, self.blocks))


def default_blocks(network: Network) -> tuple[Block, ...]:
    """Return what a head on a network takes: its last maps, and what follows them.

    The last three layers of maps in which branches meet, or which are activations where the network
    has fewer such: averaged over the whole map and over 2 x 2 cells. Then the last hidden layer and
    the class scores.

    Args:
        network: its layers; one image of zeros is run through it.
    """
    device = next(network.parameters()).device
    x = torch.zeros(1, 3, network.crop_px, network.crop_px, device=device)
    with torch.inference_mode():
        shapes = {name: tuple(each.shape[1:]) for name, each in network.stages(x).items()}
    maps = [name for name, shape in shapes.items() if len(shape) == 3 and shape[1] > 1]
    layers = dict(cast("Iterator[tuple[str, nn.Module]]", network.named_modules()))
    joins = [name for name in maps if isinstance(layers.get(name), Concat | Eltwise)]
    active = [name for name in maps if isinstance(layers.get(name), _ACTIVATIONS)]
    last = network.features_layer.split(",")
    chosen = joins if len(joins) >= _LAST_MAPS else active
    blocks = [Block(name, grid) for name in chosen[-_LAST_MAPS:] for grid in _GRIDS]
    blocks += [Block(name, 1 if name in maps else 0) for name in (*last, network.scores_layer)]
    return tuple(dict.fromkeys(each for each in blocks if each.layer in shapes))
