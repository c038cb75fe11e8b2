"""Each cause of stalled training, made on purpose, is found; a sound network has none."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.training import (
    PaperMomentum,
    Rates,
    diagnose_stall,
    is_stalled,
    label_entropy,
    stalled_error,
)

IMAGES = 60 * torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def network(std=0.1, bias=0.0):
    made = nn.Sequential()
    made.add_module("flatten", nn.Flatten())
    made.add_module("fc1", nn.Linear(48, 30))
    made.add_module("relu1", nn.ReLU())
    made.add_module("fc2", nn.Linear(30, 2))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for layer in (made.fc1, made.fc2):
            layer.weight.normal_(0, std, generator=generator)
            layer.bias.fill_(bias)
    return made


def causes(made, *, velocity=1e-3, lr=0.01, train_images=1000, images=IMAGES):
    optimizer = PaperMomentum(made, Recipe())
    for slot in optimizer.slots.values():
        slot.velocity.copy_(velocity * slot.parameter)

    def stages(x):
        found = {}
        for name, layer in made.named_children():
            x = found[name] = layer(x)
        return found

    found = diagnose_stall(
        made, stages, images, optimizer=optimizer, rates=Rates(lr, lr, 0), train_images=train_images
    )
    return " | ".join(f"{each.sentence} {each.command}" for each in found)


def test_a_sound_network_has_no_cause():
    assert causes(network()) == ""


def test_each_cause_is_measured_and_named():
    assert "rate 0.01 looks too high" in causes(network(), velocity=0.5)
    assert "--lr 0.001" in causes(network(), velocity=0.5)
    assert "rate 0.01 looks too low" in causes(network(), velocity=1e-9)
    assert "bury the image" in causes(network(std=1e-5, bias=1.0))
    assert "--initialization he" in causes(network(std=1e-5, bias=1.0))
    assert "meant for images in 0..255" in causes(network(std=0.001), images=IMAGES / 60)
    assert "0.0 million parameters and 0 training images" in causes(network(), train_images=0)
    dead = network(bias=-1e6)
    assert "100.0% of the units of relu1 are zero" in causes(dead)


def epoch(number, step, loss):
    return Epoch(
        epoch=number,
        step=step,
        lr=0.01,
        train_loss=loss,
        train_error=0.9,
        val_loss=None,
        val_error=None,
        val_top5_error=None,
        images_per_s=1.0,
        seconds=1.0,
        best=False,
    )


def test_stalled_needs_epochs_steps_and_a_loss_at_its_start():
    entropy = label_entropy(np.arange(10).repeat(5), 10)
    assert entropy == pytest.approx(math.log(10))
    assert is_stalled(epoch(2, 800, 2.302), entropy, 10)
    assert not is_stalled(epoch(1, 800, 2.302), entropy, 10)
    assert not is_stalled(epoch(2, 100, 2.302), entropy, 10)
    assert not is_stalled(epoch(2, 800, 2.2), entropy, 10)
    assert not is_stalled(epoch(2, 5000, 6.9), math.log(1000), 1000), "1000 classes may take 8,000"
    assert label_entropy(np.array([0, 0, 0]), 2) == 0


def test_the_error_lists_what_was_measured_or_points_to_the_labels():
    error = stalled_error(epoch(2, 800, 2.3), 2.3026, [])
    assert "look at the labels" in str(error)
    assert "After 2 epochs (800 steps) the training loss is 2.3000" in str(error)
