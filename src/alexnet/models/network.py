"""A network as a flat sequence of named layers, each output readable by its layer's name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models.fusion import fused_steps
from alexnet.nn import Dropout

__all__ = ["Network"]


class Network(nn.Sequential):
    """Named layers in a row, from images (N, 3, c, c) to logits (N, K).

    Layer names are Caffe's: conv1, relu1, norm1, pool1, ..., fc6, relu6, drop6, ..., fc8.

    Attributes:
        model: its name in `MODELS`.
        arguments: plain values; `build_model(network.model, **network.arguments)` makes it again,
            with the same initial weights where seed and initialization are given as then.
        classes: K.
        image_px: side of the stored image.
        crop_px: c, side of the crop that it takes.
        weight_decay: by layer, as its authors published it; empty where there is one for all.
    """

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        model: str,
        arguments: dict[str, Any],
        weight_decay: dict[str, float],
    ) -> None:
        super().__init__(layers)
        self.model = model
        self.arguments = arguments
        self.classes: int = arguments["classes"]
        self.image_px: int = arguments["image_px"]
        self.crop_px: int = arguments["crop_px"]
        self.weight_decay = weight_decay

    @property
    def features_layer(self) -> str:
        """Name of the last hidden layer after its activation: the input of the classifier.

        "relu7" for the paper's network. Dropout and the flattening of maps change no feature, so
        the layer before them is named (the program, too, reads features before dropout's scale).
        """
        hidden = [
            name
            for name, layer in list(self.named_children())[:-1]
            if not isinstance(layer, Dropout | nn.Flatten)
        ]
        return hidden[-1]

    @property
    def head(self) -> str:
        """Name of the last layer that has weights: the classifier; "" where there is none."""
        layers = dict(self.named_children())
        return next((n for n in reversed(layers) if any(True for _ in layers[n].parameters())), "")

    @property
    def scores_layer(self) -> str:
        """Name of the layer whose output are the logits: the last one."""
        return next(reversed(self._modules))

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return logits (N, K) for images (N, 3, c, c).

        Raises:
            RecipeError: images of another shape.
        """
        self._check(input)
        return self._logits(input)

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output by name, in order; the last one holds the logits."""
        self._check(x)
        return dict(self._outputs(x))

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer; the layers behind it are not run.

        Args:
            x: (N, 3, c, c).
            name: of a layer; "fc7" is the sum before its activation, "relu7" what comes after.

        Raises:
            RecipeError: no such layer (the nearest names are given), or images of another shape.
        """
        self._check(x)
        self._require_layer(name)
        return next(output for layer, output in self._outputs(x) if layer == name)

    def outputs(self, x: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Return the outputs of some layers by name; the layers behind the last are not run.

        Args:
            x: (N, 3, c, c).
            names: of layers.

        Raises:
            RecipeError: no such layer (the nearest names are given), or images of another shape.
        """
        self._check(x)
        for name in names:
            self._require_layer(name)
        found: dict[str, Tensor] = {}
        for layer, output in self._outputs(x):
            if layer in names:
                found[layer] = output
            if len(found) == len(set(names)):
                break
        return found

    def _require_layer(self, name: str) -> None:
        names = [layer for layer, _ in self.named_children()]
        if name not in names:
            raise RecipeError(
                f'{self.model} has no layer "{name}".{did_you_mean(name, names)} '
                f"Layers: {', '.join(names)}."
            )

    def _logits(self, x: Tensor) -> Tensor:
        """Return the last layer's output, in as few passes over memory as possible."""
        for step in fused_steps(list(self)):
            x = step(x)
        return x

    def _outputs(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield each layer's name and output, in order."""
        for name, layer in self.named_children():
            x = layer(x)
            yield name, x

    def _check(self, x: Tensor) -> None:
        side = self.crop_px
        if tuple(x.shape[1:]) != (3, side, side):
            raise RecipeError(
                f"{self.model} takes images of shape (N, 3, {side}, {side}); got "
                f"{tuple(x.shape)}. Crop them to {side} pixels, or build it with another crop_px."
            )
