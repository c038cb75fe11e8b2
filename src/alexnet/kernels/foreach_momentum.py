"""The momentum rule over lists of tensors, for accelerators: torch's operators alone.

A step launches a few kernels for a whole list instead of several for each tensor, and reads its
learning rate from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["DeviceLearningRate", "foreach_momentum_step"]

_foreach: Any = torch  # torch._foreach_*: private by name, and what torch.optim is made of


class DeviceLearningRate:
    """A learning rate, and its product with a weight decay, as numbers in memory.

    A captured CUDA graph reads its numbers from fixed addresses, so a rate that is to change
    between its replays has to lie in memory.

    Args:
        like: whose dtype and device they have.
        weight_decay: what the learning rate is multiplied by for the decay.

    Attributes:
        lr: (), filled by `set_lr`; the tensor stays the same.
        lr_times_weight_decay: (), likewise.
    """

    def __init__(self, like: Tensor, weight_decay: float) -> None:
        self.lr = torch.zeros((), dtype=like.dtype, device=like.device)
        self.lr_times_weight_decay = torch.zeros_like(self.lr)
        self.weight_decay = weight_decay
        self._current = 0.0

    def set_lr(self, lr: float) -> None:
        """Fill the numbers for the steps to come; nothing is waited for."""
        if lr != self._current:
            self.lr.fill_(lr)
            self.lr_times_weight_decay.fill_(self.weight_decay * lr)
            self._current = lr


@torch.no_grad()
def foreach_momentum_step(
    weights: Sequence[Tensor],
    velocities: Sequence[Tensor],
    gradients: Sequence[Tensor],
    momentum: float,
    rate: DeviceLearningRate,
) -> None:
    """Set v = momentum v - (lr weight_decay) w - lr gradient, then w = w + v, in place.

    The same operators in the same order as for one tensor.

    Args:
        weights: each w, any shapes, one dtype.
        velocities: each v.
        gradients: of each w.
        momentum: share of the last step that is kept.
        rate: learning rate and weight decay.
    """
    if not weights:
        return
    ws, vs, gs = list(weights), list(velocities), list(gradients)
    _foreach._foreach_mul_(vs, momentum)
    # Torch has no operator that takes one factor out of memory for a whole list; addcmul with the
    # factor once for each tensor does, and is started tensor by tensor.
    if rate.weight_decay:
        _foreach._foreach_addcmul_(vs, ws, [rate.lr_times_weight_decay] * len(ws), value=-1)
    _foreach._foreach_addcmul_(vs, gs, [rate.lr] * len(ws), value=-1)
    _foreach._foreach_add_(ws, vs)
