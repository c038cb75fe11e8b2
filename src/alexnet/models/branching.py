"""Networks whose layers take what layers before them made, by name.

A flat network passes one tensor along. Here each layer names what it takes, so that a network may
branch and meet again, and is still a row of named layers, each readable as a stage.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from alexnet.models.network import Network

__all__ = ["Branching"]


class Branching(Network):
    """Named layers in an order in which each takes only earlier ones.

    What a layer made is kept until the last layer that takes it has run.

    Attributes:
        PICTURES: what layers call the network's input.
        inputs: by layer, the names of the layers (or `PICTURES`) that it takes.
    """

    PICTURES: ClassVar[str] = "input"

    def __init__(
        self,
        layers: OrderedDict[str, nn.Module],
        *,
        inputs: Mapping[str, tuple[str, ...]],
        model: str,
        arguments: dict[str, Any],
        decay: dict[str, float],
    ) -> None:
        super().__init__(layers, model=model, arguments=arguments, decay=decay)
        self.inputs = dict(inputs)
        last = {name: reader for reader in layers for name in self.inputs[reader]}
        self._done_with = {
            reader: [name for name, each in last.items() if each == reader] for reader in layers
        }

    def _logits(self, x: Tensor) -> Tensor:
        ((_, logits),) = deque(self._outputs(x), maxlen=1)
        return logits

    def _outputs(self, x: Tensor) -> Iterator[tuple[str, Tensor]]:
        kept = {self.PICTURES: x}
        del x
        for name, layer in self.named_children():
            made = layer(*(kept[each] for each in self.inputs[name]))
            for each in self._done_with[name]:
                del kept[each]
            kept[name] = made
            yield name, made
