from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from alexnet import load_weights, save_weights
from alexnet.evaluation.graph_cache import PROBABILITIES, entry_path, graphs_folder, read_entry
from alexnet.evaluation.graph_session import open_graph
from alexnet.exporters.onnx import cached
from alexnet.exporters.onnx.cached import TOLERANCE, keep_graph
from alexnet.weights.mapped import map_weights
from fixtures.layouts import layout_weights
from fixtures.transfer import make_weights
from fixtures.weights import weights_of

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


@pytest.fixture
def keep(monkeypatch, tmp_path):
    """Save weights, make their graph, and return the mapped file, its entry and the network."""
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))

    def keep(weights, output=PROBABILITIES):
        path = tmp_path / "weights.safetensors"
        save_weights(path, weights)
        mapped = dataclasses.replace(map_weights(path), settled=True)
        loaded = load_weights(path)
        network = loaded.network()
        keep_graph(mapped, output, network, loaded.preprocessing)
        return mapped, read_entry(entry_path(mapped, output)), network

    return keep


def assert_computes(mapped, network, output=PROBABILITIES) -> None:
    _, run = open_graph(mapped, output)
    side = network.crop_px
    for count in (1, 3):
        x = np.random.default_rng(count).normal(0, 1, (count, 3, side, side)).astype(np.float32)
        with torch.inference_mode():
            expected = torch.softmax(network(torch.from_numpy(x)).float(), 1).numpy()
        np.testing.assert_allclose(run(x), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("layout", ["squeezenet", "resnet", "googlenet", "vgg"])
def test_graphs_of_layers_in_any_order(keep, layout):
    mapped, entry, network = keep(layout_weights(layout))
    assert entry.reason is None
    assert_computes(mapped, network)


def test_heads_of_every_kind(keep, headed):
    mapped, entry, network = keep(weights_of(headed))
    if headed.classifier.settings["kind"] in ("knn", "tree"):
        assert "No rule says how a head of kind" in entry.reason
        assert open_graph(mapped, PROBABILITIES) is None
    else:
        assert_computes(mapped, network)


def test_heads_on_several_layers(keep, pooled_head):
    mapped, _, network = keep(weights_of(pooled_head))
    assert_computes(mapped, network)


def test_the_authors_networks(keep, sixth_layer):
    mapped, _, network = keep(weights_of(sixth_layer))
    assert_computes(mapped, network)


def test_large_tensors_stay_in_the_weights_file(keep):
    mapped, entry, _ = keep(make_weights())
    assert all(place.in_weights for place in entry.tensors)
    assert sum(4 * int(np.prod(place.shape)) for place in entry.tensors) > 100_000
    (graph,) = graphs_folder().glob("*/*.onnx")
    assert graph.stat().st_size < 20_000
    assert list(graphs_folder().glob("*/*.tensors")) == []
    assert mapped.identity in entry.files


def test_why_there_is_no_graph_is_kept(keep, monkeypatch):
    monkeypatch.setattr(cached, "_graph", lambda *arguments: 1 / 0)
    mapped, entry, network = keep(make_weights())
    assert entry.reason == "division by zero"
    monkeypatch.setattr(cached, "_make", None)  # nobody tries again
    keep_graph(mapped, PROBABILITIES, network, mapped.preprocessing)


def test_a_graph_that_computes_something_else_is_not_kept(keep, monkeypatch):
    real = cached._reference
    monkeypatch.setattr(cached, "_reference", lambda *words: lambda x: 2e-5 + real(*words)(x))
    mapped, entry, _ = keep(make_weights())
    assert "computes numbers that differ by 2e-05" in entry.reason
    assert open_graph(mapped, PROBABILITIES) is None


def test_an_unknown_layer_is_no_graph(keep):
    _, entry, _ = keep(make_weights(), "features:fc9")
    assert "fc9" in entry.reason


def test_young_and_changed_files_get_no_graph(keep, tmp_path):
    mapped, _, network = keep(make_weights())
    (entry,) = graphs_folder().glob("*/*.json")
    entry.unlink()
    keep_graph(
        dataclasses.replace(mapped, settled=False), PROBABILITIES, network, mapped.preprocessing
    )
    save_weights(tmp_path / "weights.safetensors", make_weights(seed=1))
    keep_graph(mapped, PROBABILITIES, network, mapped.preprocessing)
    assert list(graphs_folder().glob("*/*.json")) == []


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_packages_nothing_is_kept(keep, monkeypatch, missing):
    found = cached.importlib.util.find_spec
    monkeypatch.setattr(
        cached.importlib.util, "find_spec", lambda name: None if name == missing else found(name)
    )
    _, entry, _ = keep(make_weights())
    assert entry is None
