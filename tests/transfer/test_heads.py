"""Heads: what scikit-learn learnt, answered by our own code, stored as tensors, held to reason."""

from __future__ import annotations

import copy
import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alexnet.data import open_source
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.evaluation import Member, probabilities
from alexnet.models import HeadedNetwork, build_model, make_head
from alexnet.transfer import fit_head, fit_head_on_source
from alexnet.weights import load_weights, save_weights
from fixtures.layouts import layout_weights

pytest.importorskip("sklearn", reason="heads need scikit-learn")

from alexnet.transfer import head_kinds
from alexnet.transfer.head_conversion import head_from_sklearn
from alexnet.transfer.head_search import Scaling, search_head

KINDS = list(head_kinds.KINDS)


def blobs(classes: int, count: int = 60, width: int = 7, seed: int = 0):
    """Classes that overlap a little, some numbers cut off at zero as ReLU does, one constant."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = draw.normal(size=(count, width)) * 10.0 ** draw.integers(-3, 4, width)
    features[:, 0] += labels * features[:, 0].std()
    features[:, 1] = np.maximum(features[:, 1], 0)
    features[:, 2] = 3
    return features.astype(np.float32), labels


@pytest.fixture(scope="module")
def sound(images, tmp_path_factory):
    """The same images without the torn one, which is more than a twentieth of them."""
    folder = tmp_path_factory.mktemp("sound") / "images"
    shutil.copytree(images, folder)
    (folder / "train" / "bee" / "torn.png").unlink()
    return folder


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_a_head_predicts_as_scikit_learn_does(kind, classes):
    features, labels = blobs(classes)
    found = search_head(kind, features, labels)
    head = head_from_sklearn(found, layer="relu7", classes=classes)
    asked = np.concatenate([features, blobs(classes, 200, seed=1)[0]])
    predicted = head(torch.from_numpy(asked))
    assert (predicted.dtype, predicted.shape) == (torch.float32, (260, classes))
    wanted = found.predict_proba(asked)
    np.testing.assert_allclose(predicted.softmax(1).numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(predicted.exp().numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("by", ["uniform", "distance"])
@pytest.mark.parametrize("neighbors", [1, 4, 20])
def test_neighbors_vote_as_scikit_learns_do(by, neighbors):
    features, labels = blobs(3)
    found = search_head("knn", features, labels)
    model = copy.deepcopy(found.classifier).set_params(n_neighbors=neighbors, weights=by)
    model.fit(found.scaling(features), labels)
    head = head_from_sklearn(replace(found, classifier=model), layer="fc1", classes=3)
    asked = np.concatenate([features[::3], blobs(3, 90, seed=2)[0]])
    found_p = head(torch.from_numpy(asked)).exp().numpy()
    np.testing.assert_allclose(found_p, model.predict_proba(found.scaling(asked)), atol=1e-5)


def test_thresholds_of_a_tree_hold_for_the_very_features_it_was_fitted_on():
    """Numbers that differ by the last bit of float32: a rounded limit would confuse them."""
    low = np.float32(1024) * (1 + np.arange(40, dtype=np.float32) * np.finfo(np.float32).eps)
    labels = np.arange(40) % 2
    found = search_head("tree", low[:, None], labels)
    still = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    model = copy.deepcopy(found.classifier).set_params(max_depth=40, min_samples_leaf=1)
    model.fit(low[:, None], labels)
    head = head_from_sklearn(
        replace(found, classifier=model, scaling=still), layer="fc1", classes=2
    )
    predicted = head(torch.from_numpy(low[:, None])).exp().numpy()
    np.testing.assert_array_equal(predicted, model.predict_proba(low[:, None]))
    assert (predicted.argmax(1) == labels).all()


def test_the_search_reports_all_candidates_and_repeats_itself():
    features, labels = blobs(3)
    one, other = (search_head("logistic", features, labels, seed=4) for _ in range(2))
    assert one.candidates == other.candidates
    assert [each.parameters["C"] for each in one.candidates] == [10.0**n for n in range(-5, 2)]
    assert one.best.top1 == max(each.top1 for each in one.candidates)
    assert one.best_parameters == one.best.parameters
    assert (one.folds, one.search_rows) == (5, 60)


def test_a_constant_feature_is_not_scaled():
    features, _ = blobs(2)
    scaled = Scaling.fit(features)(features)
    assert np.isfinite(scaled).all()
    assert not scaled[:, 2].any()
    np.testing.assert_allclose(scaled[:, [0, 3]].std(axis=0), 1, rtol=1e-5)


def test_of_many_rows_a_part_is_searched(monkeypatch):
    monkeypatch.setattr("alexnet.transfer.head_search._MAX_SEARCH_ROWS", 30)
    features, labels = blobs(3, 300)
    found = search_head("knn", features, labels)
    assert (found.search_rows, found.classifier._fit_X.shape) == (30, (300, 7))


def test_small_classes_make_fewer_folds_or_a_sentence():
    features, labels = blobs(2, 20)
    labels[:] = 0
    labels[:3] = 1
    assert search_head("tree", features, labels).folds == 3
    labels[:3] = [1, 0, 0]
    with pytest.raises(SourceError, match="at least two training images of each of two classes;"):
        search_head("tree", features, labels)
    with pytest.raises(RecipeError, match='head must be one of logistic, svm, .* got "forest"'):
        search_head("forest", features, labels)


def fit_and_load(saved, sound, tmp_path, kind="logistic", **more):
    report = fit_head_on_source(
        saved("w"), sound, kind=kind, out=tmp_path / "head.safetensors", cache="none", **more
    )
    return report, load_weights(tmp_path / "head.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_saved_heads_predict_from_their_layer(saved, sound, tmp_path, kind):
    report, weights = fit_and_load(saved, sound, tmp_path, kind, layer="relu4")
    network = weights.network()
    assert isinstance(network, HeadedNetwork)
    assert (weights.classes, report.classes) == (("ant", "bee"), ["ant", "bee"])
    assert (report.kind, report.layer, report.images, report.split) == (kind, "relu4", 10, "val")
    assert weights.results["top1"] == report.results.top1
    body = load_weights(saved("w"))
    assert weights.preprocessing == body.preprocessing
    source = open_source(sound)
    stored = body.preprocessing.read(source.read(0), "x")[None]
    found = probabilities(Member(network, weights.preprocessing), stored, crops=10)
    rows = []
    for top, left in ((0, 0), (0, 4), (2, 2), (4, 0), (4, 4)):
        crop = ((stored[0] - body.preprocessing.mean) / body.preprocessing.std)[
            top : top + 16, left : left + 16
        ]
        for view in (crop, crop[:, ::-1]):
            x = torch.from_numpy(view.astype(np.float32).copy()).permute(2, 0, 1)[None]
            with torch.no_grad():
                features = body.network().stage(x, "relu4")
                rows.append(network.classifier(features).exp()[0].numpy())
    np.testing.assert_allclose(found[0], np.mean(rows, axis=0), atol=2e-4)


def test_heads_are_never_fitted_on_test_images(saved, sound, tmp_path):
    """Other images in val change nothing of the head."""
    _, weights = fit_and_load(saved, sound, tmp_path, "knn")
    other = tmp_path / "other"
    shutil.copytree(sound, other)
    for name in ("ant", "bee"):
        shutil.copy(other / "train" / name / "0.png", other / "val" / name / "9.png")
    _, again = fit_and_load(saved, other, tmp_path, "knn")
    assert all(torch.equal(weights.state[name], each) for name, each in again.state.items())


def test_half_of_a_file_is_read_again_and_heads_can_be_replaced(saved, sound, tmp_path):
    _, weights = fit_and_load(saved, sound, tmp_path, "tree")
    save_weights(tmp_path / "half.safetensors", weights, dtype="float16")
    load_weights(tmp_path / "half.safetensors").network()
    report = fit_head_on_source(
        tmp_path / "head.safetensors", sound, kind="svm", out=tmp_path / "head.safetensors",
        cache="none",
    )  # fmt: skip
    assert report.kind == "svm"
    again = load_weights(tmp_path / "head.safetensors")
    assert {name for name in again.state if "classifier" in name} == {
        f"classifier.{name}" for name in ("weight", "bias", "shift", "scale")
    }


def test_heads_on_maps_and_on_other_networks(saved, sound, tmp_path):
    report, weights = fit_and_load(saved, sound, tmp_path, "logistic", layer="pool3")
    assert weights.network().classifier.features == report.feature_dim == 64 * 2 * 2
    small = load_weights(saved("small", model="alexnet_small"))
    from alexnet.data import load_pack
    from alexnet.devices import choose_device

    pack = load_pack(open_source(sound), image_px=28, cache="none")
    device = choose_device("fp32", 1)
    found = fit_head(small, pack, np.arange(10), kind="tree", layer=None, device=device)
    assert found.weights.network().features_layer == "relu6"


def test_a_head_behind_a_convolution_takes_the_mean_over_the_map(sound, tmp_path):
    """As its classifier does; saved, read back and in scikit-learn's form alike."""
    from alexnet.transfer.sklearn import AlexNetClassifier, AlexNetFeatures

    base, out = tmp_path / "base.safetensors", tmp_path / "head.safetensors"
    weights = layout_weights("squeezenet")
    save_weights(base, weights)
    report = fit_head_on_source(base, sound, kind="logistic", out=out, cache="none")
    network = load_weights(out).network()
    x = torch.randn(2, 3, network.crop_px, network.crop_px)
    with torch.inference_mode():
        maps = weights.network().eval().stage(x, weights.network().features_layer)
        features = network.eval().features(x)
    assert report.layer == f"mean:{weights.network().features_layer}"
    assert report.feature_dim == maps.shape[1]
    np.testing.assert_allclose(features, maps.mean(dim=(2, 3)), atol=1e-5)
    again = fit_head_on_source(out, sound, kind="logistic", out=out, cache="none")
    assert (again.layer, again.feature_dim) == (report.layer, report.feature_dim)
    files = [str(path) for path in sorted((sound / "train").rglob("*.png"))]
    rows = AlexNetFeatures(base).fit_transform(files)
    assert rows.shape == (len(files), maps.shape[1])
    labels = [Path(path).parent.name for path in files]
    classifier = AlexNetClassifier(base).fit(files, labels)
    np.testing.assert_allclose(
        classifier.predict_proba(files),
        AlexNetClassifier().fit(rows, labels).predict_proba(rows),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"kind": "forest"},
            r"There is no head 'forest'.* Heads: logistic, ridge, svm, knn, mlp, tree\.",
        ),
        ({"kind": "tre"}, r'Did you mean "tree" or "ridge"\?'),
        ({"kind": 3}, "There is no head 3"),
        ({"layer": 4}, 'has no text as "layer"'),
        ({"features": True}, r'has True as "features", not a whole number from 1\.'),
        ({"classes": 2**40}, 'has 1099511627776 as "classes"'),
        ({"nodes": None}, 'has None as "nodes"'),
        ({"depth": 10}, "A tree of 3 nodes is not 10 levels deep"),
        ({"code": "import os"}, 'a setting "code", which it does not know'),
    ],
)
def test_settings_that_make_no_head_are_an_error(changes, sentence):
    settings = {"kind": "tree", "layer": "fc7", "features": 4, "classes": 2, "nodes": 3, "depth": 1}
    assert make_head(settings).features == 4
    with pytest.raises(RecipeError, match=sentence):
        make_head(settings | changes)
    with pytest.raises(RecipeError, match=r"described by an object; got \[1\]"):
        build_model("cifar_26pct", classes=2, head=[1])


@pytest.mark.parametrize("kind", ["knn", "logistic"])
def test_numbers_that_make_no_head_are_an_error(saved, sound, tmp_path, kind):
    _, weights = fit_and_load(saved, sound, tmp_path, kind)
    own = [{"labels": 2}, {"labels": -1}, {"rows": float("nan")}]
    for changes in ({"scale": 0.0}, *(own if kind == "knn" else [{"weight": float("inf")}])):
        ((name, value),) = changes.items()
        state = dict(weights.state)
        state[f"classifier.{name}"] = torch.full_like(state[f"classifier.{name}"], value)
        with pytest.raises(WeightsError, match=f'The head of the weights cannot be used: "{name}"'):
            replace(weights, state=state).network()


@pytest.mark.parametrize(
    ("changes", "depth", "flaw"),
    [
        ({}, 2, None),
        ({}, 1, "its tree is deeper than its 1 levels"),
        ({"left_child": [1, 0, 0, 0, 0]}, 2, '"left_child" leads out of the tree or backward'),
        ({"right_child": [2, 5, 0, 0, 0]}, 2, '"right_child" leads out of the tree or backward'),
        ({"right_child": [2, 1, 0, 0, 0]}, 2, '"right_child" leads out of the tree or backward'),
        (
            {"split_feature": [0, 1, -1, -1, -1]},
            2,
            '"split_feature" names a feature that does not exist',
        ),
        (
            {"threshold": [0.0, float("nan"), 0, 0, 0]},
            2,
            '"threshold" holds numbers that are not finite',
        ),
        ({"value": [[0.5, 0.6]] * 5}, 2, '"value" holds no probabilities'),
        ({"value": [[1.5, -0.5]] * 5}, 2, '"value" holds no probabilities'),
        ({"value": [[float("nan")] * 2] * 5}, 2, '"value" holds no probabilities'),
    ],
)
def test_trees_that_are_none_are_an_error(changes, depth, flaw):
    sizes = {"features": 1, "classes": 2, "nodes": 5, "depth": depth}
    head = make_head({"kind": "tree", "layer": "x", **sizes})
    tensors = {
        "shift": torch.zeros(1),
        "scale": torch.ones(1),
        "split_feature": torch.tensor([0, 0, -1, -1, -1]),
        "threshold": torch.zeros(5),
        "left_child": torch.tensor([1, 3, 0, 0, 0]),
        "right_child": torch.tensor([2, 4, 0, 0, 0]),
        "value": torch.full((5, 2), 0.5),
    }
    tensors |= {name: torch.tensor(value) for name, value in changes.items()}
    head.load_state_dict(tensors, assign=True)
    assert head.find_problem() == flaw


def test_hostile_files_are_sentences(saved, sound, tmp_path):
    _, weights = fit_and_load(saved, sound, tmp_path, "knn")
    file = tmp_path / "head.safetensors"
    data = file.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    values = json.loads(header["__metadata__"]["alexnet"])
    for changes in (
        {"kind": "os.system"},
        {"rows": 10**6},
        {"features": 12},
        {"layer": "fc99"},
        {"neighbors": 11},
        {"classes": 3},
    ):
        changed = copy.deepcopy(values)
        changed["arguments"]["head"] |= changes
        header["__metadata__"]["alexnet"] = json.dumps(changed)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        file.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])
        with pytest.raises((WeightsError, RecipeError)):
            network = load_weights(file).network()
            network(torch.zeros(1, 3, 16, 16))
    with pytest.raises(RecipeError, match=r"fitted on 64 features, and \"pool3\" makes 256"):
        arguments = copy.deepcopy(weights.arguments)
        arguments["head"]["layer"] = "pool3"
        replace(weights, arguments=arguments).network()(torch.zeros(1, 3, 16, 16))


def test_other_files_than_weights_are_an_error_at_once(saved, sound, tmp_path):
    with pytest.raises(RecipeError, match=r"out must end in \.safetensors; got"):
        fit_head_on_source(saved("w"), sound, kind="tree", out=tmp_path / "head.pkl")
