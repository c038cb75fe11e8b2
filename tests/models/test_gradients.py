"""One step's gradients, layer by layer, in float32 as trained and in float64 by the plain forms."""

from __future__ import annotations

import copy

import pytest
import torch

from alexnet.models import build_model

SMALL = {"image_px": 80, "crop_px": 67}


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("alexnet", SMALL),
        ("alexnet_program", SMALL),
        ("caffenet", SMALL),
        ("cifar_18pct", {}),
        ("cifar_11pct", {}),
    ],
)
def test_each_layer_has_the_gradient_of_float64(model, sizes):
    network = build_model(model, classes=7, initialization="he", dropout=0.0, **sizes)
    reference = copy.deepcopy(network).double()
    network.to(memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(0)
    side = network.crop_px
    x = 40 * torch.randn(4, 3, side, side, generator=generator)
    labels = torch.tensor([0, 3, 6, 3])
    torch.nn.functional.cross_entropy(network(x), labels).backward()
    torch.nn.functional.cross_entropy(reference(x.double()), labels).backward()
    wanted = dict(reference.named_parameters())
    for name, parameter in network.named_parameters():
        truth = wanted[name].grad
        error = (parameter.grad.double() - truth).norm() / truth.norm()
        assert error < 2e-5, (name, error)
