"""The momentum rule over many tensors at once, with a rate that lies on the device.

A graph of a step repeats operators with the numbers that they were given when it was made. What
changes from step to step has to lie in the device's memory, where it is filled before the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["DeviceRate", "move_together"]

_foreach: Any = torch  # operators over lists: private by name, and what torch.optim is made of


class DeviceRate:
    """A learning rate, and its product with a decay, as numbers in memory.

    Args:
        like: whose dtype and device they have.
        decay: what the rate is multiplied by for the decay.

    Attributes:
        rate: (), filled by `take`; the tensor stays the same.
        shrink: (), rate times decay; likewise.
    """

    def __init__(self, like: Tensor, decay: float) -> None:
        self.rate = torch.zeros((), dtype=like.dtype, device=like.device)
        self.shrink = torch.zeros_like(self.rate)
        self.decay = decay
        self._held = 0.0

    def take(self, rate: float) -> None:
        """Fill the numbers for the steps to come; nothing is waited for."""
        if rate != self._held:
            self.rate.fill_(rate)
            self.shrink.fill_(self.decay * rate)
            self._held = rate


@torch.no_grad()
def move_together(
    weights: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    momentum: float,
    rate: DeviceRate,
) -> None:
    """Set v = momentum v - (rate decay) w - rate gradient, then w = w + v, in place.

    The same operators in the same order as for one tensor. Torch has none that takes a factor out
    of memory for a whole list, so the second and third are started tensor by tensor.

    Args:
        weights: each w, any shapes, one dtype.
        velocities: each v.
        gradients: of each w.
        momentum: share of the last step that is kept.
        rate: learning rate and decay.
    """
    if not weights:
        return
    ws, vs, gs = list(weights), list(velocities), list(gradients)
    _foreach._foreach_mul_(vs, momentum)
    if rate.decay:
        _foreach._foreach_addcmul_(vs, ws, [rate.shrink] * len(ws), value=-1)
    _foreach._foreach_addcmul_(vs, gs, [rate.rate] * len(ws), value=-1)
    _foreach._foreach_add_(ws, vs)
