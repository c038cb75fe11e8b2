"""Sections 2 to 5 of the paper, to the letter."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["paper"]


def paper() -> Recipe:
    """Train as the paper prints it: batch 128, 0.9, 0.0005, rate 0.01 cut by ten three times.

    The rate is cut each time the validation error stops falling; where it would be cut a fourth
    time, the run ends. About 90 epochs on 1.2 million pictures. Printed: 40.7 % top-1 and 18.2 %
    top-5 error on the 2012 validation set with ten crops. First weights are 0.01 everywhere, as
    printed; if the loss stays at ln(classes), `--model alexnet_program` starts as the authors did.
    """
    return Recipe(
        model="alexnet",
        mean="image",
        colour="paper",
        colour_noise=0.1,
        schedule="plateau",
        max_cuts=3,
        patience=5,
        epochs=120,
    )
