from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from alexnet import (
    Preprocessing,
    Weights,
    build_model,
    evaluate,
    load_weights,
    predict,
    save_weights,
)
from alexnet.commands.arguments import weights_and_images
from alexnet.errors import RecipeError, SourceError, WeightsError
from alexnet.weights import DEFAULT_WEIGHTS


def test_rows_come_in_the_order_given(trained):
    names = ["bee/3.png", "ant/1.png", "bee/0.png"]
    found = predict(trained.run, *[trained.images / name for name in names])
    assert [row.path for row in found.predictions] == [str(trained.images / n) for n in names]
    for row in found.predictions:
        assert sorted(row.classes) == ["ant", "bee"]
        assert row.probabilities == sorted(row.probabilities, reverse=True)
        assert sum(row.probabilities) == pytest.approx(1)


def test_a_folder_is_every_image_in_it(trained):
    found = predict(trained.run, trained.images, top=1, batch_size=3)
    assert len(found.predictions) == 16
    right = sum(row.path.split("/")[-2] == row.classes[0] for row in found.predictions)
    assert right / 16 == evaluate(trained.run, trained.images, split="all").top1


def test_what_cannot_be_read_is_a_row_and_the_rest_go_on(alexnet, trained, tmp_path):
    (tmp_path / "notes.jpg").write_text("no image")
    image = trained.images / "ant" / "0.png"
    missing = tmp_path / "gone.png"
    said = alexnet("predict", trained.run, missing, image, tmp_path / "notes.jpg", "--json")
    rows = json.loads(said.out)["predictions"]
    assert (said.code, said.err) == (0, "")
    assert [row["path"] for row in rows] == [str(missing), str(image), f"{tmp_path}/notes.jpg"]
    assert [bool(row["classes"]) for row in rows] == [False, True, False]
    assert rows[0]["error"] == "there is no such file or folder"
    assert "it is a text and no image" in rows[2]["error"]


def test_nothing_readable_is_an_error(alexnet, trained, tmp_path):
    said = alexnet("predict", trained.run, tmp_path / "a.png")
    assert said.code == 2
    assert said.err == (
        f"error: {tmp_path}/a.png cannot be read: there is no such file or folder. Name images, "
        "or folders or archives of images.\n"
    )
    with pytest.raises(SourceError, match=r"Not one of 2 images can be read\. The first, .*a\.p"):
        predict(trained.run, tmp_path / "a.png", tmp_path / "b.png")


def test_standard_input_is_an_image(alexnet, trained, monkeypatch):
    data = (trained.images / "bee" / "0.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    (row,) = json.loads(alexnet("predict", trained.run, "-", "--json").out)["predictions"]
    named = predict(trained.run, trained.images / "bee" / "0.png").predictions[0]
    assert (row["path"], row["probabilities"]) == ("-", named.probabilities)


def test_an_archive_is_every_image_in_it(trained, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", trained.images)
    found = predict(trained.run, archive).predictions
    folder = predict(trained.run, trained.images).predictions
    assert [row.path for row in found[:2]] == [f"{archive}/ant/0.png", f"{archive}/ant/1.png"]
    assert [row.probabilities for row in found] == [row.probabilities for row in folder]


def test_uncertain_predictions_can_be_rejected(alexnet, trained):
    image = trained.images / "ant" / "0.png"
    assert predict(trained.run, image, reject_below=1.0).predictions[0].rejected
    assert not predict(trained.run, image, reject_below=0.0).predictions[0].rejected
    assert "none of these" in alexnet("predict", trained.run, image, "--reject-below", "1").out


def test_the_same_rows_can_be_a_table(alexnet, trained, tmp_path):
    place = tmp_path / "answers.csv"
    words = (trained.images / "ant" / "0.png", tmp_path / "gone.png", "--csv", place)
    said = alexnet("predict", trained.run, *words)
    assert said.out.endswith(f"Written to {place}.\n")
    with place.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["prediction"] == first["class_1"]
    assert float(first["probability_1"]) + float(first["probability_2"]) == pytest.approx(1)
    assert (second["prediction"], second["error"]) == ("", "there is no such file or folder")


def test_a_dash_writes_the_rows_to_standard_output_and_nothing_else(
    alexnet, trained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    words = (trained.images / "ant" / "0.png", tmp_path / "gone.png", "--csv")
    piped = alexnet("predict", trained.run, *words, "-")
    alexnet("predict", trained.run, *words, "file.csv")
    with (tmp_path / "file.csv").open(newline="") as file:
        assert (piped.code, piped.out, piped.err) == (0, file.read(), "")
    assert [each.name for each in tmp_path.iterdir()] == ["file.csv"]


def test_rows_and_json_cannot_both_have_standard_output(alexnet, trained):
    said = alexnet("predict", trained.run, trained.images, "--csv", "-", "--json")
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "error: --json and --csv - both write to standard output. Leave one of them out, or name "
        "a file after --csv.\n"
    )


def test_the_table_does_not_replace_what_is_no_file(alexnet, trained, tmp_path):
    said = alexnet("predict", trained.run, trained.images, "--csv", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        f"error: {tmp_path} is no file that could be replaced. Name another file.\n"
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"top": 0}, r"top must be at least 1 class; got 0\."),
        ({"reject_below": 1.5}, r"reject_below is a probability between 0 and 1; got 1\.5\."),
        ({"batch_size": 0}, r"batch_size must be at least 1 image; got 0\."),
    ],
)
def test_options_out_of_range_are_an_error(trained, changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        predict(trained.run, trained.images, **changes)


def test_there_must_be_images(alexnet, trained):
    said = alexnet("predict", trained.run)
    assert said.code == 2
    assert said.err.startswith("error: predict needs images: name files, folders or archives")


def test_a_few_images_need_neither_numba_nor_first_weights(trained, tmp_path):
    """Both take longer to be there than the answer."""
    net = build_model("cifar_18pct", classes=2)
    weights = Weights(
        model="cifar_18pct",
        arguments=net.arguments,
        state=net.state_dict(),
        classes=("ant", "bee"),
        preprocessing=Preprocessing(image_px=net.image_px, crop_px=net.crop_px),
    )
    save_weights(tmp_path / "a.safetensors", weights)
    text = (
        "import sys; from alexnet.cli.main import main; code = main(sys.argv[1:]);"
        "print(code, sorted({'numba', 'sympy'} & set(sys.modules)), file=sys.stderr)"
    )
    words = ["predict", tmp_path / "a.safetensors", trained.images / "ant" / "0.png", "--quiet"]
    done = subprocess.run(
        [sys.executable, "-c", text, *map(str, words)], capture_output=True, text=True, timeout=300
    )
    assert done.stderr == "0 []\n"


def test_four_threads_may_predict_at_once(trained):
    photo = trained.images / "ant/0.png"
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: predict(trained.run, photo), range(40)))
    assert len({tuple(each.predictions[0].probabilities) for each in results}) == 1


def test_weights_that_give_no_number_are_named_not_the_images(alexnet, trained, tmp_path):
    weights = load_weights(trained.run)
    for tensor in weights.state.values():
        tensor.fill_(float("nan"))
    save_weights(tmp_path / "nan.safetensors", weights)
    said = alexnet("predict", tmp_path / "nan.safetensors", trained.images)
    assert (said.code, said.out) == (2, "")
    assert "nan.safetensors is no number for any of 16 images" in said.err.replace("\n", " ")


def test_a_model_of_another_program_is_never_taken_for_an_image(trained, tmp_path):
    (tmp_path / "net.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    with pytest.raises(WeightsError, match=r"net\.h5 is an HDF5 file"):
        predict(tmp_path / "net.h5", trained.images)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_one_word_that_is_a_pipe_is_an_image(tmp_path):
    os.mkfifo(tmp_path / "image")
    assert weights_and_images(tmp_path / "image", ()) == (
        Path(DEFAULT_WEIGHTS),
        [tmp_path / "image"],
    )
