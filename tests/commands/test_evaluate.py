from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import torch

from alexnet import evaluate, load_weights, pack, predict, save_weights
from alexnet.errors import RecipeError, SourceError, WeightsError


@pytest.fixture
def photos(trained, tmp_path):
    """A copy of the images that may be changed."""
    return shutil.copytree(trained.images, tmp_path / "photos")


@pytest.fixture
def changed_weights(trained, tmp_path):
    """The weights with one tensor changed: `changed_weights(lambda tensor: ...)`."""

    def change(function):
        weights = load_weights(trained.run)
        state = {**weights.state, "fc1.weight": function(weights.state["fc1.weight"])}
        save_weights(tmp_path / "changed.safetensors", dataclasses.replace(weights, state=state))
        return tmp_path / "changed.safetensors"

    return change


def test_training_evaluate_and_predict_agree_to_the_last_digit(trained):
    lines = (trained.run / "journal.jsonl").read_text().splitlines()
    journal = [json.loads(line) for line in lines]
    validated = next(each for each in reversed(journal) if each.get("best"))
    facts = json.loads((trained.run / "results.json").read_text())
    kept, calibration = facts["results"], facts["calibration"]
    found = evaluate(trained.run, trained.images)
    assert found.to_json() == {**kept, "missing_classes": [], "unreadable": []}
    losses = calibration["loss_before"], calibration["loss_after"]
    assert (*losses, found.top1) == (validated["val_loss"], found.loss, 1 - validated["val_error"])

    held_out = sorted(trained.held_out)
    rows = predict(trained.run, *[trained.images / path for path in held_out]).predictions
    right = [row.classes[0] == path.split("/")[0] for path, row in zip(held_out, rows, strict=True)]
    assert sum(right) / len(right) == found.top1


def test_what_the_run_held_out_is_measured_unless_all_is_asked_for(alexnet, trained):
    said = alexnet("evaluate", trained.run, trained.images, "--json")
    assert json.loads(said.out)["images"] == len(trained.held_out) == 4
    assert said.err == (f"Measured on 4 images (held out by {trained.run}) of {trained.images}.\n")
    assert evaluate(str(trained.run), str(trained.images), split="all").images == 16


def test_figures_do_not_depend_on_the_batch(trained):
    every, single = (
        evaluate(trained.run, trained.images, split="all", batch_size=batch) for batch in (128, 5)
    )
    assert single.confusion == every.confusion
    assert single.loss == pytest.approx(every.loss, rel=1e-6)


def test_a_pack_is_measured_as_its_source_is(trained, tmp_path):
    pack(trained.images, tmp_path / "pack", image_px=16)
    packed = evaluate(trained.run, tmp_path / "pack", crops=5)
    assert packed == evaluate(trained.run, trained.images, crops=5)


def test_weights_averaged_with_themselves_change_nothing(trained):
    alone = evaluate(trained.run, trained.images)
    twice = evaluate(trained.run, trained.images, also=(trained.run / "weights.safetensors",))
    assert twice.confusion == alone.confusion
    assert twice.loss == pytest.approx(alone.loss)


def test_an_unknown_class_is_named(trained, photos):
    (photos / "bee").rename(photos / "bees")
    with pytest.raises(SourceError, match=r'do not know: "bees"\. Did you mean "bee"\?'):
        evaluate(trained.run, photos)


def test_a_class_without_images_is_reported(alexnet, trained, photos):
    shutil.rmtree(photos / "bee")
    assert evaluate(trained.run, photos, split="all").missing_classes == ["bee"]
    said = alexnet("evaluate", trained.run, photos, "--split", "all")
    assert 'Classes of the weights without images here (1): "bee".' in said.out


def test_unreadable_images_are_named_or_stop_it(trained, photos):
    (photos / "ant" / "0.png").write_text("no image")
    found = evaluate(trained.run, photos, split="all", batch_size=1)
    assert found.images == 15
    assert [path for path, _ in found.unreadable] == ["ant/0.png"]
    with pytest.raises(SourceError, match=r"ant/0\.png cannot be read: .* --unreadable skip"):
        evaluate(trained.run, photos, split="all", unreadable="fail")


def test_nothing_readable_is_an_error(trained, photos):
    for path in photos.glob("*/*.png"):
        path.write_text("no image")
    sentence = r"photos: not one of its 16 images can be read\. The first, ant/0\.png: it is"
    with pytest.raises(SourceError, match=sentence):
        evaluate(trained.run, photos, split="all")


def test_answers_that_are_no_numbers_are_an_error(trained, changed_weights):
    broken = changed_weights(lambda tensor: torch.full_like(tensor, float("nan")))
    with pytest.raises(WeightsError, match=r"changed\.safetensors predicts probabilities that are"):
        evaluate(broken, trained.images)


def test_a_batch_holds_a_image(trained):
    with pytest.raises(RecipeError, match=r"batch_size must be at least 1 image; got 0\."):
        evaluate(trained.run, trained.images, batch_size=0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("{run}/weights.safetensor", "{photos}"), 'Did you mean "weights.safetensors"?'),
        (("{photos}", "{photos}"), "The folder {photos} holds no weights.safetensors."),
        (("{run}", "{photos}s"), "There is no file or folder {photos}s."),
        (("{run}", "{photos}", "--split", "test"), 'has no images in the split "test"'),
    ],
)
def test_mistakes_are_sentences(alexnet, trained, words, sentence):
    places = {"run": trained.run, "photos": trained.images}
    said = alexnet("evaluate", *[word.format(**places) for word in words])
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert sentence.format(**places) in said.err
    assert said.err.count("\n") == 1


def test_rounded_fully_connected_weights_are_measured(alexnet, trained):
    pytest.importorskip("numba")
    wanted = evaluate(trained.run, trained.images)
    said = alexnet("evaluate", trained.run, trained.images, "--fully-connected", "int8", "--json")
    found = json.loads(said.out)
    assert found["loss"] == pytest.approx(wanted.loss, rel=0.05)
    assert found["loss"] != wanted.loss
    said = alexnet("evaluate", trained.run, trained.images, "--fully-connected", "int4")
    assert said.code == 2
    assert "int4" in said.err
