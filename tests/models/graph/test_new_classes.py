"""Class scores of a graph without the activation behind them."""

from __future__ import annotations

import copy

import pytest
import torch

from alexnet.models import build_model, without_bent_scores
from fixtures.layouts import LAYOUTS, layout_weights, node


@pytest.mark.parametrize(("name", "gone"), [("squeezenet", "relu_final"), ("vgg", "sigmoid")])
def test_what_bends_the_scores_is_gone_and_nothing_else(name, gone):
    graph = layout_weights(name).arguments["graph"]
    before = copy.deepcopy(graph)
    changed = without_bent_scores(graph)
    assert graph == before
    names = [each["name"] for each in graph["nodes"]]
    assert [each["name"] for each in changed["nodes"]] == [each for each in names if each != gone]
    assert not any(gone in each["inputs"] for each in changed["nodes"])


@pytest.mark.parametrize("name", LAYOUTS)
def test_scores_are_those_before_the_activation(name):
    weights = layout_weights(name)
    arguments = {**weights.arguments, "graph": without_bent_scores(weights.arguments["graph"])}
    network = build_model("graph", **arguments)
    network.load_state_dict(weights.state)
    own = weights.network()
    assert network.head == own.head
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 50
    stages = own.stages(x)
    score = stages[own.head]
    wanted = score.mean((2, 3)) if score.dim() == 4 else score
    with torch.no_grad():
        assert torch.allclose(network.eval()(x), wanted, rtol=1e-4, atol=1e-3)


def test_an_activation_with_weights_is_left_out_too():
    graph = layout_weights("googlenet").arguments["graph"]
    graph = {**graph, "nodes": [*graph["nodes"], node("bend", "prelu", "loss3", shared=True)]}
    network = build_model("graph", graph=graph, classes=5, image_px=34, crop_px=32)
    assert network.head == "loss3"  # and not the activation behind it, which has weights too
    assert [each["name"] for each in without_bent_scores(graph)["nodes"]][-1] == "loss3"
