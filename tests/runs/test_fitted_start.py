"""A fine-tuning that begins with a fitted last layer: no worse than that, and continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from alexnet import evaluate, finetune, load_weights
from alexnet.weights import save_weights
from fixtures.blobs import write_blobs
from fixtures.layouts import LAYOUTS, layout_weights
from fixtures.transfer import make_weights

pytest.importorskip("sklearn", reason="heads need scikit-learn")

OPTIONS = {
    "epochs": 3,
    "batch_size": 16,
    "cache": "none",
    "threads": 1,
    "precision": "fp32",
    "random_resized_crop": 1.0,
    "color_jitter": 0.0,
}


@pytest.fixture(scope="module")
def blobs(tmp_path_factory) -> Path:
    splits = {"train": 12, "val": 8, "test": 20}
    return write_blobs(tmp_path_factory.mktemp("blobs"), per_class=0, splits=splits)


def tuned(folder: Path, weights, source, **changes):
    save_weights(folder / "base.safetensors", weights)
    return finetune(
        folder / "base.safetensors", source, run_dir=folder / "run", **{**OPTIONS, **changes}
    )


def fitted_alone(folder: Path, weights, source) -> float:
    """The accuracy of the fitted last layer, on which nothing else was trained."""
    save_weights(folder / "alone.safetensors", weights)
    report = finetune(
        folder / "alone.safetensors",
        source,
        run_dir=folder / "alone",
        **{**OPTIONS, "epochs": 1},
        backbone_lr=0,
        head_lr=1e-12,
    )
    return report.results.top1


@pytest.mark.parametrize("name", [*LAYOUTS, "cifar_26pct", "mlp"])
def test_fine_tuning_ends_no_lower_than_the_head_on_the_same_features(tmp_path, blobs, name):
    weights = layout_weights(name) if name in LAYOUTS else make_weights(model=name)
    alone = fitted_alone(tmp_path, weights, blobs)
    results = tuned(tmp_path, weights, blobs).results
    width = (results.top1_interval.high - results.top1_interval.low) / 2
    assert alone > 0.4  # the features say something: a guess is right in a third
    assert results.top1 >= alone - width


def test_a_training_that_spoils_the_network_ends_with_the_fitted_layer(tmp_path, blobs):
    """Rates that are far too high; the start is the best, and is what is kept."""
    weights = make_weights()
    report = tuned(tmp_path, weights, blobs, head_lr=0.3, backbone_lr=0.3)
    assert report.best_epoch == 0
    assert report.results.top1 == fitted_alone(tmp_path, weights, blobs)
    (line,) = [each for each in journal(tmp_path) if each["event"] == "fitted"]
    assert (line["layer"], line["images"]) == ("fc5", 36)
    state, kept = weights.state, load_weights(report.weights).state
    assert all(torch.equal(kept[name], state[name]) for name in state if "fc5" not in name)
    assert evaluate(report.run_dir, blobs, split="test").top1 == report.results.top1


def journal(folder: Path) -> list[dict]:
    lines = (folder / "run" / "journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_run_goes_on_with_the_rates_that_it_began_with(tmp_path, blobs, monkeypatch):
    """Stopped after an epoch: the layer is not fitted again, and keeps its limit."""
    from alexnet.errors import Interrupted
    from alexnet.training import StopRequest

    weights = layout_weights("squeezenet")
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = tuned(tmp_path / "whole", weights, blobs)
    asked = iter([False] * 4)
    monkeypatch.setattr(StopRequest, "__bool__", lambda self: next(asked, True))
    monkeypatch.setattr(StopRequest, "interrupted", lambda self, when="": Interrupted("Stopped."))
    with pytest.raises(Interrupted):
        tuned(tmp_path / "parts", weights, blobs)
    monkeypatch.undo()
    parts = tuned(tmp_path / "parts", weights, blobs)
    assert parts.continued
    events = [each["event"] for each in journal(tmp_path / "parts")]
    assert events.count("fitted") == 1
    one, other = (load_weights(each.weights).state for each in (whole, parts))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_rate_of_large_inputs_is_limited_and_said(tmp_path, blobs, caplog):
    with caplog.at_level("INFO"):
        tuned(tmp_path, layout_weights("squeezenet"), blobs, epochs=1)
    assert "conv_final was fitted by logistic regression on 36 images" in caplog.text
    assert "its inputs are large, so that its rate is at most" in caplog.text
