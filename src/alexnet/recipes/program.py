"""Configuration 145 of the authors' program, with the schedule that they logged."""

from __future__ import annotations

from alexnet.recipe import Recipe

__all__ = ["program"]


def program() -> Recipe:
    """Train as the program did: biases at twice the rate and without decay, conv3 to 5 at 0.03.

    Logged (`layer-params-145.cfg`): rate cut by ten at epochs 25, 51 and 79, biases never; colour
    noise off and conv1 at a tenth from 67, conv1 frozen from 72, the end at 91. Logged error on the
    2012 validation set, ten views: 40.66 % top-1, 18.21 % top-5. Expect about 42.5 % and 19.8 % at
    one crop.
    """
    return Recipe(
        model="alexnet_program",
        mean="central",
        colour="program",
        colour_noise=0.1,
        colour_until=67,
        crop_group=32,
        bias_lr_ratio=2.0,
        bias_decay=False,
        bias_cuts=0,
        layer_lr=("conv1@67=0.1", "conv1@72=0"),
        schedule="steps",
        cuts=(25, 51, 79),
        epochs=91,
    )
