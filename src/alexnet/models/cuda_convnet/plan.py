"""What is known of a network in layer files before anything is allocated.

Legend: C maps, S side of a square map, D numbers in a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.builder import LARGEST_NETWORK
from alexnet.models.cuda_convnet.network import IMAGES
from alexnet.models.cuda_convnet.sections import Section

__all__ = ["LABELS", "LARGEST_SIDE", "Layer", "Plan", "Shape", "Source"]

LABELS = "labels"
"""The kind of the data layer that gives the labels."""

LARGEST_SIDE = 8192
"""Positions along a map, padding included; more is a mistake in the file."""
_GPUS = 64


class Shape(NamedTuple):
    """C maps of S x S positions; a row of C numbers has a side of 0."""

    channels: int
    side: int = 0

    @property
    def numbers(self) -> int:
        """D: how many numbers it holds."""
        return self.channels * self.side**2 if self.side else self.channels

    def __str__(self) -> str:
        if not self.side:
            return f"a row of {self.channels:,}"
        return f"{self.channels} x {self.side} x {self.side}"


class Source(NamedTuple):
    """One input of a layer."""

    name: str  # as the file has it
    shape: Shape


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One section of the layer file that passed its checks.

    `make` builds its module; None: it is none of the network's layers (data, softmax, cost), or
    passes its input on.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: Shape
    make: Callable[[], nn.Module] | None = None
    deviations: tuple[float, ...] = ()  # standard ones of the initial weights, one for each input
    bias: float = 0.0  # of the initial biases
    trainable: bool = False  # this layer has weights, or one below


@dataclass
class Plan:
    """The layers so far, in the order of the file.

    Args:
        parameters: the sections of the parameter file.
        crop_px: side of the images that the network takes.
        classes: K; None: as the file has it.
        head: the layer whose outputs are the classes.
        dropout: probability of dropping a unit; None: as the files have it.
    """

    parameters: dict[str, Section]
    crop_px: int
    classes: int | None = None
    head: str | None = None
    dropout: float | None = None
    resized: bool = False  # the head has another number of outputs than in the file
    layers: dict[str, Layer] = field(default_factory=dict[str, Layer])
    modules: dict[str, Layer] = field(default_factory=dict[str, Layer])  # by the network's names
    outputs: dict[str, str] = field(default_factory=dict[str, str])  # file's name -> network's
    used: set[str] = field(default_factory=set[str])
    weights: int = 0  # of all layers so far

    def sources(self, section: Section, count: int | None = None) -> list[Source]:
        """Return the inputs of a layer: defined above it, and as many as its type takes."""
        sources: list[Source] = []
        for name in section.texts("inputs"):
            if name not in self.layers:
                raise section.error(
                    f'its input "{name}" is not defined above it.'
                    f"{did_you_mean(name, self.layers)} Layers read only layers above them."
                )
            self.used.add(name)
            sources.append(Source(name, self.layers[name].shape))
        if count is not None and len(sources) != count:
            raise section.error(
                f'type "{section.text("type")}" takes {count} inputs; got {len(sources)}.'
            )
        if not section.text("type").startswith("cost."):
            for source in sources:
                kind = self.layers[source.name].kind
                if kind in ("softmax", LABELS):
                    raise section.error(
                        f'its input "{source.name}" is of type {kind}, which only a cost may read '
                        "here."
                    )
        self._require_valid_gpus(section)
        return sources

    def maps(self, section: Section, source: Source, channels: int) -> Shape:
        """Return an input as square maps of so many channels; raise where it is none."""
        shape = source.shape
        if shape.side and shape.channels == channels:
            return shape
        side = math.isqrt(shape.numbers // channels)
        if side**2 * channels != shape.numbers:
            raise section.error(
                f'its input "{source.name}" ({shape}) has {shape.numbers:,} numbers, which are no '
                f"square maps of {channels} channels."
            )
        raise section.error(
            f'channels is {channels}, but its input "{source.name}" is {shape}; numbers are not '
            f"read in another shape here. Give channels={shape.channels}."
        )

    def trainable(self, sources: list[Source]) -> bool:
        """Whether gradients pass below: a layer with weights lies under one of these."""
        return any(self.layers[source.name].trainable for source in sources)

    def require_affordable(self, section: Section, weights: int, output: Shape) -> None:
        """Raise for a layer that no machine's memory holds, before it is allocated."""
        self.weights += weights
        too_many = max(self.weights, output.numbers) > LARGEST_NETWORK
        if too_many or output.side > LARGEST_SIDE:
            raise section.error(
                f"the network is too large: up to here it has {self.weights:,} weights, and the "
                f"layer gives {output}. Look for a number with a digit too many."
            )

    def settings(self, section: Section) -> Section:
        """Return the layer's section of the parameter file, which must be there."""
        if section.name not in self.parameters:
            raise section.error(
                f'type "{section.text("type")}" needs a section [{section.name}] in the parameter '
                "file, and there is none."
            )
        return self.parameters[section.name]

    def add(self, layer: Layer) -> None:
        """Add a layer; one without a module passes its input on under its own name."""
        self.layers[layer.name] = layer
        if layer.make is None:
            self.outputs[layer.name] = self.outputs[layer.inputs[0]] if layer.inputs else IMAGES
            return
        self.outputs[layer.name] = self.append(layer)

    def append(self, layer: Layer) -> str:
        """Append a module that reads the layers named in `inputs`, and return its name."""
        if layer.name in self.modules:
            raise RecipeError(f'Two layers are called "{layer.name}". Rename one of them.')
        self.modules[layer.name] = layer
        return layer.name

    def _require_valid_gpus(self, section: Section) -> None:
        """Check `gpu`, which is ignored: what layers read makes towers, not where they run."""
        if not section.has("gpu"):
            return
        gpus = section.integers("gpu", len(section.texts("gpu")), least=0)
        if len(set(gpus)) != len(gpus):
            raise section.error(f"gpu names one twice: {section.text('gpu')}.")
        if max(gpus) >= _GPUS:
            raise section.error(f"gpu must be between 0 and {_GPUS - 1}; got {max(gpus)}.")
