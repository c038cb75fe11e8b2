"""A network in evaluation mode for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from torch import nn

__all__ = ["evaluating"]


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Generator[None]:
    """Set a network to evaluation mode and give each of its layers its own mode back."""
    modes = [(layer, layer.training) for layer in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training
