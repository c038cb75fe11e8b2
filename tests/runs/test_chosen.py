"""A run whose way is chosen: folds, what learns from what, going on, the final weights."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.commands.train import train
from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.errors import Diverged, Interrupted, RecipeError, SourceError
from alexnet.models import HeadedNetwork, build_model
from alexnet.records import WayScore
from alexnet.runs import Packing, prepare_candidates
from alexnet.runs import choice as choosing
from alexnet.runs.ways import Outcome, Ways, choose_outcome
from alexnet.weights import load_weights

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")


def write_images(folder: Path, count: int, *, seed: int = 0) -> None:
    """Noise in three colors, a class each."""
    draw = np.random.default_rng(seed)
    for k, name in enumerate(("blue", "green", "red")):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(0, 130, (30, 34, 3))
            pixels[..., 2 - k] += 90
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i * 37 % 101}.png")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Eight images of each class, no splits."""
    folder = tmp_path_factory.mktemp("photos")
    write_images(folder, 8)
    return folder


@pytest.fixture
def small_steps(monkeypatch) -> None:
    """Few epochs: what is tested is not how good it gets."""
    monkeypatch.setattr(choosing, "_EPOCHS", 2)
    monkeypatch.setattr(choosing, "_FEWEST_EPOCHS", 2)
    monkeypatch.setattr(choosing, "_MOST_EPOCHS", 2)


def chosen(source: Path, run_dir: Path, **options):
    """Train as the command does by default, in fp32."""
    return train(source, run_dir=run_dir, precision="fp32", threads=1, **options)


@pytest.mark.usefixtures("bundled", "small_steps")
def test_few_images_are_each_held_out_once_and_all_learned_from(images, tmp_path):
    report = chosen(images, tmp_path / "run")
    assert report.split == "cross-validation"
    assert report.results.images == 24
    assert report.seconds >= report.ways[0].seconds + report.ways[1].seconds
    assert [way.chosen for way in report.ways].count(True) == 1
    assert report.way == next(way.name for way in report.ways if way.chosen)
    arrays = np.load(tmp_path / "run" / "choice.npz")
    assert (
        sorted(np.bincount(arrays["fold_of"]).tolist()) == [7, 8, 9]
        or len(set(arrays["fold_of"].tolist())) == 3
    )
    rows = (tmp_path / "run" / "split.csv").read_text().splitlines()[1:]
    assert {row.rsplit(",", 1)[1] for row in rows} == {"train"}
    assert (tmp_path / "run" / "report" / "index.html").is_file()
    network = load_weights(Path(report.weights)).network()
    assert isinstance(network, HeadedNetwork)


@pytest.mark.usefixtures("bundled", "small_steps")
def test_a_run_that_was_stopped_after_its_folds_goes_on_to_the_same_weights(
    images, tmp_path, monkeypatch
):
    whole = chosen(images, tmp_path / "whole")

    def stop(*args, **more):
        raise Interrupted("Stopped by a test.")

    with monkeypatch.context() as patch:
        patch.setattr("alexnet.runs.chosen._finish", stop)
        with pytest.raises(Interrupted):
            chosen(images, tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(Ways, "measure", stop)  # not once more
        report = chosen(images, tmp_path / "run")
    first, second = (load_weights(Path(each.weights)) for each in (whole, report))
    assert first.digest == second.digest
    assert [dataclasses.replace(way, seconds=0) for way in whole.ways] == [
        dataclasses.replace(way, seconds=0) for way in report.ways
    ]
    assert chosen(images, tmp_path / "run").already_finished


@pytest.mark.usefixtures("bundled", "small_steps")
def test_the_test_images_of_the_source_are_in_no_fold(tmp_path):
    write_images(tmp_path / "set" / "train", 6)
    write_images(tmp_path / "set" / "test", 4, seed=1)
    report = chosen(tmp_path / "set", tmp_path / "run")
    assert (report.split, report.results.images) == ("test", 12)
    assert report.cross_validation.images == 18


@pytest.mark.usefixtures("bundled", "small_steps")
def test_more_images_are_held_out_as_usual(images, tmp_path, monkeypatch):
    monkeypatch.setattr(choosing, "FEW_IMAGES", 10)
    report = chosen(images, tmp_path / "run", val_fraction=0.25)
    assert (report.split, report.results.images) == ("val", 6)
    assert report.cross_validation is None
    assert "held out" in report.why
    scored = next(way for way in report.ways if way.chosen)
    assert scored.top1 == pytest.approx(report.results.top1)


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize("seed", [0, 1])
def test_what_a_fold_holds_out_changes_nothing_of_what_is_fitted_without_it(images, seed):
    """Features of held-out images, replaced by nonsense, leave the logits of other folds alone."""
    candidates = prepare_candidates(
        open_source(images),
        load_weights(Path("small-200")),
        {"seed": seed},
        device=DEVICE,
        packing=Packing(cache="none"),
    )
    ways, division = candidates.ways, candidates.divide()
    assert (np.bincount(division.fold_of) > 0).all()
    fold = division.folds[0]
    assert not set(fold.train) & set(fold.held_out)
    assert len(fold.train) + len(fold.held_out) == 24
    assert set(ways.labels[fold.train]) == {0, 1, 2}


@pytest.mark.usefixtures("bundled", "small_steps")
@pytest.mark.parametrize(
    "way", ["features", "halfway + features", "finetune + features", "finetune", "average"]
)
def test_each_way_ends_in_weights_that_predict_as_it_did(images, tmp_path, monkeypatch, way):
    """Forced one after the other: probabilities are those of its own head, in the run's file."""

    def force(outcomes, count):
        return next(outcome for outcome in outcomes if outcome.name == way)

    monkeypatch.setattr("alexnet.runs.chosen.choose_outcome", force)
    monkeypatch.setattr(choosing, "FEW_IMAGES", 10)  # the ways share the final network
    report = chosen(images, tmp_path / "run", val_fraction=0.25)
    assert report.way == way
    score = next(each for each in report.ways if each.chosen)
    assert report.results.top1 == pytest.approx(score.top1)
    assert report.results.loss < 2


@pytest.mark.usefixtures("bundled", "small_steps")
def test_a_fine_tuning_that_diverges_leaves_the_features(images, tmp_path, monkeypatch, caplog):
    def diverge(*args, **more):
        raise Diverged("The loss is no longer finite.")

    monkeypatch.setattr(choosing.Candidates, "tune", diverge)
    report = chosen(images, tmp_path / "run")
    assert [way.name for way in report.ways] == ["features"]
    assert (report.way, report.results.images) == ("features", 24)
    assert "are left out: The loss is no longer finite." in caplog.text


def outcome(name: str, top1: float, loss: float) -> Outcome:
    """An outcome that was measured so."""
    return Outcome(WayScore(name=name, top1=top1, loss=loss, seconds=0), np.zeros((1, 2)), 1.0)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([("a", 0.8, 0.5), ("b", 0.9, 0.7)], "b"),  # clearly more accurate
        ([("a", 0.80, 0.5), ("b", 0.81, 0.7)], "a"),  # by chance
        ([("a", 0.80, 0.501), ("b", 0.80, 0.499)], "a"),  # equal: the first, the simplest
    ],
)
def test_accuracy_decides_and_where_it_does_not_the_loss(scores, best):
    assert choose_outcome([outcome(*each) for each in scores], 100).name == best


def test_one_image_a_class_cannot_be_measured(tmp_path):
    write_images(tmp_path / "set", 1)
    with pytest.raises(SourceError, match="at least two images of each class"):
        chosen(tmp_path / "set", tmp_path / "run")


def test_weights_and_fields_of_a_training_from_scratch_contradict(images, tmp_path):
    with pytest.raises(RecipeError, match="alexnet finetune small-200"):
        chosen(images, tmp_path / "run", from_="small-200", epochs=3)


def test_from_scratch_is_what_a_recipe_s_field_asks_for(images, tmp_path):
    report = chosen(
        images, tmp_path / "run", model="cifar_26pct", epochs=1, image_px=16, crop_px=16
    )
    assert (report.way, report.ways) == ("scratch", [])
    assert json.loads((tmp_path / "run" / "run.json").read_text())["start"] is None


@pytest.mark.usefixtures("bundled", "small_steps")
def test_a_chosen_run_is_something_to_begin_with_again(images, tmp_path):
    first = chosen(images, tmp_path / "first")
    second = chosen(images, tmp_path / "second", from_=first.run_dir)
    assert second.results.images == 24


def test_a_class_of_few_images_among_many_is_drawn_more_often_and_not_weighed(tmp_path):
    """Weights of the loss would be 12.7 times the mean for it: such steps diverge."""
    write_images(tmp_path / "set", 2)
    for i in range(36):
        seed = np.random.default_rng(100 + i).integers(0, 255, (30, 34, 3)).astype(np.uint8)
        Image.fromarray(seed).save(tmp_path / "set" / "red" / f"more{i}.png")
    recipe = _recipe_of(tmp_path / "set")
    assert (recipe.sampling, recipe.class_weights) == ("balanced", "none")


def test_classes_of_similar_size_are_weighed_as_in_fine_tuning(images):
    recipe = _recipe_of(images)
    assert (recipe.sampling, recipe.class_weights) == ("shuffle", "auto")


def _recipe_of(folder: Path):
    return prepare_candidates(
        open_source(folder),
        load_weights(Path("small-200")),
        {"seed": 0},
        device=DEVICE,
        packing=Packing(cache="none"),
    ).job.recipe


@pytest.mark.usefixtures("bundled", "small_steps")
def test_folds_of_a_run_that_goes_on_are_computed_as_it_began(images, tmp_path, monkeypatch):
    """In the precision of its first call, whatever a measurement prefers now."""

    def stop(*args, **more):
        raise Interrupted("Stopped by a test.")

    with monkeypatch.context() as patch:
        patch.setattr(Ways, "measure", stop)
        with pytest.raises(Interrupted):
            chosen(images, tmp_path / "run")
    seen = []

    def look(self, *args, **more):
        seen.append(self.device.precision)
        raise Interrupted("Stopped by a test.")

    monkeypatch.setattr(Ways, "measure", look)
    other = dataclasses.replace(DEVICE, precision="bf16")
    monkeypatch.setattr("alexnet.devices.choose_device", lambda *args, **options: other)
    with pytest.raises(Interrupted):
        train(images, run_dir=tmp_path / "run", threads=1)
    assert seen == ["fp32"]


@pytest.mark.usefixtures("bundled", "small_steps")
def test_a_class_of_one_image_is_named_as_not_measured(tmp_path):
    write_images(tmp_path / "set", 4)
    for image in sorted((tmp_path / "set" / "red").iterdir())[1:]:
        image.unlink()
    report = chosen(tmp_path / "set", tmp_path / "run")
    assert report.results.images == 8
    assert any('Of "red" there is one training image' in each for each in report.warnings)


@pytest.mark.usefixtures("bundled")
def test_many_images_of_which_none_is_held_out_cannot_tell_the_ways_apart(
    images, tmp_path, monkeypatch
):
    monkeypatch.setattr(choosing, "FEW_IMAGES", 10)
    with pytest.raises(RecipeError, match="Nothing is held out"):
        chosen(images, tmp_path / "run", val_fraction=0)


def test_what_lies_below_the_layers_that_heads_read_is_kept():
    network = build_model("alexnet_adaptive", classes=3, image_px=32, crop_px=32)
    kept = choosing._kept_layers(network)
    assert kept == ["conv1", "conv2", "bn1", "bn2", "bn3", "bn4", "bn5"]
