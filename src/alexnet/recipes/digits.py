"""A recipe for the demonstration: small pictures of handwritten digits."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["digits"]


def digits() -> Recipe:
    """Train on handwritten digits: no mirror images (a mirrored 2 is no digit), small crops."""
    return Recipe(
        model="cifar_26pct",
        crop_px=28,
        mean="channel",
        initialisation="he",
        standardise=True,
        flip=False,
        lr=0.02,
        decay=0.0005,
        layer_decay=("conv1=0.1",),  # melts its first weights away: what is left can be looked at
        batch=64,
        schedule="cosine",
        warmup_epochs=1.0,
        epochs=30,
    )
