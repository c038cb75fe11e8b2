"""Heads that are measured on what they did not see, and learn from all images in the end."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from alexnet.evaluation import wilson_interval
from alexnet.transfer import fit_head_on_source
from alexnet.weights import load_weights

pytest.importorskip("sklearn", reason="heads need scikit-learn")

from alexnet.transfer import head_folds, head_kinds, head_search
from alexnet.transfer.head_search import search_head

KINDS = [kind for kind in head_kinds.KINDS if kind != "mlp"]  # which takes seconds


def blobs(classes, count=60, width=7, seed=0):
    """Classes that overlap a little."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    features = draw.normal(size=(count, width))
    features[:, 0] += 2 * labels
    return features.astype(np.float32), labels


def fit_and_load(saved, photos, tmp_path, kind="logistic", **more):
    out = tmp_path / "head.safetensors"
    report = fit_head_on_source(saved("w"), photos, kind=kind, out=out, cache="none", **more)
    return report, load_weights(out)


def photo_folder(tmp_path, per_class=12, bursts=1):
    """Images of two classes that are easily told apart; each `bursts` times, a little changed."""
    draw = np.random.default_rng(3)
    for k, name in enumerate(("ant", "bee")):
        (tmp_path / name).mkdir(parents=True)
        for i in range(per_class // bursts):
            image = draw.integers(0, 90, (24, 24, 3)) + 120 * np.array([k, 1 - k, 0])
            for copy_of in range(bursts):
                noisy = np.clip(image + draw.integers(-4, 5, image.shape), 0, 255)
                path = tmp_path / name / f"{i:03}-{copy_of}.png"
                Image.fromarray(noisy.astype(np.uint8)).save(path)
    return tmp_path


def test_few_images_are_measured_by_folds_and_all_are_learned_from(saved, tmp_path, monkeypatch):
    photos = photo_folder(tmp_path / "photos")
    report, weights = fit_and_load(saved, photos, tmp_path)
    assert (report.measured_by, report.split, report.images) == ("cross-validation", None, 24)
    assert report.results.images == 24
    assert sum(map(sum, report.results.confusion)) == 24
    correct = report.results.top1_interval
    plain = wilson_interval(report.results.top1, 24)
    assert correct.low < plain.low
    assert weights.results["images"] == 24
    assert json.loads(json.dumps(report.to_json()))["measured_by"] == "cross-validation"


def test_a_tenth_of_many_images_is_measured_and_given_back(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.transfer.head_measurement.FEW_HELD_OUT", 4)
    photos = photo_folder(tmp_path / "photos", per_class=25)
    searched, fitted = [], []
    real_search, real_fit = head_search.search_head, head_folds.fitted_on_all
    monkeypatch.setattr(
        "alexnet.transfer.head_search.search_head",
        lambda kind, x, y, **more: searched.append(x) or real_search(kind, x, y, **more),
    )
    monkeypatch.setattr(
        "alexnet.transfer.head_folds.fitted_on_all",
        lambda found, x, y, **more: fitted.append(x) or real_fit(found, x, y, **more),
    )
    report, weights = fit_and_load(saved, photos, tmp_path)
    assert (report.measured_by, report.split, report.images) == ("held-out tenth", "val", 50)
    held_out = report.results.images
    assert (len(searched[0]), len(fitted[0])) == (50 - held_out, 50)
    mean = dict(weights.network().named_buffers())["classifier.shift"].numpy()
    np.testing.assert_allclose(mean, fitted[0].mean(axis=0), rtol=1e-5, atol=1e-6)
    assert {row.tobytes() for row in searched[0]} < {row.tobytes() for row in fitted[0]}


def test_a_sources_own_test_split_takes_no_validation_from_training(saved, tmp_path):
    photos = photo_folder(tmp_path / "photos" / "train")
    photo_folder(tmp_path / "photos" / "test", per_class=3)
    report, _ = fit_and_load(saved, photos.parent, tmp_path)
    assert (report.measured_by, report.split, report.images) == ("split", "test", 24)
    assert report.results.images == 6


@pytest.mark.parametrize("kind", KINDS)
def test_out_of_fold_probabilities_are_of_heads_that_saw_nothing_of_the_group(kind):
    draw = np.random.default_rng(1)
    groups = np.arange(60) // 4
    labels = groups % 3
    features = draw.normal(size=(15, 40))[groups] + 0.01 * draw.normal(size=(60, 40))
    found = search_head(kind, features.astype(np.float32), labels, groups=groups)
    accuracy = {}
    for name, each in (("whole", groups), ("divided", np.arange(60))):
        given = head_folds.cross_validated_probabilities(
            found, features.astype(np.float32), labels, each
        )
        assert given.shape == (60, 3)
        np.testing.assert_allclose(given.sum(axis=1), 1)
        accuracy[name] = (given.argmax(axis=1) == labels).mean()
    assert accuracy["whole"] < 0.7
    assert accuracy["divided"] > accuracy["whole"] + 0.1


def test_the_searchs_folds_keep_groups_together(monkeypatch):
    features, labels = blobs(2)
    groups = np.arange(60) // 4 * 2 + labels
    pairs = head_search.fold_pairs(labels, groups, 5, 0)
    for train, held_out in pairs:
        assert not set(groups[train]) & set(groups[held_out])
    assert sorted(np.concatenate([each for _, each in pairs]).tolist()) == list(range(60))
    alone = search_head("logistic", features, labels)
    again = search_head("logistic", features, labels, groups=None)
    assert alone.candidates == again.candidates


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_fitted_on_all_is_that_of_its_parameters(kind):
    features, labels = blobs(3, 90)
    found = search_head(kind, features[:60], labels[:60])
    again = head_folds.fitted_on_all(found, features, labels)
    assert again.best_parameters == found.best_parameters
    np.testing.assert_allclose(again.scaling.shift, features.mean(axis=0), rtol=1e-5, atol=1e-6)
    assert len(again.predict_proba(features)) == 90


def test_bursts_are_said_beside_the_figure(saved, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "alexnet.transfer.head_measurement.fold_warning", lambda *rows: "Folds look easier."
    )
    report, _ = fit_and_load(saved, photo_folder(tmp_path / "photos"), tmp_path)
    assert report.warnings == ["Folds look easier."]
