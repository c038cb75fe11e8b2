"""Dropout as printed: units are dropped while training, and all are scaled down afterward."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from alexnet.distributed import batch_share
from alexnet.errors import RecipeError

__all__ = ["Dropout"]


class Dropout(nn.Module):
    """Set each unit to zero with probability `p`; in evaluation multiply by 1 - p.

    Section 4.2 of the paper and the program's `hs` layer. Nothing is scaled while training, where
    torch, Caffe and most others divide by 1 - p; in expectation both are the same up to that
    factor, which the weights behind the layer take up.

    The mask of a whole batch is one draw, of which a process that holds a part of the batch, or of
    the units, takes its part: so the number of processes changes no mask.

    Args:
        p: probability that a unit is dropped, at least 0 and under 1.
        inverted: divide by 1 - p while training, and do nothing afterward, as torch does.
        part: number of this process's part of the units, and how many parts there are.

    Raises:
        RecipeError: `p` is out of range.
    """

    def __init__(
        self, p: float = 0.5, *, inverted: bool = False, part: tuple[int, int] = (0, 1)
    ) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise RecipeError(f"dropout must be at least 0 and under 1; got {p}.")
        self.p, self.inverted, self.part = p, inverted, part

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape of `x`; the masks come from torch's generator."""
        keep = 1 - self.p
        if not self.training:
            return x if self.inverted else x * keep
        scale = 1 / keep if self.inverted else 1.0
        mask = self._draw(x) < keep
        return x * mask * scale if scale != 1 else x * mask

    def _draw(self, x: Tensor) -> Tensor:
        """Return uniform numbers of the shape of `x`, which is a part of a whole batch's."""
        share, (part, parts) = batch_share(), self.part
        if share is None and parts == 1:
            return torch.rand(x.shape, device=x.device)
        images, units = (share.whole if share else len(x)), x.shape[1]
        drawn = torch.rand((images, parts * units, *x.shape[2:]), device=x.device)
        rows = slice(share.start, share.stop) if share else slice(None)
        return drawn[rows, part * units : (part + 1) * units]

    def extra_repr(self) -> str:
        """Return what `print(network)` shows of this layer."""
        return f"{self.p:g}, inverted={self.inverted}"
