"""A last layer fitted by logistic regression: the network predicts as scikit-learn does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from alexnet.data import load_pack, open_source
from alexnet.errors import WeightsError
from alexnet.evaluation import evaluate_pack
from alexnet.models import build_model
from alexnet.runs import with_new_head
from alexnet.transfer.last_layer import (
    FittedLayer,
    _inputs,
    _last_layer,
    fit_last_layer,
    is_fittable,
)
from fixtures.layouts import LAYOUTS, layout_weights
from fixtures.transfer import make_weights

pytest.importorskip("sklearn", reason="heads need scikit-learn")

FLAT = ("cifar_26pct", "cifar_13pct", "mlp", "alexnet_small")


def weights_of(name):
    return layout_weights(name) if name in LAYOUTS else make_weights(model=name)


def packed(weights, folder):
    rule = weights.preprocessing
    source = open_source(folder)
    pack = load_pack(source, image_px=rule.image_px, resize_mode=rule.resize_mode, cache="none")
    return pack, np.arange(len(pack))


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """Three classes of 12 images that differ in color and in texture."""
    from fixtures.blobs import write_blobs

    return write_blobs(tmp_path_factory.mktemp("blobs"), per_class=12)


@pytest.mark.parametrize("name", [*LAYOUTS, *FLAT])
def test_the_network_predicts_as_the_classifier_on_its_features(name, blobs):
    from sklearn.linear_model import LogisticRegression

    weights = weights_of(name)
    start = with_new_head(weights, 3)
    assert start.fits_last_layer
    network, (pack, train) = start.network, packed(weights, blobs)
    before = {key: each.clone() for key, each in network.state_dict().items()}
    fitted = fit_last_layer(network, start.preprocessing, pack, train, balanced=False, seed=0)
    features = _inputs(network, _last_layer(network), start.preprocessing, pack, train)
    assert fitted.images == len(train) == 36
    assert fitted.inputs == features.shape[1]
    assert fitted.mean_square == pytest.approx(np.square(features).sum(1).mean(), rel=1e-4)
    after = network.state_dict()
    changed = {key for key in after if not torch.equal(before[key], after[key])}
    assert changed == {f"{network.head}.weight", f"{network.head}.bias"}
    found, labels = evaluate_pack(network, start.preprocessing, pack, train)
    scaled = (features - features.mean(0)) / np.where(features.std(0) > 1e-6, features.std(0), 1)
    plain = LogisticRegression(C=1, max_iter=2000).fit(scaled, labels).predict(scaled)
    assert (found.argmax(1) == plain).mean() > 0.9  # another C, and a temperature
    weight = after[f"{network.head}.weight"].flatten(1)
    logits = torch.from_numpy(features) @ weight.T + after[f"{network.head}.bias"]
    assert np.allclose(found, logits.softmax(1).numpy(), atol=2e-3)


def test_a_rate_is_limited_by_the_length_of_the_inputs():
    assert FittedLayer(10, 4, 90_000.0).lr_limit == pytest.approx(0.5 / 90_000)
    assert FittedLayer(10, 4, 0.0).lr_limit > 1e6


def test_steps_at_the_limit_do_not_overshoot():
    """Softmax regression by the paper's momentum on inputs as large as SqueezeNet's."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(64, 50, generator=generator) * 80
    labels = torch.randint(0, 3, (64,), generator=generator)
    layer = torch.nn.Linear(50, 3)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    rate = FittedLayer(64, 50, float(x.square().sum(1).mean())).lr_limit
    velocity = [torch.zeros_like(each) for each in layer.parameters()]
    losses = []
    for _ in range(300):
        loss = torch.nn.functional.cross_entropy(layer(x), labels)
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, list(layer.parameters()))
        with torch.no_grad():
            for parameter, speed, gradient in zip(
                layer.parameters(), velocity, gradients, strict=True
            ):
                speed.mul_(0.9).sub_(rate * gradient)
                parameter.add_(speed)
    assert max(losses) <= losses[0] * 1.2
    assert losses[-1] < losses[0]


def test_scores_that_are_bent_cannot_be_fitted():
    """The ReLU of SqueezeNet, kept: its scores are no linear function of the features."""
    network = layout_weights("squeezenet").network()
    assert not is_fittable(network)
    assert is_fittable(with_new_head(layout_weights("squeezenet"), 5).network)


def test_without_scikit_learn_nothing_is_fitted(monkeypatch, caplog):
    network = make_weights().network()
    assert is_fittable(network)
    monkeypatch.setattr("alexnet.transfer.last_layer.importlib.util.find_spec", lambda name: None)
    with caplog.at_level("INFO"):
        assert not is_fittable(network)
    assert 'pip install "alexnet[learn]"' in caplog.text


def test_is_fittable_leaves_the_mode_and_the_weights(blobs):
    network = build_model("alexnet_small", classes=3, image_px=28, crop_px=24).train()
    before = {name: each.clone() for name, each in network.state_dict().items()}
    assert is_fittable(network)
    assert network.training
    assert all(torch.equal(before[name], each) for name, each in network.state_dict().items())


@pytest.mark.parametrize("balanced", [False, True])
def test_a_class_of_one_image_is_fitted_without_a_search(blobs, balanced):
    weights = make_weights()
    start = with_new_head(weights, 3)
    pack, _ = packed(weights, blobs)
    labels = pack.labels
    few = np.concatenate([np.flatnonzero(labels == 0)[:1], np.flatnonzero(labels > 0)])
    fit_last_layer(start.network, start.preprocessing, pack, few, balanced=balanced, seed=0)
    found, truth = evaluate_pack(start.network, start.preprocessing, pack, few)
    assert (found.argmax(1) == truth).mean() > 0.6


def test_inputs_that_are_no_numbers_are_a_sentence(blobs):
    weights = make_weights()
    state = {name: each.clone() for name, each in weights.state.items()}
    state["conv1.weight"].fill_(float("nan"))
    start = with_new_head(dataclasses.replace(weights, state=state), 3)
    pack, train = packed(weights, blobs)
    with pytest.raises(WeightsError, match="are no numbers for some images"):
        fit_last_layer(start.network, start.preprocessing, pack, train, balanced=False, seed=0)
