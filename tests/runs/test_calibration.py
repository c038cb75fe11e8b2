"""A training's weights leave it calibrated on validation images, with the same predictions."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.recipe import Recipe
from alexnet.runs import Packing, prepare
from alexnet.runs.calibration import calibrated
from alexnet.runs.job import snapshot
from alexnet.weights import load_weights
from fixtures.training import train_job

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
RECIPE = Recipe(
    model="mlp",
    image_px=8,
    crop_px=8,
    mean="channel",
    normalize=True,
    schedule="constant",
    lr=0.02,
    epochs=1,
    batch_size=16,
    val_fraction=0.5,
    flip=False,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Bright and dark images; each eighth has the wrong label, so nobody may be too sure."""
    folder = tmp_path_factory.mktemp("images") / "light"
    draw = np.random.default_rng(0)
    for name, light in (("day", 90), ("night", 0)):
        (folder / name).mkdir(parents=True)
        for i in range(40):
            low = 90 - light if i % 8 == 0 else light
            pixels = draw.integers(low, low + 160, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def job(images):
    return prepare(open_source(images), RECIPE, device=DEVICE, packing=Packing(cache="none"))


def sure(job, factor: float):
    """The job's first weights, their logits multiplied by a factor."""
    state = {name: each.clone() for name, each in job.network.state_dict().items()}
    *_, weight, bias = [name for name in state if name.endswith(("weight", "bias"))]
    state[weight] *= factor
    state[bias] *= factor
    return snapshot(job, state)


def test_weights_that_are_too_sure_become_less_so_and_predict_alike(job):
    weights = sure(job, 200.0)
    better, found = calibrated(job, weights)
    assert found is not None
    assert found.temperature > 5
    assert found.images == len(job.splits["val"])
    assert found.loss_after < found.loss_before
    assert found.error_after < found.error_before
    x = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, after = weights.network()(x), better.network()(x)
    assert torch.equal(before.argmax(dim=1), after.argmax(dim=1))
    torch.testing.assert_close(after, before / found.temperature, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("without", ["val", "softmax"])
def test_without_validation_images_or_softmax_nothing_changes(job, without):
    weights = sure(job, 50.0)
    if without == "val":
        changed = dataclasses.replace(job, splits={"train": job.splits["train"]})
    else:
        recipe = dataclasses.replace(job.recipe, loss="squared")
        changed = dataclasses.replace(job, recipe=recipe)
    assert calibrated(changed, weights) == (weights, None)


def test_a_run_writes_what_it_did(images, tmp_path):
    def make():
        return prepare(open_source(images), RECIPE, device=DEVICE, packing=Packing(cache="none"))

    report = train_job(make, images, tmp_path / "run")
    facts = json.loads((tmp_path / "run" / "results.json").read_text())
    kept = facts["calibration"]
    assert kept["images"] == report.results.images
    assert kept["loss_after"] == pytest.approx(report.results.loss)
    assert kept["error_after"] == pytest.approx(report.results.calibration_error)
    stored = load_weights(tmp_path / "run" / "weights.safetensors")
    assert stored.results["loss"] == pytest.approx(report.results.loss)
    page = (tmp_path / "run" / "report" / "index.html").read_text()
    assert f"{kept['temperature']:.2f}, of {kept['images']} validation images" in page


def test_figures_of_a_finished_run_are_written_where_asked(images, tmp_path):
    def make():
        return prepare(open_source(images), RECIPE, device=DEVICE, packing=Packing(cache="none"))

    report = train_job(make, images, tmp_path / "run")
    folder = tmp_path / "run" / "report"
    assert not list(folder.glob("*.png"))
    before = (tmp_path / "run" / "weights.safetensors").read_bytes()
    again = train_job(make, images, tmp_path / "run", png=True)
    assert again.already_finished
    assert again.results == report.results
    assert (folder / "confusion.png").is_file()
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == before
