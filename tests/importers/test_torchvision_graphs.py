"""The written-out graphs, against the numbers of parameters that torchvision prints for each."""

from __future__ import annotations

import pytest
import torch

from alexnet.importers.torchvision_graphs import ARCHITECTURES
from alexnet.models import build_model

PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "vgg11": 132_863_336,
    "vgg13": 133_047_848,
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "squeezenet1_0": 1_248_424,
    "squeezenet1_1": 1_235_496,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_graph_has_as_many_parameters_as_torchvisions(name):
    graph = ARCHITECTURES[name]()
    with torch.device("meta"):
        network = build_model(
            "graph", classes=1000, image_px=256, crop_px=224, graph=graph.description(1000)
        )
    assert sum(tensor.numel() for tensor in network.parameters()) == PARAMETERS[name]
    state = {key for key in network.state_dict() if not key.endswith("num_batches_tracked")}
    assert state == set(graph.origins)
    assert len(set(graph.origins.values())) == len(graph.origins)
