"""Where no weights are named, those that come with the package are used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import alexnet
from alexnet.commands.arguments import weights_and_images, weights_and_source
from alexnet.errors import WeightsError
from alexnet.weights import DEFAULT_WEIGHTS, bundled_file, bundled_list, load_weights
from fixtures.command_line import write_images


@pytest.fixture
def photo(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (70, 90, 3), np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_the_registry_has_the_default_weights():
    assert [each.name for each in bundled_list()] == [DEFAULT_WEIGHTS]


def test_the_bundled_weights_are_small_and_measured():
    file = bundled_file()
    assert file is not None
    assert file.stat().st_size < 12_000_000
    weights = load_weights(file)
    assert len(weights.classes) == len(weights.class_words) == 200
    assert weights.results["images"] == 10_000


def test_an_image_alone_is_predicted_with_words(photo):
    found = alexnet.predict(photo)
    (row,) = found.predictions
    assert (row.path, row.error, len(row.classes)) == (str(photo), None, 5)
    assert all(found.class_words[each] for each in row.classes)
    assert found.predictions == alexnet.predict("small-200", photo).predictions


def test_a_folder_of_images_alone_is_predicted(photo):
    assert len(alexnet.predict(photo.parent).predictions) == 1


def test_features_and_their_source_alone(photo, tmp_path):
    (tmp_path / "source" / "a").mkdir(parents=True)
    photo.rename(tmp_path / "source" / "a" / "photo.png")
    report = alexnet.features(tmp_path / "source", out=tmp_path / "f.npz")
    assert (report.images, report.feature_dim) == (1, 512)


def test_weights_and_images_are_told_apart(photo, tmp_path):
    gone = tmp_path / "gone.safetensors"
    assert weights_and_images(gone, [photo]) == (gone, [photo])
    assert weights_and_images("-", []) == (Path(DEFAULT_WEIGHTS), ["-"])
    assert weights_and_images(tmp_path, [photo]) == (tmp_path, [photo])  # a run, or a sentence
    (tmp_path / "weights.safetensors").touch()
    assert weights_and_images(tmp_path, []) == (tmp_path, [])
    assert weights_and_source("photos", None, verb="features") == (
        Path(DEFAULT_WEIGHTS),
        Path("photos"),
    )


def test_a_copy_of_the_package_without_them_says_so(photo, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.weights.location.FOLDER", tmp_path / "nothing")
    with pytest.raises(WeightsError, match="come with the package, and this copy of it lacks them"):
        alexnet.predict(photo)


@pytest.fixture
def swapped(tmp_path, monkeypatch) -> None:
    """A folder `photos` of images and a run folder `runs/pets`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos" / "ant").mkdir(parents=True)
    (tmp_path / "runs" / "pets").mkdir(parents=True)
    (tmp_path / "runs" / "pets" / "weights.safetensors").write_bytes(b"")


@pytest.mark.parametrize("verb", ["finetune", "features", "evaluate", "predict"])
@pytest.mark.parametrize("weights", ["runs/pets", "runs/pets/weights.safetensors"])
def test_weights_behind_the_images_are_recognized(alexnet, swapped, verb, weights):
    more = ("--out", "f.npz") if verb == "features" else ()
    said = alexnet(verb, "photos", weights, *more)
    assert (said.code, said.out) == (2, "")
    assert f"{weights} are weights, and photos holds none: weights come first." in said.err
    assert f"Write: alexnet {verb} {weights} photos" in " ".join(said.err.split())


def test_weights_first_and_two_weights_are_not_taken_for_swapped(swapped):
    source, run = Path("photos"), Path("runs/pets")
    assert weights_and_source(run, source, verb="finetune") == (run, source)
    assert weights_and_source(run, run, verb="finetune") == (run, run)
    gone = Path("gone.safetensors")  # whose own sentence says that it is not there
    assert weights_and_source(gone, run, verb="finetune") == (gone, run)


@pytest.mark.parametrize("verb", ["finetune", "features"])
def test_no_source_is_a_sentence(alexnet, verb):
    said = alexnet(verb, *(("--out", "f.npz") if verb == "features" else ()))
    assert (said.code, said.out) == (2, "")
    assert f"{verb} needs SOURCE: labeled images" in said.err


@pytest.mark.parametrize("verb", ["finetune", "features", "predict"])
def test_weights_that_may_be_left_out_are_not_marked_as_required(alexnet, verb):
    shown = alexnet(verb, "--help").out
    assert f"Usage: alexnet {verb} [OPTIONS] [WEIGHTS] " in shown
    assert "* WEIGHTS" not in " ".join(shown.split())
    assert "left out: small-200" in " ".join(shown.replace("│", " ").split())


@pytest.mark.parametrize(
    "words",
    ["pack photos s3://b/p", "train photos --run-dir gs://b/run"],
)
def test_nothing_is_written_to_a_store(alexnet, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "photos", 2)
    said = alexnet(*words.split())
    assert said.code == 2
    assert "is an address, and files are written on this machine alone" in said.err
    assert [each.name for each in tmp_path.iterdir()] == ["photos"]
