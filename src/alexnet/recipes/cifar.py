"""The authors' CIFAR-10 nets."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["cifar"]


def cifar() -> Recipe:
    """Train a net for 32-pixel pictures with the rates of the program's CIFAR-10 examples.

    Rate 0.001, biases at twice that and without decay, each layer's decay as published
    (`example-layers/`). The default net is the one of "26 % in 80 seconds".
    """
    return Recipe(
        model="cifar_26pct",
        mean="central",
        flip=False,
        lr=0.001,
        decay=None,
        bias_lr_ratio=2.0,
        bias_decay=False,
        schedule="steps",
        cuts=(8, 9),
        epochs=10,
    )
