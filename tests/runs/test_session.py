"""A whole run on a handful of small images: its folder, its report, stopping and going on."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.errors import Diverged, Interrupted, RunError
from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.reporting.run.saved import load_report_data
from alexnet.runs import Job, Packing, prepare
from alexnet.runs.report_data import first_filters
from alexnet.training import Stepper, checkpoint
from alexnet.weights import load_weights
from fixtures.training import train_job

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
RECIPE = Recipe(
    model="cifar_26pct",
    image_px=16,
    crop_px=16,
    initialization="he",
    mean="channel",
    normalize=True,
    schedule="constant",
    lr=0.02,
    epochs=3,
    batch_size=8,
    val_fraction=0.25,
    flip=False,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Bright and dark images, train and test, one that is broken."""
    folder = tmp_path_factory.mktemp("images") / "day and night"
    draw = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for name, light in (("day", 150), ("night", 0)):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(light, light + 100, (20, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    (folder / "train" / "day" / "torn.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def train(images, tmp_path, monkeypatch):
    """Train a run on the images; `during` is called in each step."""
    monkeypatch.chdir(tmp_path)

    def train(run="run", recipe=RECIPE, during=lambda: None, source=images, **options):
        def make() -> Job:
            packing = Packing(cache="none")
            job = prepare(open_source(source), recipe, device=DEVICE, packing=packing)
            batches = job.training.batches

            def watched(epoch: int, start: int):
                for batch in batches(epoch, start):
                    during()
                    yield batch

            job.training.batches = watched
            return job

        folder = None if run is None else tmp_path / run
        return train_job(make, source, folder, **options)

    return train


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """A run that came to its end, and what was said of it."""
    run = tmp_path_factory.mktemp("whole") / "run"

    def make() -> Job:
        packing = Packing(cache="none")
        return prepare(open_source(images), RECIPE, device=DEVICE, packing=packing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/somewhere/bin/alexnet", "train", "day and night"])
        return train_job(make, images, run)


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything_that_its_folder_promises(whole):
    run = Path(whole.run_dir)
    kept = {path.name for path in run.iterdir()} - {"lock"}
    assert kept == {
        *("run.json", "journal.jsonl", "weights.safetensors", "checkpoints", "split.csv"),
        *("skipped.csv", "results.json", "report"),
    }
    events = [line["event"] for line in lines(run)]
    assert events == ["begin", "epoch", "epoch", "epoch", "end"]
    assert lines(run)[0]["form"] == "the step operator by operator (only GPUs have graphs)"
    assert json.loads((run / "run.json").read_text())["command"][0] == "alexnet"
    assert "torn.png" in (run / "skipped.csv").read_text()


def test_the_journal_says_when_a_step_is_no_graph_any_more(images, tmp_path):
    def refuse(function):
        raise RuntimeError("operation not permitted when stream is capturing")

    def make() -> Job:
        job = prepare(open_source(images), RECIPE, device=DEVICE, packing=Packing(cache="none"))
        plain = job.training.stepper
        job.training.stepper = Stepper(job.network, plain.loss, plain.optimizer, refuse)
        return job

    train_job(make, images, tmp_path / "run", measured=False)
    found = lines(tmp_path / "run")
    events = [line["event"] for line in found]
    assert events == ["begin", "form", "epoch", "epoch", "epoch", "end"]
    assert found[0]["form"] == "the step as one CUDA graph"
    assert found[1]["form"].startswith("the step operator by operator (capturing it failed: oper")


def test_the_report_of_a_run_is_its_results_twice(whole):
    assert (whole.split, whole.epochs, whole.skipped) == ("test", 3, 1)
    assert not whole.already_finished
    assert whole.results.images == 16
    run = Path(whole.run_dir)
    assert whole.results.to_json() == json.loads((run / "results.json").read_text())["results"]
    assert load_weights(run).results == whole.results.to_json()
    assert whole.report == str(run / "report" / "index.html")


def test_the_page_is_drawn_from_what_happened(whole):
    data, _ = load_report_data(Path(whole.run_dir) / "report")
    assert data.title == "day and night"
    assert data.command == "alexnet train 'day and night'"
    assert data.results == whole.results
    assert (data.split, list(data.classes)) == ("test", ["day", "night"])
    assert data.split_sizes == {"train": 36, "val": 12, "test": 16}
    assert [each.epoch for each in data.epochs] == [1, 2, 3]
    assert [name for name, _ in data.skipped] == ["train/day/torn.png"]
    assert data.facts["images"] == "36 to train on, 64 in all"
    assert data.facts["machine"] == "a machine, 1 thread"
    assert data.facts["precision"] == "fp32 (as asked)"
    assert {"torch", "python", "alexnet", "training time"} <= data.facts.keys()
    assert data.recipe == RECIPE.to_json()
    assert "16 pixels" in data.preprocessing["resize"]
    assert data.notes == []


def test_each_prediction_belongs_to_its_image(whole, images):
    data, thumbnails = load_report_data(Path(whole.run_dir) / "report")
    assert len(thumbnails.encoded) > 8
    for item in thumbnails.encoded:
        path = data.paths[item]
        assert path.split("/")[:2] == ["test", data.classes[data.labels[item]]]
        with Image.open(images / path) as image:
            there = np.asarray(image.crop((0, 2, 16, 18)), dtype=float)
        assert np.abs(thumbnails.image(item) - there).mean() < 12


def test_the_filters_are_those_of_the_weights(whole):
    data, _ = load_report_data(Path(whole.run_dir) / "report")
    state = load_weights(whole.run_dir).state
    np.testing.assert_array_equal(data.filters, state["conv1.weight"].numpy())


def test_a_finished_run_is_not_trained_again(whole, train, tmp_path, caplog):
    shutil.copytree(whole.run_dir, tmp_path / "run")
    before = lines(tmp_path / "run")
    with caplog.at_level(logging.INFO):
        again = train()
    assert again.already_finished
    assert again.results == whole.results
    assert lines(tmp_path / "run") == before
    assert "is finished. To train again, name another folder, or start again with" in caplog.text


def test_stopped_in_an_epoch_it_goes_on_and_ends_the_same(whole, train, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.runs.results.write_report", lambda *_, **__: None)
    with pytest.raises(
        Interrupted, match=r"Stopped by SIGTERM after step 1\. The same command continues the run\."
    ):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert [line["event"] for line in lines(tmp_path / "run")] == ["begin", "stopped"]
    assert not (tmp_path / "run" / "results.json").exists()
    report = train()
    assert report.continued
    assert report.results == whole.results
    one, other = load_weights(whole.run_dir), load_weights(report.run_dir)
    assert all((one.state[name] == other.state[name]).all() for name in one.state)


def test_a_signal_ends_the_preparation_at_once(images, tmp_path):
    def make():
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("goes on")

    words = r"Stopped by Ctrl-C\. No step was made; the same command goes on\."
    with pytest.raises(Interrupted, match=words):
        train_job(make, images, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_signal_ends_the_measuring_at_once_and_it_is_done_again(
    whole, train, tmp_path, monkeypatch
):
    monkeypatch.setattr("alexnet.runs.results.write_report", lambda *_, **__: None)
    with monkeypatch.context() as patched:
        patched.setattr(
            "alexnet.runs.results.write_report",
            lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM),
        )
        with pytest.raises(Interrupted, match="Stopped by SIGTERM. The same command continues"):
            train()
    assert lines(tmp_path / "run")[-1]["event"] == "end"
    report = train()
    assert report.results == whole.results
    assert [line["event"] for line in lines(tmp_path / "run")] == [
        *("begin", "epoch", "epoch", "epoch", "begin", "end"),
    ]
    names = ("weights.safetensors", "split.csv")
    assert all(
        (tmp_path / "run" / n).read_bytes() == Path(whole.run_dir, n).read_bytes() for n in names
    )


def test_restart_begins_again_and_keeps_the_old_run(whole, train, tmp_path):
    shutil.copytree(whole.run_dir, tmp_path / "run")
    other = dataclasses.replace(RECIPE, lr=0.5, epochs=1)
    with pytest.raises(Interrupted):
        train(recipe=other, during=lambda: os.kill(os.getpid(), signal.SIGTERM), restart=True)
    aside = tmp_path / "run.before-1"
    assert (aside / "results.json").read_bytes() == Path(whole.run_dir, "results.json").read_bytes()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["lr"] == 0.5


def test_without_a_folder_restart_takes_a_new_one(train, images, monkeypatch):
    monkeypatch.setattr("alexnet.runs.results.write_report", lambda *_, **__: None)
    short = dataclasses.replace(RECIPE, epochs=1)
    first = train(run=None, recipe=short, source=images / "train")
    other = train(run=None, recipe=short, source=images / "train", restart=True)
    assert other.run_dir == f"{first.run_dir}-2"
    assert not other.continued


def test_how_large_a_checkpoint_is_and_what_saving_took_are_said(train, tmp_path, caplog):
    with caplog.at_level(logging.INFO), pytest.raises(Interrupted):
        steps = iter(range(100))
        train(
            during=lambda: next(steps) == 9 and os.kill(os.getpid(), signal.SIGTERM),
            save_every="1 step",
        )
    assert re.search(r"A checkpoint takes \S+ kB, written beside the training in", caplog.text)
    assert len(list((tmp_path / "run" / "checkpoints").glob("step-*"))) == 2


def test_a_full_disk_ends_the_run_with_a_sentence_and_it_goes_on_later(
    whole, train, tmp_path, monkeypatch
):
    monkeypatch.setattr("alexnet.runs.results.write_report", lambda *_, **__: None)
    write, calls = checkpoint.replace_file, iter(range(100))

    def full(path, content):
        if next(calls) == 2:
            raise RunError(f"Could not write {path}: the disk is full.")
        write(path, content)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "replace_file", full)
        with pytest.raises(RunError, match="step-00000000.*the disk is full"):
            train(save_every="2 steps")
    report = train()
    assert report.continued
    weights = "weights.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == Path(whole.run_dir, weights).read_bytes()


def test_a_run_keeps_to_what_it_began_with_and_says_where_it_cannot(train, tmp_path, caplog):
    with pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    file = tmp_path / "run" / "run.json"
    config = json.loads(file.read_text())
    config["versions"]["torch"] = "1.0"
    config["device"]["precision"] = "bf16"
    file.write_text(json.dumps(config))
    with caplog.at_level(logging.INFO), pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert lines(tmp_path / "run")[-2]["device"]["precision"] == "bf16"
    assert "This run began otherwise (torch: 1.0 then, " in caplog.text


def test_without_a_folder_the_same_config_finds_its_run(train, images, tmp_path, monkeypatch):
    monkeypatch.setattr("alexnet.runs.results.write_report", lambda *_, **__: None)
    short = dataclasses.replace(RECIPE, epochs=1)
    first = train(run=None, recipe=short, source=images / "train")
    assert Path(first.run_dir).parent == Path("runs")
    assert first.run_dir.endswith("-train-cifar_26pct")
    again = train(run=None, recipe=short, source=images / "train")
    assert (again.run_dir, again.already_finished) == (first.run_dir, True)


def test_the_page_warns_where_the_figure_also_chose_the_epoch(train, images, tmp_path, monkeypatch):
    report = train(recipe=dataclasses.replace(RECIPE, epochs=1), source=images / "train")
    assert report.split == "val"
    data, _ = load_report_data(tmp_path / "run" / "report")
    assert data.notes[0].startswith("These validation images also chose the best epoch")


def test_the_folder_of_another_config_is_an_error(whole, train, tmp_path):
    shutil.copytree(whole.run_dir, tmp_path / "run")
    other = dataclasses.replace(RECIPE, lr=0.5)
    with pytest.raises(RunError, match=r"holds another run\. It differs in lr: 0\.02 then, 0\.5"):
        train(recipe=other)


def test_a_loss_that_is_not_finite_names_a_lower_rate(train, tmp_path):
    wild = dataclasses.replace(RECIPE, lr=1e30)
    with pytest.raises(
        Diverged, match=r"no longer finite.*: alexnet train '.* night' .*--lr 1e\+29 --restart$"
    ):
        train(recipe=wild)
    last = lines(tmp_path / "run")[-1]
    assert last["event"] == "diverged"
    assert "The rate is the likeliest cause." in last["sentence"]


def test_from_python_the_command_is_the_program_that_called(train, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study.py"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "study.py", "--fast"])
    with pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    config = json.loads((tmp_path / "run" / "run.json").read_text())
    assert config["command"] == ["python", "study.py", "--fast"]


@pytest.mark.parametrize("gray", [False, True])
def test_filters_are_turned_to_red_green_blue_and_added_up_for_gray_images(gray):
    network = build_model("cifar_26pct", classes=2)
    weight = network.get_submodule("conv1").get_parameter("weight").detach().numpy()
    found, _ = first_filters(network, "RGB", gray=gray)
    turned, _ = first_filters(network, "BGR", gray=gray)
    if gray:
        np.testing.assert_allclose(found, weight.sum(axis=1, keepdims=True).repeat(3, 1))
    else:
        np.testing.assert_array_equal(found, weight)
        np.testing.assert_array_equal(turned, weight[:, ::-1])


def test_a_network_without_convolutions_says_so():
    found, why = first_filters(build_model("mlp", classes=2), "RGB", gray=False)
    assert found is None
    assert why == "The first layer of mlp, flatten, is not a convolution."
