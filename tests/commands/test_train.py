from __future__ import annotations

import json
import shlex

import pytest

from alexnet import evaluate, load_weights

SETTINGS = shlex.split(
    "--cache none --precision fp32 --threads 1 --model mlp --image-px 16 --crop-px 16 "
    "--batch-size 4 --activation relu --lr 0.01 --schedule constant --val-fraction 0.25 --epochs"
)


def test_the_same_call_again_says_that_the_run_is_finished(alexnet, trained):
    said = alexnet("train", trained.images, "--run-dir", trained.run, *SETTINGS, 2, "--json")
    report = json.loads(said.out)
    assert said.code == 0
    assert (report["already_finished"], report["epochs"], report["split"]) == (True, 2, "val")
    assert report["results"]["images"] == 4
    assert f"The run in {trained.run} is finished." in said.err


def test_a_run_of_other_settings_is_not_continued(alexnet, trained):
    said = alexnet("train", trained.images, "--run-dir", trained.run, *SETTINGS, 3)
    assert (said.code, said.out) == (2, "")
    assert "holds another run. It differs in epochs: 2 then, 3 now." in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--recipe", "papr"], 'There is no recipe "papr". Did you mean "paper"?'),
        (["--model", "alexnte"], 'There is no model "alexnte". Did you mean "alexnet"'),
        (["--lr", "-1"], "lr must be a number above 0; got -1.0."),
        (["--milestones", "9", "8"], "milestones must be rising epochs; got (9, 8)."),
        (["--layer-lr", "conv1"], "layer_lr holds 'conv1', which is not LAYER=NUMBER"),
        (["--threads", "0"], "threads must be at least 1; got 0."),
        (["--unreadable", "fail", "--quarantine", "q"], "nothing goes to a quarantine."),
    ],
)
def test_settings_that_cannot_work_are_sentences(alexnet, trained, words, sentence, tmp_path):
    said = alexnet("train", trained.images, "--run-dir", tmp_path / "run", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines()[-1].startswith("error: ")
    assert sentence in said.err
    assert not (tmp_path / "run").exists()


def test_a_source_that_is_not_there_is_a_sentence(alexnet, trained, tmp_path):
    said = alexnet("train", trained.images.with_name("photo"), "--run-dir", tmp_path / "run")
    assert said.code == 2
    assert 'photo. Did you mean "photos"?' in said.err


def test_finetuning_keeps_preprocessing_and_frozen_layers(alexnet, trained, tmp_path):
    words = (
        "--backbone-lr",
        0,
        "--epochs",
        1,
        "--batch-size",
        4,
        "--cache",
        "none",
        "--threads",
        1,
    )
    run = tmp_path / "run"
    said = alexnet("finetune", trained.run, trained.images, "--run-dir", run, *words, "--json")
    assert said.code == 0, said.err
    before, after = load_weights(trained.run), load_weights(run)
    assert after.preprocessing.to_json() == before.preprocessing.to_json()
    assert (after.state["fc1.weight"] == before.state["fc1.weight"]).all()
    assert (after.state["fc3.weight"] != before.state["fc3.weight"]).any()


@pytest.fixture
def padded(alexnet, trained, tmp_path):
    """Weights whose preprocessing pads, on images that are not square."""
    words = ["--run-dir", tmp_path / "padded", *SETTINGS, 1, "--resize-mode", "pad"]
    assert alexnet("train", trained.images, *words).code == 0
    return tmp_path / "padded"


FINE = ("--epochs", 1, "--batch-size", 4, "--cache", "none", "--threads", 1, "--precision", "fp32")


def test_finetuning_sees_images_as_the_weights_do(alexnet, padded, trained, tmp_path):
    run = tmp_path / "run"
    said = alexnet("finetune", padded, trained.images, "--run-dir", run, *FINE, "--json")
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    measured = [line for line in lines if line["event"] in ("fitted", "epoch")]
    best = [line for line in measured if line.get("best", True)][
        -1
    ]  # perhaps the fitted layer alone
    found = evaluate(run, trained.images)
    calibration = json.loads((run / "results.json").read_text())["calibration"]
    losses = calibration["loss_before"], calibration["loss_after"]
    assert (*losses, found.top1) == (best["val_loss"], found.loss, 1 - best["val_error"])
    assert json.loads((run / "run.json").read_text())["recipe"]["resize_mode"] == "pad"
    assert load_weights(run).preprocessing.resize_mode == "pad"


def test_finetuning_from_other_weights_is_another_run(alexnet, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    words = [*SETTINGS, 2, "--seed", 1]
    assert alexnet("train", trained.images, "--run-dir", other, *words).code == 0
    first, second = (
        json.loads(alexnet("finetune", start, trained.images, *FINE, "--json").out)
        for start in (trained.run, other)
    )
    assert first["run_dir"] != second["run_dir"]
    assert not second["already_finished"]
    said = alexnet("finetune", other, trained.images, "--run-dir", first["run_dir"], *FINE)
    assert said.code == 2
    assert "holds another run. It differs in start: " in said.err


def test_what_comes_with_the_weights_cannot_be_chosen_again(alexnet, trained):
    said = alexnet("finetune", trained.run, trained.images, "--resize-mode", "pad")
    assert said.code == 2
    assert said.err.startswith(
        "error: resize_mode cannot be chosen here: fine-tuning keeps the network"
    )


def test_rates_of_finetuning_have_ranges(alexnet, trained):
    said = alexnet("finetune", trained.run, trained.images, "--head-lr", 0)
    assert said.code == 2
    assert "head_lr must be above 0 and backbone_lr at least 0; got 0.0, 0.001." in said.err
