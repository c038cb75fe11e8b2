from __future__ import annotations

import inspect
import json
import shutil
import sys

import numpy as np
import pytest

from alexnet import check, evaluate, features, finetune, pack, search, train, tune
from alexnet.errors import RecipeError, SourceError


def test_features_are_rows_with_path_class_and_split(alexnet, trained, tmp_path):
    said = alexnet("features", trained.run, trained.images, "--out", tmp_path / "f.npz", "--json")
    report = json.loads(said.out)
    assert (report["images"], report["layer"], report["classes"]) == (16, "act2", ["ant", "bee"])
    with np.load(tmp_path / "f.npz") as file:
        assert file["features"].shape == (16, report["feature_dim"])
        assert np.isfinite(file["features"]).all()
        assert file["paths"].tolist()[:2] == ["ant/0.png", "ant/1.png"]
        assert file["labels"].tolist() == [0] * 8 + [1] * 8
        assert file["classes"].tolist() == ["ant"] * 8 + ["bee"] * 8


def test_a_layer_can_be_named(trained, tmp_path):
    reports = [
        features(trained.run, trained.images, out=tmp_path / f"{layer}.npz", layer=layer)
        for layer in ("fc1", "act1")
    ]
    with np.load(reports[0].out) as before, np.load(reports[1].out) as after:
        assert np.array_equal(np.maximum(before["features"], 0), after["features"])


def test_the_level_of_the_classes_can_be_named(trained, tmp_path):
    for year in ("2019", "2020"):
        shutil.copytree(trained.images, tmp_path / "years" / year)
    with pytest.raises(SourceError, match="--class-depth 2"):
        features(trained.run, tmp_path / "years", out=tmp_path / "f.npz")
    report = features(trained.run, tmp_path / "years", out=tmp_path / "f.npz", class_depth=2)
    assert (report.images, [*report.classes]) == (32, ["ant", "bee"])


@pytest.mark.parametrize("verb", [features, search, tune, train, finetune, pack, check, evaluate])
def test_every_verb_of_labeled_images_can_say_how_they_are_read(verb):
    assert {"class_depth", "join_classes", "name_encoding"} <= {*inspect.signature(verb).parameters}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"layer": "fc9"}, r'"fc9"'),
        ({"out": "f.txt"}, r"out must end in \.npz or \.parquet; got"),
        ({"batch_size": 0}, r"batch_size must be at least 1 image; got 0\."),
    ],
)
def test_mistakes_are_sentences(trained, tmp_path, changes, sentence):
    out = tmp_path / changes.pop("out", "f.npz")
    with pytest.raises(RecipeError, match=sentence):
        features(trained.run, trained.images, out=out, **changes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["logistic", "tree"])
def test_a_head_is_used_by_evaluate_and_predict(alexnet, trained, tmp_path, kind):
    pytest.importorskip("sklearn", reason="heads need scikit-learn")
    out = tmp_path / "head.safetensors"
    words = ("--head", kind, "--cache", "none", "--out", out)
    said = alexnet("features", trained.run, trained.images, *words, "--crops", 10)
    assert said.code == 0, said.err
    assert f"{kind} head on 512 features of act2, fitted on 16 images in" in said.out
    assert "cross-validation on 5 folds of 16 training images" in said.out
    assert f"weights  {out}\n" in said.out
    report = json.loads(alexnet("features", trained.run, trained.images, *words, "--json").out)
    assert (report["results"]["images"], report["measured_by"]) == (16, "cross-validation")
    assert report["best_parameters"] == report["cross_validation"]["parameters"]
    measured = json.loads(alexnet("evaluate", out, trained.images, "--crops", 10, "--json").out)
    assert (measured["images"], measured["crops"]) == (16, 10)
    assert measured["top1"] > 0.8  # one class is dark, one is bright
    answers = json.loads(alexnet("predict", out, trained.images, "--json").out)["predictions"]
    right = sum(each["classes"][0] == each["path"].split("/")[-2] for each in answers)
    assert right / 16 == json.loads(alexnet("evaluate", out, trained.images, "--json").out)["top1"]
    both = alexnet("evaluate", out, trained.images, "--also", trained.run, "--json")
    assert json.loads(both.out)["images"] == 4  # what the run held out
    said = alexnet("describe", out)
    assert said.code == 0
    assert f"Predictions come from a {kind} head on act2" in " ".join(said.out.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--out", "f.npz"], "A head is stored in a weights file: out must end in .safetensors"),
        (["--out", "f.safetensors", "--split", "val"], "--split cannot be chosen with --head"),
        (["--out", "f.safetensors", "--layer", "fc9"], 'has no layer "fc9"'),
        (["--out", "f.safetensors", "--crops", "3"], "crops"),
    ],
)
def test_mistakes_about_heads_are_sentences(
    alexnet, trained, tmp_path, monkeypatch, words, sentence
):
    pytest.importorskip("sklearn", reason="heads need scikit-learn")
    monkeypatch.chdir(tmp_path)
    more = ("--head", "tree", "--cache", "none")
    said = alexnet("features", trained.run, trained.images, *more, *words)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert list(tmp_path.iterdir()) == []


def test_without_scikit_learn_the_extra_is_named(alexnet, trained, tmp_path, monkeypatch):
    for name in [each for each in sys.modules if each.startswith("alexnet.transfer.head_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn.calibration", None)
    out = tmp_path / "w.safetensors"
    said = alexnet("features", trained.run, trained.images, "--head", "knn", "--out", out)
    assert said.code == 2
    assert said.err == (
        'error: Classifiers on features need scikit-learn: pip install "alexnet[learn]"\n'
    )
