"""Ensembles: each network by its own preprocessing, classes by their names, mean probabilities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from alexnet.data import open_source
from alexnet.errors import WeightsError
from alexnet.evaluation import load_ensemble, predict_batches
from alexnet.weights import load_weights

CLASSES = ("ant", "bee", "crab")


def by_hand(path, source) -> dict[str, np.ndarray]:
    """Class probabilities of each readable image by one weights file, with no code shared."""
    weights = load_weights(path)
    network = weights.network().double()
    rule = weights.preprocessing
    rows = []
    for index, name in enumerate(source.paths):
        if "torn" in name:
            continue
        stored = rule.read(source.read(index), name).astype(np.float64)
        start = (rule.image_px - rule.crop_px) // 2
        part = slice(start, start + rule.crop_px)
        crop = (stored - rule.mean)[part, part] / rule.std
        with torch.no_grad():
            logits = network(torch.from_numpy(crop).permute(2, 0, 1)[None])[0].numpy()
        rows.append(np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum())
    return dict(zip(weights.classes, np.array(rows).T, strict=True))


def predict(ensemble, source) -> np.ndarray:
    stream = predict_batches(ensemble.members, source, np.arange(len(source)), batch_size=4)
    return np.concatenate([part.numbers for part in stream])


def test_one_network_predicts_as_computed_by_hand(saved, images):
    path = saved("a")
    source = open_source(images)
    found = predict(load_ensemble([path]), source)
    wanted = by_hand(path, source)
    assert found.shape == (14, 3)
    np.testing.assert_allclose(found, np.stack([wanted[c] for c in CLASSES], 1), atol=1e-5)


@pytest.mark.parametrize("order", [*itertools.permutations(CLASSES)])
def test_classes_are_put_into_the_first_ones_order(saved, images, order):
    paths = [saved("a"), saved("b", order, seed=1)]
    source = open_source(images)
    ensemble = load_ensemble(paths)
    assert ensemble.classes == CLASSES
    found = predict(ensemble, source)
    one, other = (by_hand(path, source) for path in paths)
    for k, name in enumerate(CLASSES):
        np.testing.assert_allclose(found[:, k], (one[name] + other[name]) / 2, atol=1e-5)


def test_each_network_has_its_own_preprocessing(saved, images):
    paths = [
        saved("a"),
        saved("b", seed=1, resize_mode="pad"),
        saved("c", seed=2, resize_mode="squash"),
    ]
    source = open_source(images)
    found = predict(load_ensemble(paths), source)
    wanted = [by_hand(path, source) for path in paths]
    for k, name in enumerate(CLASSES):
        mean = sum(each[name] for each in wanted) / 3
        np.testing.assert_allclose(found[:, k], mean, atol=1e-5)


def test_a_run_folder_stands_for_its_weights(saved, tmp_path):
    (tmp_path / "run").mkdir()
    saved("a").rename(tmp_path / "run" / "weights.safetensors")
    assert load_ensemble([tmp_path / "run"]).classes == CLASSES


def test_the_first_weights_words_hold(saved):
    paths = [saved("a"), saved("b", ("crab", "ant", "bee"), seed=1)]
    assert load_ensemble(paths).class_words == {"ant": "words of 0", "crab": "words of 1"}
    assert load_ensemble([paths[0], saved("c", seed=2)]).class_words == {"ant": "words of 0"}


@pytest.mark.parametrize("classes", [("ant", "bee"), ("ant", "bee", "cow"), (*CLASSES, "dog")])
def test_weights_of_other_classes_are_an_error_that_names_one(saved, classes):
    first, second = saved("first"), saved("second", classes)
    other = min(set(classes) ^ set(CLASSES))
    sentence = (
        rf"second\.safetensors and .*first\.safetensors cannot be averaged: they know different "
        rf'classes \({len(classes)} and 3; for example "{other}" is in one alone\)\. Average'
    )
    with pytest.raises(WeightsError, match=sentence):
        load_ensemble([first, second])
