"""How many bytes a step sends between processes, in each way of sharing a network.

Data-parallel training sends gradients, once the number of parameters whatever the batch; the others
send activations instead, where these are fewer (Krizhevsky 2014, section 4). The figures are those
of a ring that sums N processes' numbers, which sends 2 (N - 1) / N of them from each process.

Legend: N processes, B images of the whole batch, D inputs and O outputs of a layer.
"""

from __future__ import annotations

import torch
from torch import nn

from alexnet.distributed import world
from alexnet.models.evaluation_mode import evaluating
from alexnet.models.network import Network
from alexnet.models.sharding import Parallel, sharded_layers, why_no_towers
from alexnet.nn import Convolution, FullyConnected

__all__ = ["possible_ways", "sent_bytes"]

_NUMBER = 4  # bytes


def possible_ways(network: Network, batch_size: int) -> list[Parallel]:
    """Return in which ways the processes that there are can share a network."""
    ways: list[Parallel] = ["data"]
    if sharded_layers(network, batch_size):
        ways.append("hybrid")
    if why_no_towers(network) is None:
        ways.append("towers")
    return ways


def sent_bytes(network: Network, parallel: Parallel, batch_size: int) -> float:
    """Return the bytes that each process sends in a step, on average.

    Args:
        network: whole, not in parts yet.
        parallel: how it is shared.
        batch_size: B, images of the whole batch.
    """
    if parallel == "towers":
        return _NUMBER * batch_size * _numbers_that_meet(network)
    sharded = sharded_layers(network, batch_size) if parallel == "hybrid" else []
    others = world().size - 1
    own = {f"{name}.{key}" for name in sharded for key in ("weight", "bias")}
    gradients = sum(
        each.numel()
        for name, each in network.named_parameters()
        if each.requires_grad and name not in own
    )
    share = others / world().size
    activations = sum(
        2 * share * (layer.in_features + layer.out_features / world().size)
        for layer in map(network.get_submodule, sharded)
        if isinstance(layer, FullyConnected)
    )
    return _NUMBER * (2 * share * gradients + batch_size * activations)


def _numbers_that_meet(network: Network) -> float:
    """Return how many numbers of an image a tower sends: activations, and what is asked of them."""
    total = network.classes / world().size
    for name, inputs in _layer_inputs(network).items():
        layer = network.get_submodule(name)
        if isinstance(layer, FullyConnected) or (layer.groups == 1 and inputs[0] > 3):
            total += torch.Size(inputs).numel()  # half of them forward, and half backward
    return total


def _layer_inputs(network: Network) -> dict[str, tuple[int, ...]]:
    """Return the shape of what each convolution and fully connected layer reads, for an image."""
    shapes: dict[str, tuple[int, ...]] = {}
    x = torch.zeros(1, 3, network.crop_px, network.crop_px)
    x = x.to(next(network.parameters()).device)
    with evaluating(network), torch.inference_mode():
        for name, layer in network.named_children():
            if isinstance(layer, Convolution | FullyConnected | nn.Linear):
                shapes[name] = tuple(x.shape[1:])
            x = layer(x)
    return shapes
