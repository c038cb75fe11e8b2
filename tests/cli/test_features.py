from __future__ import annotations

import json

import numpy as np
import pytest

from alexnet import features
from alexnet.errors import RecipeError


def test_features_are_rows_with_path_class_and_split(alexnet, trained, tmp_path):
    said = alexnet("features", trained.run, trained.pictures, "--out", tmp_path / "f.npz", "--json")
    report = json.loads(said.out)
    assert (report["images"], report["layer"], report["classes"]) == (16, "act2", ["ant", "bee"])
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape == (16, report["numbers"])
        assert np.isfinite(file["features"]).all()
        assert file["paths"].tolist()[:2] == ["ant/0.png", "ant/1.png"]
        assert file["labels"].tolist() == [0] * 8 + [1] * 8
        assert file["classes"].tolist() == ["ant"] * 8 + ["bee"] * 8


def test_a_layer_can_be_named(trained, tmp_path):
    reports = [
        features(trained.run, trained.pictures, out=tmp_path / f"{layer}.npz", layer=layer)
        for layer in ("fc1", "act1")
    ]
    with np.load(reports[0].out) as before, np.load(reports[1].out) as after:
        assert np.array_equal(np.maximum(before["features"], 0), after["features"])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer": "fc9"}, r'"fc9"'),
        ({"out": "f.txt"}, r"out must end in \.npz or \.parquet; got"),
        ({"batch": 0}, r"batch must be at least 1 picture; got 0\."),
    ],
)
def test_mistakes_are_sentences(trained, tmp_path, changes, sentence):
    out = tmp_path / changes.pop("out", "f.npz")
    with pytest.raises(RecipeError, match=sentence):
        features(trained.run, trained.pictures, out=out, **changes)
    assert list(tmp_path.iterdir()) == []
