"""A network of which each process holds a part: its tensors whole for files, in parts for steps.

"data": every process holds the whole network. "hybrid": every process holds the convolutions, and
some outputs of each fully connected layer (Krizhevsky 2014). "towers": two processes hold a tower
each (Krizhevsky, Sutskever, Hinton 2012, figure 2).
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator, Iterator, Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from alexnet.distributed import broadcast, gather_parts, part_sizes, world
from alexnet.errors import RecipeError
from alexnet.models.network import Network
from alexnet.nn import Convolution, Dropout, FullyConnected, ResponseNorm
from alexnet.nn.batch_norm import whole_batch_norm
from alexnet.nn.sharded import ShardedFullyConnected
from alexnet.nn.towers import TowerConvolution, TowerFullyConnected

__all__ = [
    "PARALLEL",
    "Parallel",
    "Sharding",
    "shard",
    "sharded_layers",
    "share_batch_norms",
    "synchronize",
    "why_no_towers",
]

Parallel = Literal["data", "hybrid", "towers"]
"""How several processes share a training."""

PARALLEL: tuple[Parallel, ...] = ("data", "hybrid", "towers")


class Sharding:
    """The layers of a network that are in parts; none where every process holds all of it.

    While it is not `whole`, the network has the parts as its layers and can make steps with the
    other processes alone.

    Args:
        network: its layers are replaced.
        parts: by name, a layer that has some rows of each of the whole layer's tensors.
    """

    def __init__(self, network: nn.Module, parts: Mapping[str, nn.Module]) -> None:
        self._network = network
        self._parts = dict(parts)
        self._layers = {name: network.get_submodule(name) for name in parts}
        self._rows = {
            f"{name}.{key}": len(tensor)
            for name, layer in self._layers.items()
            for key, tensor in layer.named_parameters(recurse=False)
        }
        for name, part in self._parts.items():
            for key, tensor in self._layers[name].named_parameters(recurse=False):
                _set(part, key, self.part(f"{name}.{key}", tensor.detach()), tensor)
            self._layers[name].to("meta")
            network.set_submodule(name, part)

    @property
    def parts(self) -> frozenset[str]:
        """Names of the parameters of which a process has some rows."""
        return frozenset(self._rows)

    def whole(self, name: str, tensor: Tensor) -> Tensor:
        """Return a parameter, its gradient or velocity whole; all processes call this together."""
        if name not in self._rows:
            return tensor
        rows = part_sizes(self._rows[name], world().size)
        whole = torch.cat(gather_parts(tensor.detach(), rows))
        return whole.contiguous(memory_format=_format(tensor))

    def part(self, name: str, tensor: Tensor) -> Tensor:
        """Return this process's rows of a whole parameter, as a copy."""
        if name not in self._rows:
            return tensor
        counts = part_sizes(self._rows[name], world().size)
        start = sum(counts[: world().rank])
        part = tensor[start : start + counts[world().rank]]
        return part.clone(memory_format=torch.preserve_format)

    @contextlib.contextmanager
    def entire(self) -> Generator[None]:
        """Let the network have its whole layers within the block; all processes enter it.

        What the block does to them is kept.
        """
        for name, part in self._parts.items():
            layer = self._layers[name]
            for key, tensor in part.named_parameters(recurse=False):
                _set(layer, key, self.whole(f"{name}.{key}", tensor), tensor)
            layer.train(part.training)
            self._network.set_submodule(name, layer)
        try:
            yield
        finally:
            for name, part in self._parts.items():
                for key, tensor in self._layers[name].named_parameters(recurse=False):
                    own = part.get_parameter(key)
                    own.data.copy_(self.part(f"{name}.{key}", tensor.detach()))
                self._network.set_submodule(name, part)
                self._layers[name].to("meta")


def shard(network: Network, parallel: Parallel, batch_size: int) -> Sharding:
    """Replace the layers of a network that a way of sharing puts into parts.

    Args:
        network: whole, the same in every process.
        parallel: how it is shared.
        batch_size: B, images of the whole batch.

    Raises:
        RecipeError: the network has no towers, or not one for each process.
    """
    if parallel == "data":
        return Sharding(network, {})
    if parallel == "hybrid":
        names = sharded_layers(network, batch_size)
        layers = {name: ShardedFullyConnected(network.get_submodule(name)) for name in names}  # type: ignore[arg-type]
        return Sharding(network, layers)
    reason = why_no_towers(network)
    if reason is not None:
        raise RecipeError(
            f"{network.model} cannot be trained with --parallel towers: {reason}. Use hybrid or "
            "data."
        )
    return Sharding(network, _towers(network))


def sharded_layers(network: nn.Module, batch_size: int) -> list[str]:
    """Return the fully connected layers whose activations take less to send than their gradients.

    Args:
        network: whole.
        batch_size: B, images of the whole batch.
    """
    found: list[str] = []
    modules = cast("Iterator[tuple[str, nn.Module]]", network.named_modules())
    for name, layer in modules:
        if type(layer) is FullyConnected:
            inputs, outputs = layer.in_features, layer.out_features
            if inputs * outputs > batch_size * (inputs + outputs / world().size):
                found.append(name)
    return found


def share_batch_norms(network: nn.Module) -> None:
    """Let every batch normalization of a network go by the whole batch of all processes."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(parent, name, whole_batch_norm(layer))


def synchronize(network: nn.Module) -> None:
    """Give every process the tensors of process 0."""
    for tensor in network.state_dict().values():
        plain = tensor.detach().contiguous()
        tensor.copy_(broadcast(plain))


def why_no_towers(network: nn.Module) -> str | None:
    """Return why a network can't be shared as one tower for each process; None: it can."""
    size = world().size
    layers = dict(network.named_children())
    towers = {layer.groups for layer in layers.values() if isinstance(layer, Convolution)} - {1}
    if type(network) is not Network or not towers:
        return "its layers do not fall into towers"
    if towers != {size}:
        return f"it has {max(towers)} towers, and there are {size} processes"
    for name, layer in layers.items():
        across = isinstance(layer, ResponseNorm) and layer.region == "channels"
        if across and layer.towers != size:
            return f"{name} normalizes across the towers"
        plain = isinstance(layer, Convolution | FullyConnected | ResponseNorm | Dropout)
        if not plain and any(True for _ in layer.parameters()):
            return f"{name} is a layer that is not made for it"
    return None


def _towers(network: Network) -> dict[str, nn.Module]:
    """Return this process's tower of every layer that is not the same for each channel."""
    parts: dict[str, nn.Module] = {}
    for name, layer in network.named_children():
        match layer:
            case Convolution():
                parts[name] = TowerConvolution(layer, reads_images=not parts)
            case FullyConnected():
                parts[name] = TowerFullyConnected(layer, gives_logits=name == network.head)
            case ResponseNorm(region="channels"):
                norm = copy.copy(layer)
                norm.towers = 1
                parts[name] = norm
            case Dropout():
                own = (world().rank, world().size)
                parts[name] = Dropout(layer.p, inverted=layer.inverted, part=own)
            case _:
                pass
    return parts


def _set(layer: nn.Module, key: str, value: Tensor, like: Any) -> None:
    setattr(layer, key, nn.Parameter(value, requires_grad=like.requires_grad))


def _format(tensor: Tensor) -> torch.memory_format:
    last = tensor.dim() == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format
