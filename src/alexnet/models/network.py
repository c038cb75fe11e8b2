"""A network as a flat sequence of named layers, each stage readable by its name."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from alexnet.errors import RecipeError, did_you_mean

__all__ = ["Network"]


class Network(nn.Sequential):
    """Named layers in a row, from pictures (N, 3, c, c) to logits (N, K).

    Layer names are Caffe's: conv1, relu1, norm1, pool1, ..., fc6, relu6, drop6, ..., fc8.

    Attributes:
        model: its name in `MODELS`.
        arguments: plain values; `build_model(network.model, **network.arguments)` makes it again.
        classes: K.
        image_px: side of the stored picture.
        crop_px: c, side of the crop that it takes.
        decay: weight decay by layer as its authors published it; empty where there is one for all.
    """

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        model: str,
        arguments: dict[str, Any],
        decay: dict[str, float],
    ) -> None:
        super().__init__(layers)
        self.model = model
        self.arguments = arguments
        self.classes: int = arguments["classes"]
        self.image_px: int = arguments["image_px"]
        self.crop_px: int = arguments["crop_px"]
        self.decay = decay

    def stages(self, x: Tensor) -> dict[str, Tensor]:
        """Return every layer's output by name, in order; the last one holds the logits."""
        outputs: dict[str, Tensor] = {}
        for name, layer in self.named_children():
            x = outputs[name] = layer(x)
        return outputs

    def stage(self, x: Tensor, name: str) -> Tensor:
        """Return the output of one layer; the layers behind it are not run.

        Args:
            x: (N, 3, c, c).
            name: of a layer; "fc7" is the sum before its activation, "relu7" what comes after.

        Raises:
            RecipeError: no such layer; the nearest names are given.
        """
        names = [each for each, _ in self.named_children()]
        if name not in names:
            raise RecipeError(
                f'{self.model} has no layer "{name}".{did_you_mean(name, names)} '
                f"Layers: {', '.join(names)}."
            )
        for each, layer in self.named_children():
            x = layer(x)
            if each == name:
                break
        return x
