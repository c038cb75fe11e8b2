"""Our own recipe for some thousand to some hundred thousand pictures and a small machine."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["small"]


def small() -> Recipe:
    """Train `alexnet_small` on 64-pixel pictures: boxes of any size, flips, colours, a cosine.

    Made for some hundred pictures a class: without the boxes, and with hard labels, a net of this
    size knows such a set by heart long before the rate has fallen.
    """
    return Recipe(
        model="alexnet_small",
        mean="channel",
        standardise=True,
        crop_area=0.35,
        label_smoothing=0.1,
        colour="paper",
        colour_noise=0.1,
        schedule="cosine",
        warmup_epochs=1.0,
        lr=0.05,
        bias_decay=False,
        epochs=40,
    )
