"""A batch normalisation that is frozen goes by what it knows, whatever the batches are like."""

from __future__ import annotations

import torch

from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.training import PaperMomentum


def test_frozen_statistics_stay_and_others_move():
    network = build_model("alexnet_small", classes=2, image_px=28, crop_px=24)
    rates = ("bn1=0", "bn2=0", "bn2@3=1")
    optimiser = PaperMomentum(network, Recipe(model="alexnet_small", layer_lr=rates))
    x = 5 + torch.randn(8, 3, 24, 24, generator=torch.Generator().manual_seed(0))

    def moved(epoch: int) -> set[str]:
        before = {name: each.clone() for name, each in network.named_buffers()}
        network.train()
        optimiser.prepare(epoch)
        network(x)
        named = network.named_buffers()
        return {name.split(".")[0] for name, each in named if not torch.equal(each, before[name])}

    assert moved(0) == {"bn3", "bn4", "bn5"}
    assert moved(3) == {"bn2", "bn3", "bn4", "bn5"}
