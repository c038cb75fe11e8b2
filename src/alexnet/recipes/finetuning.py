"""Going on from trained weights on other, usually fewer, pictures."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["finetuning"]


def finetuning() -> Recipe:
    """Train the new last layer fast and the others slowly, in small batches, down a cosine.

    Made for some dozens of pictures a class: boxes of many sizes, colours, soft labels, rare
    classes weighing more, and an end where the held-out pictures gain nothing for a while. Model
    and preprocessing become those of the weights; where these hold a mean image, which no box can
    follow, crops keep their size. Each layer's own rate is set by `alexnet finetune`.
    """
    return Recipe(
        mean="channel",
        crop_area=0.35,
        colour_noise=0.1,
        label_smoothing=0.1,
        class_weights="auto",
        early_stop=8,
        batch=32,
        lr=0.01,
        schedule="cosine",
        warmup_epochs=0.5,
        epochs=20,
        bias_decay=False,
    )
