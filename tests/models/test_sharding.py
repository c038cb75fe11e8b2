"""Which networks processes can share in which way, and that parts make up the whole."""

from __future__ import annotations

import importlib

import pytest
import torch

from alexnet.distributed import World
from alexnet.errors import RecipeError
from alexnet.models import build_model, possible_ways, sent_bytes, shard
from alexnet.models.sharding import sharded_layers, why_no_towers

world_module = importlib.import_module("alexnet.distributed.world")


@pytest.fixture
def as_one_of(monkeypatch):
    def become(size: int, rank: int = 0) -> None:
        monkeypatch.setattr(world_module, "_world", World(rank, size))

    return become


@pytest.mark.parametrize(
    ("model", "size", "why"),
    [
        ("alexnet", 2, None),
        ("alexnet_program", 2, None),
        ("alexnet", 3, "it has 2 towers, and there are 3 processes"),
        ("caffenet", 2, "norm1 normalizes across the towers"),
        ("one_column", 2, "its layers do not fall into towers"),
        ("cifar_26pct", 2, "its layers do not fall into towers"),
    ],
)
def test_towers_are_for_networks_that_fall_apart(as_one_of, model, size, why):
    as_one_of(size)
    with torch.device("meta"):
        network = build_model(model, classes=10)
    assert why_no_towers(network) == why


def test_another_way_is_named_where_there_are_no_towers(as_one_of):
    as_one_of(2)
    with pytest.raises(RecipeError, match="normalizes across the towers. Use hybrid or data"):
        shard(build_model("caffenet", classes=3, image_px=72, crop_px=67), "towers", 8)


@pytest.mark.parametrize(
    ("classes", "expected"), [(10, ["fc6", "fc7"]), (1000, ["fc6", "fc7", "fc8"])]
)
def test_layers_are_divided_where_activations_are_fewer_than_gradients(
    as_one_of, classes, expected
):
    as_one_of(2)
    with torch.device("meta"):
        network = build_model("alexnet", classes=classes)
    assert sharded_layers(network, 128) == expected


@pytest.mark.parametrize(("size", "at_least"), [(2, 10), (4, 6)])
def test_hybrid_sends_a_fraction_of_the_bytes(as_one_of, size, at_least):
    """The paper's network at its batch of 128: a tenth with two processes, a sixth with four."""
    as_one_of(size)
    network = build_model("alexnet", classes=10)
    data, hybrid = (sent_bytes(network, way, 128) for way in ("data", "hybrid"))
    assert data == pytest.approx(4 * 2 * (size - 1) / size * 56_909_194, rel=1e-9)
    assert data / hybrid > at_least


def test_small_networks_are_best_shared_by_gradients(as_one_of):
    as_one_of(2)
    assert possible_ways(build_model("cifar_26pct", classes=10), 128) == ["data"]


@pytest.mark.parametrize("way", ["hybrid", "towers"])
def test_parts_of_all_processes_make_up_the_whole(as_one_of, way):
    as_one_of(2)
    whole = build_model("alexnet", classes=3, image_px=72, crop_px=64)
    before = {name: each.detach().clone() for name, each in whole.named_parameters()}
    parts = []
    for rank in range(2):
        as_one_of(2, rank)
        network = build_model("alexnet", classes=3, image_px=72, crop_px=64)
        sharding = shard(network, way, 4)
        assert set(network.state_dict()) == set(before)
        parts.append({name: each.detach() for name, each in network.named_parameters()})
    for name, tensor in before.items():
        if name in sharding.parts:
            assert torch.equal(torch.cat([part[name] for part in parts]), tensor)
        else:
            assert all(torch.equal(part[name], tensor) for part in parts)
