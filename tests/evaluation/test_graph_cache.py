from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from alexnet.commands.cache import cache
from alexnet.errors import SourceError
from alexnet.evaluation import graph_cache
from alexnet.evaluation.graph_cache import (
    GraphEntry,
    TensorPlace,
    cached_graphs,
    clear_graphs,
    entry_path,
    find_entry,
    graphs_folder,
    read_entry,
    write_entry,
)
from alexnet.weights.mapped import map_weights


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ALEXNET_CACHE", str(tmp_path / "cache"))


def write(name: str, used: float, kilobytes: int = 1) -> Path:
    path = graphs_folder() / name / "probabilities-00.json"
    entry = GraphEntry(weights=f"{name}.safetensors", model="mlp", output="probabilities")
    write_entry(path, entry, b"graph", [np.zeros(256 * kilobytes, dtype=np.float32)])
    os.utime(path, (used, used))
    return path


def test_an_entry_is_read_as_it_was_written(saved):
    weights = map_weights(saved("a"))
    entry = GraphEntry(
        weights="größer.safetensors",
        model="mlp",
        output="relu7",
        runtime="1.2",
        files=(weights.identity,),
        weights_checksum="ab",
        tensors=(TensorPlace("fc6.weight", True, 1064, (3, 4)),),
    )
    path = entry_path(weights, "features:relu7")
    write_entry(path, entry, b"graph", [])
    found = read_entry(path)
    assert found == find_entry(weights, "features:relu7")
    assert (found.files, found.tensors) == (entry.files, entry.tensors)
    assert path.with_suffix(".onnx").read_bytes() == b"graph"
    assert find_entry(weights, "features:fc7") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1}', "[" * 99999, "\udcff"])
def test_what_is_no_entry_is_none(text):
    path = graphs_folder() / "a" / "b.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_entry(path) is None


def test_an_entry_of_another_version_is_none(monkeypatch):
    path = write("a", 0)
    assert read_entry(path) is not None
    monkeypatch.setattr(graph_cache.alexnet, "__version__", "99")
    assert read_entry(path) is None


def test_those_used_last_are_kept_within_the_limit(monkeypatch):
    monkeypatch.setattr(graph_cache, "MAX_BYTES", 60_000)
    for number, name in enumerate("abcdef"):
        write(name, 1000 + number, kilobytes=20)
    assert [graph.name for graph in cached_graphs()] == ["f", "e"]
    write("g", 9000, kilobytes=100)  # the newest is always kept
    assert [graph.name for graph in cached_graphs()] == ["g"]


def test_the_verb_lists_and_clears_graphs():
    write("a", 1000), write("b", 2000)
    report = cache()
    assert [(each.name, each.weights, each.outputs) for each in report.graphs] == [
        ("b", "b.safetensors", ["probabilities"]),
        ("a", "a.safetensors", ["probabilities"]),
    ]
    assert all(each.bytes > 1024 for each in report.graphs)
    report = cache(clear="a")
    assert ([each.name for each in report.removed_graphs], report.removed) == (["a"], [])
    assert [each.name for each in report.graphs] == ["b"]
    with pytest.raises(SourceError, match='no pack "../b"'):
        cache(clear="../b")
    assert cache(clear="all").graphs == []
    assert clear_graphs("all") == []
