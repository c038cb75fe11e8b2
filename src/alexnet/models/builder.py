"""Building a network: layers one after another, shapes checked on the way.

A model is one function that lists its layers with the methods below. The shape that each layer sees
follows from the one before, so sizes that cannot work are found with the layer's name, before
anything is allocated.
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
    AdaptiveAvgPool,
    AvgPool,
    Convolution,
    Dropout,
    FullyConnected,
    LocallyConnected,
    MaxPool,
    ResponseNorm,
    Window,
    activation_layer,
    gaussian,
    he,
    uniform,
)
from alexnet.recipe import LARGEST_PX, Activation, Initialization

__all__ = [
    "LARGEST_NETWORK",
    "Initializer",
    "NetworkBuilder",
    "Options",
    "WindowTooLargeError",
    "normal_init",
    "sizes",
    "uniform_init",
]

Initializer = Callable[[nn.Module, torch.Generator], None]

LARGEST_NETWORK = 2**31
"""Parameters of a whole network: 8 GiB in float32; more is a mistake in its arguments."""


class WindowTooLargeError(RecipeError):
    """A window is larger than its input: a larger image would do."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every model can be built with; None: the model's own."""

    classes: int
    activation: Activation | None = None
    dropout: float | None = None
    image_px: int | None = None
    crop_px: int | None = None
    initialization: Initialization = "model"
    seed: int = 0


def sizes(options: Options, image_px: int, crop_px: int) -> tuple[int, int]:
    """Return the sides of stored image and crop.

    An image given alone keeps the model's proportion of crop to image; a crop given alone is cut
    from the model's own image, or fills its image where it is larger.

    Raises:
        RecipeError: a side out of range, or a crop larger than the image that it is cut from.
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
        raise RecipeError(f"A crop of {crop} pixels cannot be cut from an image of {image}.")
    return image, crop


class NetworkBuilder:
    """Collects the layers of one model; each method appends a layer under a name.

    Args:
        model: the model's name.
        options: what it is built with.
        image_px: the model's own side of the stored image.
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
        known = get_args(Initialization)
        if options.initialization not in known:
            raise RecipeError(
                f'There is no initialization "{options.initialization}".'
                f"{did_you_mean(options.initialization, known)} Known: {', '.join(known)}."
            )
        self.image_px, self.crop_px = sizes(options, image_px, crop_px)
        self.activation_name: Activation = options.activation or activation
        self.channels, self.positions = 3, self.crop_px
        self.parameters = 0
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.initializers: dict[str, Initializer] = {}
        self.weight_decay: dict[str, float] = {}

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
        init: Initializer | None = None,
    ) -> None:
        """Append a convolution."""
        self._slide(name, Window(kernel, stride, padding, ceiling))
        self._require_affordable(name, maps * (self.channels // towers * kernel**2 + bias))
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
        self._append(name, layer, init)

    def local(
        self,
        name: str,
        maps: int,
        *,
        kernel: int,
        padding: int = 0,
        init: Initializer | None = None,
    ) -> None:
        """Append a locally connected layer of stride 1."""
        channels = self.channels
        self._slide(name, Window(kernel, 1, padding))
        self._require_affordable(name, maps * (channels * kernel**2 + 1) * self.positions**2)
        layer = LocallyConnected(
            channels, maps, positions=self.positions, kernel=kernel, padding=padding
        )
        self.channels = maps
        self._append(name, layer, init)

    def pool(self, name: str, kernel: int = 3, stride: int = 2, *, ceiling: bool = True) -> None:
        """Append max pooling."""
        self._slide(name, Window(kernel, stride, 0, ceiling))
        self.layers[name] = MaxPool(kernel, stride=stride, ceiling=ceiling)

    def avg_pool(self, name: str, kernel: int = 3, stride: int = 2) -> None:
        """Append average pooling."""
        self._slide(name, Window(kernel, stride, 0, ceiling=True))
        self.layers[name] = AvgPool(kernel, stride=stride)

    def adaptive_avg_pool(self, name: str, grid: int) -> None:
        """Append average pooling to a grid of fixed size, so that larger images fit too."""
        if self.positions < grid:
            raise WindowTooLargeError(
                f"{self.model} cannot take crops of {self.crop_px} pixels from images of "
                f"{self.image_px}: {name} needs maps of at least {grid} x {grid}, and its input is "
                f"{self.positions} x {self.positions}."
            )
        self.layers[name] = AdaptiveAvgPool(grid)
        self.positions = grid

    def response_norm(self, name: str, **settings: Any) -> None:
        """Append a response normalization."""
        self.layers[name] = ResponseNorm(**settings)

    def batch_norm(self, name: str) -> None:
        """Append batch normalization over the maps."""
        self.layers[name] = nn.BatchNorm2d(self.channels)

    def activation(self, name: str) -> None:
        """Append the activation."""
        self.layers[name] = activation_layer(self.activation_name)

    def dropout(self, name: str, p: float = 0.5, *, inverted: bool = False) -> None:
        """Append dropout; the options' probability goes before the model's own."""
        given = self.options.dropout
        self.layers[name] = Dropout(p if given is None else given, inverted=inverted)

    def flatten(self) -> None:
        """Append the flattening of maps into a row."""
        self.layers["flatten"] = nn.Flatten()
        self.channels, self.positions = self.channels * self.positions**2, 0

    def linear(self, name: str, outputs: int, *, init: Initializer | None = None) -> None:
        """Append a fully connected layer."""
        self._require_affordable(name, outputs * (self.channels + 1))
        layer = FullyConnected(self.channels, outputs)
        self.channels = outputs
        self._append(name, layer, init)

    def build(self) -> Network:
        """Draw the initial weights in the order of the layers and return the network."""
        generator = torch.Generator().manual_seed(self.options.seed)
        for name, init in self.initializers.items():
            if any(parameter.is_meta for parameter in self.layers[name].parameters()):
                continue
            if self.options.initialization == "he":
                he(self.layers[name], generator=generator)
            else:
                init(self.layers[name], generator)
        arguments: dict[str, Any] = {
            "classes": self.options.classes,
            "activation": self.activation_name,
            "dropout": self.options.dropout,
            "image_px": self.image_px,
            "crop_px": self.crop_px,
        }
        return Network(
            self.layers, model=self.model, arguments=arguments, weight_decay=self.weight_decay
        )

    def _append(self, name: str, layer: nn.Module, init: Initializer | None) -> None:
        self.layers[name] = layer
        self.initializers[name] = init or he_init

    def _slide(self, name: str, window: Window) -> None:
        """Work out the positions after a layer; raise where its window is larger than its input."""
        outputs = window.outputs(self.positions)
        if outputs < 1:
            padded = f" (with {window.padding} of padding)" if window.padding else ""
            raise WindowTooLargeError(
                f"{self.model} cannot take crops of {self.crop_px} pixels from images of "
                f"{self.image_px}: {name} has a window of {window.kernel} x {window.kernel}, and "
                f"its input is {self.positions} x {self.positions}{padded}."
            )
        self.positions = outputs

    def _require_affordable(self, name: str, parameters: int) -> None:
        """Raise for a layer that no machine's memory holds, before it is allocated."""
        self.parameters += parameters
        if self.parameters > LARGEST_NETWORK:
            raise RecipeError(
                f"{self.model} for {self.options.classes:,} classes and crops of {self.crop_px} "
                f"pixels is too large: up to {name} it has {self.parameters:,} parameters, and "
                f"{LARGEST_NETWORK:,} is the limit. Use smaller images (--image-px) or fewer "
                "classes."
            )


def he_init(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw He's initial weights."""
    he(layer, generator=generator)


def normal_init(std: float, bias: float = 0.0) -> Initializer:
    """Return an initializer that draws from N(0, std**2), biases constant."""
    return lambda layer, generator: gaussian(layer, std, bias, generator=generator)


def uniform_init(layer: nn.Module, generator: torch.Generator) -> None:
    """Draw as torch does by default."""
    uniform(layer, generator=generator)
