"""What holds for weights before they are written for other programs."""

from __future__ import annotations

import torch
from torch import Tensor

from alexnet.errors import WeightsError
from alexnet.models import ExternalNetwork, HeadedNetwork, Network
from alexnet.text import format_count
from alexnet.weights import Weights

__all__ = ["require_finite_network", "require_finite_weights"]


def require_finite_weights(weights: Weights) -> None:
    """Refuse weights with numbers that are not finite.

    Other programs hide them: behind a ReLU that is fused into its convolution a filter of NaN
    gives confident predictions (findings/nan-behind-relu.sh), and the comparison after an export
    sees only what this machine's programs make of it.

    Raises:
        WeightsError: a NaN or an infinite number, with the layer that holds it. Buffers of a torch
            module that is not of this package may be infinite, as the masks of attention are.
    """
    require_finite_network(weights.network())


def require_finite_network(network: Network) -> None:
    """Do what `require_finite_weights` does, for a network that was made of weights.

    Raises:
        WeightsError: as there.
    """
    body = network.backbone if isinstance(network, HeadedNetwork) else network
    masks = set[str]()
    if isinstance(body, ExternalNetwork):
        masks = {name for name, _ in network.named_buffers()}
    for name, tensor in network.state_dict().items():
        count = _non_finite(tensor, infinite_allowed=name in masks)
        if count:
            layer, _, part = name.rpartition(".")
            raise WeightsError(
                f'The layer "{layer or name}" cannot be exported: '
                f"{format_count(count, 'number')} of its {part} ({name}) "
                f"{'is' if count == 1 else 'are'} not finite, as after a training that diverged. "
                "Train again with a lower learning rate, or take an earlier checkpoint."
            )


def _non_finite(tensor: Tensor, *, infinite_allowed: bool) -> int:
    """Count the numbers that are NaN or infinite."""
    if not tensor.is_floating_point() or not tensor.numel():
        return 0
    low, high = torch.aminmax(tensor)  # NaN where one is there; takes no memory
    if bool(torch.isfinite(low) & torch.isfinite(high)):
        return 0
    return int((torch.isnan(tensor) if infinite_allowed else ~torch.isfinite(tensor)).sum())
