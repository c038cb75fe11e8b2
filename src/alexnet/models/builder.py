"""Putting a network together: layers one after another, shapes checked on the way.

A model's file says its layers with the verbs below; the shape that each layer sees follows from the
one before, so a geometry that cannot work is found with the layer's name, before anything is
allocated.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.network import Network
from alexnet.nn import (
    Convolution,
    Dropout,
    FullyConnected,
    LocallyConnected,
    MaxPool,
    MeanPool,
    ResponseNorm,
    Window,
    activation_layer,
    gaussian,
    he,
    uniform,
)
from alexnet.recipe import LARGEST_PX, Activation, Initialisation

__all__ = [
    "LARGEST_NETWORK",
    "Assembly",
    "Draw",
    "Options",
    "WindowTooLargeError",
    "even",
    "normal",
    "sizes",
]

Draw = Callable[[nn.Module, torch.Generator], None]

LARGEST_NETWORK = 2**31
"""Parameters of a whole network: 8 GiB in float32; more is a mistake in its arguments."""


class WindowTooLargeError(RecipeError):
    """A window is larger than its input: a larger picture would do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every model can be built with; None: the model's own."""

    classes: int
    activation: Activation | None = None
    dropout: float | None = None
    image_px: int | None = None
    crop_px: int | None = None
    initialisation: Initialisation = "model"
    seed: int = 0


def sizes(options: Options, image_px: int, crop_px: int) -> tuple[int, int]:
    """Return the sides of stored picture and crop.

    A picture given alone keeps the model's proportion of crop to picture; a crop given alone is cut
    from the model's own picture, or fills its picture where it is larger.

    Raises:
        RecipeError: a side out of range, or a crop larger than the picture that it is cut from.
    """
    image, crop = options.image_px, options.crop_px
    for name, side in (("image_px", image), ("crop_px", crop)):
        if side is not None and not 1 <= side <= LARGEST_PX:
            raise RecipeError(f"{name} must be between 1 and {LARGEST_PX} pixels; got {side}.")
    if image is None:
        image = image_px if crop is None or crop <= image_px else crop
    if crop is None:
        crop = max(1, round(image * crop_px / image_px))
    if crop > image:
        raise RecipeError(f"A crop of {crop} pixels cannot be cut from a picture of {image}.")
    return image, crop


class Assembly:
    """Collects the layers of one model. Verbs append a layer under a name.

    Args:
        model: the model's name.
        options: as asked.
        image_px: the model's own side of the stored picture.
        crop_px: the model's own side of the crop.
        activation: the model's own activation.
    """

    def __init__(
        self,
        model: str,
        options: Options,
        *,
        image_px: int,
        crop_px: int,
        activation: Activation = "relu",
    ) -> None:
        self.model, self.options = model, options
        if options.classes < 1:
            raise RecipeError(f"{model} needs at least one class; got {options.classes}.")
        known = get_args(Initialisation)
        if options.initialisation not in known:
            raise RecipeError(
                f'There is no initialisation "{options.initialisation}".'
                f"{did_you_mean(options.initialisation, known)} Known: {', '.join(known)}."
            )
        self.image_px, self.crop_px = sizes(options, image_px, crop_px)
        self.activation: Activation = options.activation or activation
        self.channels, self.positions = 3, self.crop_px
        self.parameters = 0
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.draws: dict[str, Draw] = {}
        self.decay: dict[str, float] = {}

    def conv(
        self,
        name: str,
        maps: int,
        *,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        towers: int = 1,
        ceiling: bool = False,
        bias: bool = True,
        draw: Draw | None = None,
    ) -> None:
        """Append a convolution."""
        self._fit(name, Window(kernel, stride, padding, ceiling))
        self._afford(name, maps * (self.channels // towers * kernel**2 + bias))
        layer = Convolution(
            self.channels,
            maps,
            kernel=kernel,
            stride=stride,
            padding=padding,
            towers=towers,
            ceiling=ceiling,
            bias=bias,
        )
        self.channels = maps
        self._append(name, layer, draw)

    def local(
        self, name: str, maps: int, *, kernel: int, padding: int = 0, draw: Draw | None = None
    ) -> None:
        """Append a locally connected layer of stride 1."""
        channels = self.channels
        self._fit(name, Window(kernel, 1, padding))
        self._afford(name, maps * (channels * kernel**2 + 1) * self.positions**2)
        layer = LocallyConnected(
            channels, maps, positions=self.positions, kernel=kernel, padding=padding
        )
        self.channels = maps
        self._append(name, layer, draw)

    def pool(self, name: str, kernel: int = 3, stride: int = 2, *, ceiling: bool = True) -> None:
        """Append max pooling."""
        self._fit(name, Window(kernel, stride, 0, ceiling))
        self.layers[name] = MaxPool(kernel, stride=stride, ceiling=ceiling)

    def mean_pool(self, name: str, kernel: int = 3, stride: int = 2) -> None:
        """Append mean pooling."""
        self._fit(name, Window(kernel, stride, 0, ceiling=True))
        self.layers[name] = MeanPool(kernel, stride=stride)

    def norm(self, name: str, **settings: Any) -> None:
        """Append a response normalisation."""
        self.layers[name] = ResponseNorm(**settings)

    def batch_norm(self, name: str) -> None:
        """Append batch normalisation over the maps."""
        self.layers[name] = nn.BatchNorm2d(self.channels)

    def act(self, name: str) -> None:
        """Append the activation."""
        self.layers[name] = activation_layer(self.activation)

    def drop(self, name: str, share: float = 0.5, *, inverted: bool = False) -> None:
        """Append dropout, with the share that was asked for."""
        asked = self.options.dropout
        self.layers[name] = Dropout(share if asked is None else asked, inverted=inverted)

    def flatten(self) -> None:
        """Append the step from maps to a row of numbers."""
        self.layers["flatten"] = nn.Flatten()
        self.channels, self.positions = self.channels * self.positions**2, 0

    def linear(self, name: str, outputs: int, *, draw: Draw | None = None) -> None:
        """Append a fully connected layer."""
        self._afford(name, outputs * (self.channels + 1))
        layer = FullyConnected(self.channels, outputs)
        self.channels = outputs
        self._append(name, layer, draw)

    def network(self) -> Network:
        """Draw the first weights in the order of the layers and return the network."""
        generator = torch.Generator().manual_seed(self.options.seed)
        for name, draw in self.draws.items():
            if any(each.is_meta for each in self.layers[name].parameters()):
                continue
            if self.options.initialisation == "he":
                he(self.layers[name], generator=generator)
            else:
                draw(self.layers[name], generator)
        arguments: dict[str, Any] = {
            "classes": self.options.classes,
            "activation": self.activation,
            "dropout": self.options.dropout,
            "image_px": self.image_px,
            "crop_px": self.crop_px,
        }
        return Network(self.layers, model=self.model, arguments=arguments, decay=self.decay)

    def _append(self, name: str, layer: nn.Module, draw: Draw | None) -> None:
        self.layers[name] = layer
        self.draws[name] = draw or normal_he

    def _fit(self, name: str, window: Window) -> None:
        """Work out the positions after a layer; raise where its window is larger than its input."""
        found = window.outputs(self.positions)
        if found < 1:
            padded = f" (with {window.padding} of padding)" if window.padding else ""
            raise WindowTooLargeError(
                f"{self.model} cannot take crops of {self.crop_px} pixels from pictures of "
                f"{self.image_px}: {name} has a window of {window.kernel} x {window.kernel}, and "
                f"its input is {self.positions} x {self.positions}{padded}."
            )
        self.positions = found

    def _afford(self, name: str, parameters: int) -> None:
        """Refuse a layer that no machine's memory holds, before it is allocated."""
        self.parameters += parameters
        if self.parameters > LARGEST_NETWORK:
            raise RecipeError(
                f"{self.model} for {self.options.classes:,} classes and crops of {self.crop_px} "
                f"pixels is too large: up to {name} it has {self.parameters:,} parameters, and "
                f"{LARGEST_NETWORK:,} is the limit. Use smaller pictures (--image-px) or fewer "
                "classes."
            )


def normal_he(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw He's first weights."""
    he(layer, generator=generator)


def normal(std: float, bias: float = 0.0) -> Draw:
    """Return a draw from N(0, std**2), biases constant."""
    return lambda layer, generator: gaussian(layer, std, bias, generator=generator)


def even(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw torch's own first weights."""
    uniform(layer, generator=generator)
