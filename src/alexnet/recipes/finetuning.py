"""Going on from trained weights on other, usually fewer, pictures."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["finetuning"]


def finetuning() -> Recipe:
    """Train the new last layer fast and the others slowly, in small batches, down a cosine.

    Model and preprocessing become those of the weights. Each layer's own rate is set by `alexnet
    finetune --lr-new --lr-old`.
    """
    return Recipe(
        batch=32,
        lr=0.01,
        schedule="cosine",
        warmup_epochs=0.5,
        epochs=20,
        bias_decay=False,
    )
