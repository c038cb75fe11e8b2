"""Advice is a command to type; it is not given where it would be false."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from alexnet.evaluation import compute_metrics
from alexnet.recipe import Recipe
from alexnet.records import Epoch
from alexnet.runs import advice
from alexnet.runs.advice import command_of, final_advice, with_commands, worth_saying
from alexnet.training import Cause

RUN = Path("runs/pets")


def config_of(*command, source="my photos", start=None):
    recipe = {"lr": 0.01, "model": "alexnet"}
    return {"command": list(command), "source": source, "start": start, "recipe": recipe}


TRAIN = config_of("alexnet", "train", "my photos", "--lr", "0.01", "--epochs=40")


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (["train", "p"], "alexnet train p --lr 0.001"),
        (["train", "p", "--lr", "0.01", "--epochs", "3"], "alexnet train p --epochs 3 --lr 0.001"),
        (["train", "p", "--lr=auto"], "alexnet train p --lr 0.001"),
        (["train", "p", "--run-dir", "r"], "alexnet train p --run-dir r --lr 0.001 --restart"),
        (
            ["train", "a b", "--restart", "--run-dir=r"],
            "alexnet train 'a b' --run-dir=r --lr 0.001 --restart",
        ),
        (["finetune", "p"], "alexnet finetune p --head-lr 0.001 --backbone-lr 0.0001"),
        (
            ["finetune", "w", "p", "--head-lr", "0.01", "--backbone-lr", "0.002"],
            "alexnet finetune w p --head-lr 0.001 --backbone-lr 0.0002",
        ),
    ],
)
def test_the_command_is_the_users_own_with_the_flag_changed(command, wanted):
    assert command_of(config_of("alexnet", *command), RUN, {"--lr": "0.001"}) == wanted


def test_another_model_keeps_no_size_of_the_old_one():
    config = config_of("alexnet", "train", "p", "--image-px", "16", "--model", "mlp", "--crop-px=8")
    found = command_of(config, RUN, {"--model": "alexnet_small"})
    assert found == "alexnet train p --model alexnet_small"


def test_of_a_program_it_is_a_command_of_the_same_source_and_recipe():
    found = command_of(config_of("python", "mine.py"), RUN, {"--lr": "0.001"})
    assert shlex.split(found) == [
        *("alexnet", "train", "my photos", "--recipe", str(RUN / "run.json")),
        *("--run-dir", str(RUN), "--lr", "0.001", "--restart"),
    ]


def test_causes_become_commands_and_those_in_words_stay():
    rate = Cause("It is too high.", "--lr 0.001", {"--lr": "0.001"})
    few = Cause("Few images.", "a smaller one", {"--model": "alexnet_small"}, too_few_images=True)
    frozen = Cause("All is frozen.", "no --layer-lr with 0")
    found = [each.command for each in with_commands([rate, few, frozen], TRAIN, RUN)]
    assert found == [
        "alexnet train 'my photos' --epochs=40 --lr 0.001",
        "alexnet finetune 'my photos', or a smaller network: "
        + shlex.join([*TRAIN["command"], "--model", "alexnet_small"]),
        "no --layer-lr with 0",
    ]
    tuned = config_of("alexnet", "finetune", "my photos", start="a digest")
    assert "finetune 'my photos' --model" in with_commands([few], tuned, RUN)[0].command


class Pack:
    def __init__(self, labels):
        self.labels = np.asarray(labels)
        self.classes = ("cat", "dog")


class Job:
    """What advice needs of a job: 30 images of each class unless told otherwise."""

    def __init__(self, labels=(0, 1) * 30, **recipe):
        self.pack = Pack(labels)
        self.recipe = Recipe(**recipe)
        self.train = np.arange(len(labels))
        self.splits = {"train": self.train, "val": np.arange(20)}
        self.label_entropy = float(np.log(2))


def results_of(labels, predicted):
    return compute_metrics(np.eye(2)[predicted], np.asarray(labels), ("cat", "dog"))


def test_sixty_images_that_are_not_learned_well_are_told_of_fine_tuning():
    poor = results_of([0, 1] * 10, [0, 1, 1, 0] * 5)
    (sentence,) = final_advice(Job(), TRAIN, RUN, poor, [])
    assert sentence.startswith("60 training images (30 a class) are few")
    assert sentence.endswith("Try: alexnet finetune 'my photos'")


def test_fine_tuning_is_not_named_where_it_would_be_false_or_is_said_already():
    poor, good = results_of([0, 1] * 10, [0, 1, 1, 0] * 5), results_of([0, 1] * 10, [0, 1] * 10)
    tuned = config_of("alexnet", "finetune", "p", start="a digest")
    assert final_advice(Job(), TRAIN, RUN, good, []) == []
    assert final_advice(Job([0, 1] * 500), TRAIN, RUN, poor, []) == []
    assert final_advice(Job(), tuned, RUN, poor, []) == []
    said = ["Overfitting. Try: alexnet finetune 'my photos'"]
    assert final_advice(Job(), TRAIN, RUN, poor, said) == []


def test_a_network_that_always_names_the_largest_class_is_told_of_class_weights():
    uneven = Job([0] * 900 + [1] * 100)
    (sentence,) = final_advice(uneven, TRAIN, RUN, results_of([0] * 9 + [1], [0] * 10), [])
    assert sentence == (
        'Every held-out image was predicted to be "cat". The classes are of unequal size. Try: '
        "alexnet train 'my photos' --lr 0.01 --epochs=40 --class-weights auto"
    )
    fair = final_advice(uneven, TRAIN, RUN, results_of([0] * 9 + [1], [0] * 8 + [1, 1]), [])
    assert fair == []


def epochs_of(losses, errors, val_losses, val_errors):
    columns = zip(losses, errors, val_losses, val_errors, strict=True)
    return [
        Epoch(
            epoch=i + 1,
            step=2 * i + 2,
            lr=0.01,
            train_loss=loss,
            train_error=error,
            val_loss=val_loss,
            val_error=val_error,
            val_top5_error=0.0,
            images_per_s=1.0,
            seconds=1.0,
            best=False,
        )
        for i, (loss, error, val_loss, val_error) in enumerate(columns)
    ]


OVERFITTED = epochs_of([0.01] * 9, [0.0] * 9, [0.6] + [1.5] * 8, [0.3] * 9)
STALLED = epochs_of([0.6931] * 20, [0.5] * 20, [0.6931] * 20, [0.5] * 20)


def test_overfitting_is_mended_by_what_fits_the_set_and_the_call():
    ((about, text),) = worth_saying(Job(), TRAIN, RUN, OVERFITTED)
    assert about == "overfitting"
    assert text.endswith("Try: alexnet finetune 'my photos'")
    ((_, many),) = worth_saying(Job([0, 1] * 500, weight_decay=0.0005), TRAIN, RUN, OVERFITTED)
    assert many.endswith("--weight-decay 0.005")
    tuned = config_of("alexnet", "finetune", "p", start="a digest")
    ((_, frozen),) = worth_saying(Job(), tuned, RUN, OVERFITTED)
    assert frozen.endswith("Try: alexnet finetune p --backbone-lr 0")


def test_a_loss_that_stands_still_is_explained_by_what_is_measured(monkeypatch):
    rate = Cause("The rate 1e-07 looks too low.", "--lr 1e-05", {"--lr": "1e-05"})
    monkeypatch.setattr(advice, "diagnose", lambda job: [rate])
    ((about, text),) = worth_saying(Job(), TRAIN, RUN, STALLED)
    assert about == "stalled"
    assert "The rate 1e-07 looks too low. Try: alexnet train 'my photos' --epochs=40 --lr" in text
    monkeypatch.setattr(advice, "diagnose", lambda job: [])
    ((_, text),) = worth_saying(Job(lr=0.01), TRAIN, RUN, STALLED)
    assert "--lr 0.1\n- Or fine-tune trained weights: alexnet finetune 'my photos'" in text
    assert worth_saying(Job(loss="squared"), TRAIN, RUN, STALLED) == []


def test_a_sound_training_is_told_nothing():
    sound = epochs_of(
        [0.69 * 0.9**i for i in range(20)],
        [0.5 * 0.9**i for i in range(20)],
        [0.7 * 0.92**i for i in range(20)],
        [0.5 * 0.92**i for i in range(20)],
    )
    for count in range(21):
        assert worth_saying(Job(), TRAIN, RUN, sound[:count]) == []


def test_fine_tuning_reads_the_source_in_the_same_way():
    flags = ["--class-depth", "2", "--join-classes", "--epochs", "3", "--name-encoding=gbk"]
    config = config_of("alexnet", "train", "my photos", *flags)
    assert advice.finetune_command(config) == (
        "alexnet finetune 'my photos' --class-depth 2 --join-classes --name-encoding=gbk"
    )
