"""Settings of single layers, as `layer_lr` and its like hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from alexnet.errors import RecipeError

__all__ = ["LayerSetting"]


@dataclass(frozen=True)
class LayerSetting:
    """One entry of `layer_lr` and its like: a value for a layer, or a tensor, from an epoch on."""

    layer: str
    from_epoch: int
    value: float

    @classmethod
    def parse(cls, text: str, field: str) -> LayerSetting:
        """Read `"conv1=0.1"` or `"conv1@67=0.1"`; raise RecipeError for anything else."""
        layer, equals, value = text.partition("=")
        layer, _, epoch = layer.partition("@")
        try:
            setting = cls(layer.strip(), int(epoch or 0), float(value))
        except ValueError:
            setting = None
        if setting is None or not (equals and setting.layer and 0 <= setting.value < math.inf):
            raise RecipeError(
                f"{field} holds {text!r}, which is not LAYER=NUMBER or LAYER@EPOCH=NUMBER. "
                'Write for example "conv1=0.1" or "conv1@67=0.1".'
            )
        return setting
