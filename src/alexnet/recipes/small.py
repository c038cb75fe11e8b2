"""Our own recipe for some thousand to some hundred thousand pictures and a small machine."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["small"]


def small() -> Recipe:
    """Train `alexnet_small` on 64-pixel pictures: crops, flips, colour noise, a cosine."""
    return Recipe(
        model="alexnet_small",
        mean="channel",
        standardise=True,
        colour="paper",
        colour_noise=0.1,
        schedule="cosine",
        warmup_epochs=1.0,
        lr=0.02,
        bias_decay=False,
        epochs=40,
    )
