"""Fine-tuning beside its baselines: one table, the same images, a second call reads it back."""

from __future__ import annotations

import json

import pytest

from alexnet import evaluate, finetune, load_weights
from alexnet.records import FinetuneReport

WORDS = ("--epochs", 2, "--batch-size", 4, "--cache", "none", "--threads", 1, "--precision", "fp32")


CLASSIC = ("color histogram and forest", "HOG and color, SVM")


@pytest.fixture
def quick(monkeypatch):
    """A training from scratch of two epochs."""
    from dataclasses import replace

    from alexnet.runs import baselines

    own = baselines.scratch_recipe
    monkeypatch.setattr(
        baselines, "scratch_recipe", lambda start, tuned: replace(own(start, tuned), epochs=2)
    )


def test_baselines_are_measured_on_the_same_images(alexnet, trained, tmp_path, quick):
    pytest.importorskip("sklearn", reason="heads need scikit-learn")
    run = tmp_path / "run"
    words = (trained.run, trained.images, "--run-dir", run, *WORDS, "--val-fraction", 0.25)
    said = alexnet("finetune", *words, "--compare", "--crops", 10)
    assert said.code == 0, said.err
    for name in (*CLASSIC, "from scratch", "features and logistic", "fine-tuned"):
        assert f"\n{name} " in said.out
    assert "the same 4 val images, mean of 10 crops" in said.out
    assert "were chosen on these images" in " ".join(said.out.split())
    again = alexnet("finetune", *words, "--compare", "--crops", 10, "--json")
    report = json.loads(again.out)
    assert report["already_finished"]
    assert "from scratch" not in again.err  # read back
    found = {each["name"]: each for each in report["baselines"]}
    for name, each in found.items():
        crops = 1 if name in CLASSIC else 10
        assert (each["results"]["images"], each["results"]["crops"]) == (4, crops)
        if name in CLASSIC:
            assert each["weights"] is None
            continue
        assert load_weights(each["weights"]).classes == ("ant", "bee")
    own = evaluate(run, trained.images, crops=10)
    assert own.to_json() == found["fine-tuned"]["results"]
    page = (run / "report" / "index.html").read_text()
    assert "features and logistic" in page
    saved = json.loads((run / "baselines.json").read_text())
    assert saved["baselines"] == report["baselines"]
    other = json.loads(alexnet("finetune", *words, "--compare", "--json").out)
    assert {each["results"]["crops"] for each in other["baselines"]} == {1}


def test_nothing_held_out_is_nothing_to_compare_on(alexnet, trained, tmp_path):
    words = ("--run-dir", tmp_path / "run", *WORDS, "--val-fraction", 0, "--compare")
    said = alexnet("finetune", trained.run, trained.images, *words)
    assert said.code == 2
    assert "Nothing is held out, so there is nothing to compare on" in said.err
    assert not (tmp_path / "run").exists()


def test_from_scratch_that_stalls_is_a_row_with_a_remark(alexnet, trained, tmp_path, monkeypatch):
    pytest.importorskip("sklearn", reason="heads need scikit-learn")
    from alexnet.errors import Diverged
    from alexnet.runs import baselines

    def stalled(*_):
        raise Diverged("The loss stays at 0.69. Its rate is too low. Try more.")

    monkeypatch.setattr(baselines, "fit", stalled)
    words = ("--run-dir", tmp_path / "run", *WORDS, "--val-fraction", 0.25, "--compare")
    said = alexnet("finetune", trained.run, trained.images, *words)
    assert said.code == 0, said.err
    assert "from scratch: The loss stays at 0.69." in said.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--freeze", "fc9"], 'freeze names the layer "fc9", which has no weights here.'),
        (["--freeze", "fc3"], "fc3 cannot be frozen: it is the new last layer"),
        (["--head-epochs", "2"], "leave some of 2 epochs for the other layers; got 2."),
        (["--backbone-lr", "-1"], "backbone_lr at least 0; got 0.01, -1.0."),
        (
            ["--lr", "0.1"],
            "lr is two rates here: --head-lr of the new last layer and --backbone-lr",
        ),
        (["--crops", "10"], "crops is for --compare."),
    ],
)
def test_mistakes_are_sentences(alexnet, trained, tmp_path, words, sentence):
    more = ("--run-dir", tmp_path / "run", *WORDS, *words)
    said = alexnet("finetune", trained.run, trained.images, *more)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert not (tmp_path / "run").exists()


def test_frozen_layers_keep_their_bits(trained, tmp_path):
    report = finetune(
        trained.run, trained.images, run_dir=tmp_path / "run", freeze=("fc1",), backbone_lr=0.01,
        epochs=2, batch_size=4, cache="none", threads=1, precision="fp32",
    )  # fmt: skip
    assert isinstance(report, FinetuneReport)
    assert report.baselines == []
    before, after = load_weights(trained.run).state, load_weights(report.weights).state
    assert (before["fc1.weight"] == after["fc1.weight"]).all()
    assert (before["fc2.weight"] != after["fc2.weight"]).any()


def test_bundled_weights_are_not_downloaded(alexnet):
    said = alexnet("weights", "get", "small-200")
    assert (said.code, said.out) == (2, "")
    assert 'The weights "small-200" come with the package: there is nothing to get.' in said.err


def test_an_image_that_is_not_there_is_not_taken_for_weights(alexnet, tmp_path):
    said = alexnet("predict", tmp_path / "photo.jpg")
    assert (said.code, said.out) == (2, "")
    assert "photo.jpg is not there. Look at the name of the image." in said.err
