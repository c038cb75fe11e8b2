"""A whole run on a handful of small pictures: its folder, its report, stopping and going on."""

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
from alexnet.reporting.run.saved import load_evidence
from alexnet.runs.evidence import first_filters
from alexnet.runs.job import Job, Packing, prepare
from alexnet.runs.session import Manner, conduct
from alexnet.training import Stepper, checkpoint
from alexnet.weights import load_weights

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
RECIPE = Recipe(
    model="cifar_26pct",
    image_px=16,
    crop_px=16,
    initialisation="he",
    mean="channel",
    standardise=True,
    schedule="constant",
    lr=0.02,
    epochs=3,
    batch=8,
    val_fraction=0.25,
    flip=False,
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Bright and dark pictures, train and test, one that is broken."""
    folder = tmp_path_factory.mktemp("pictures") / "day and night"
    draw = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 8)):
        for name, light in (("day", 150), ("night", 0)):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = draw.integers(light, light + 100, (20, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    (folder / "train" / "day" / "torn.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def train(pictures, tmp_path, monkeypatch):
    """Conduct a run on the pictures; `during` is called in each step."""
    monkeypatch.chdir(tmp_path)

    def train(run="run", recipe=RECIPE, during=lambda: None, source=pictures, **options):
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
        return conduct(make, source, folder, **options)

    return train


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """A run that came to its end, and what was said of it."""
    run = tmp_path_factory.mktemp("whole") / "run"

    def make() -> Job:
        packing = Packing(cache="none")
        return prepare(open_source(pictures), RECIPE, device=DEVICE, packing=packing)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        patch.setattr(sys, "argv", ["/somewhere/bin/alexnet", "train", "day and night"])
        return conduct(make, pictures, run)


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything_that_its_folder_promises(whole):
    run = Path(whole.run)
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


def test_the_journal_says_when_a_step_is_no_graph_any_more(pictures, tmp_path):
    def refuse(function):
        raise RuntimeError("operation not permitted when stream is capturing")

    def make() -> Job:
        job = prepare(open_source(pictures), RECIPE, device=DEVICE, packing=Packing(cache="none"))
        own = job.training
        own.stepper = Stepper(job.network, own.objective, own.optimiser, refuse)
        return job

    conduct(make, pictures, tmp_path / "run", manner=Manner(measured=False))
    found = lines(tmp_path / "run")
    events = [line["event"] for line in found]
    assert events == ["begin", "form", "epoch", "epoch", "epoch", "end"]
    assert found[0]["form"] == "the step as one CUDA graph"
    assert found[1]["form"].startswith("the step operator by operator (capturing it failed: oper")


def test_the_report_of_a_run_is_its_results_twice(whole):
    assert (whole.split, whole.epochs, whole.skipped) == ("test", 3, 1)
    assert not whole.already_finished
    assert whole.results.images == 16
    run = Path(whole.run)
    assert whole.results.to_json() == json.loads((run / "results.json").read_text())["results"]
    assert load_weights(run).results == whole.results.to_json()
    assert whole.report == str(run / "report" / "index.html")


def test_the_page_is_drawn_from_what_happened(whole):
    evidence, _ = load_evidence(Path(whole.run) / "report")
    assert evidence.title == "day and night"
    assert evidence.command == "alexnet train 'day and night'"
    assert evidence.results == whole.results
    assert (evidence.split, list(evidence.classes)) == ("test", ["day", "night"])
    assert evidence.split_sizes == {"train": 36, "val": 12, "test": 16}
    assert [each.epoch for each in evidence.epochs] == [1, 2, 3]
    assert [name for name, _ in evidence.skipped] == ["train/day/torn.png"]
    assert evidence.facts["pictures"] == "36 to learn from, 64 in all"
    assert evidence.facts["machine"] == "a machine, 1 thread"
    assert evidence.facts["precision"] == "fp32 (as asked)"
    assert {"torch", "python", "alexnet", "training time"} <= evidence.facts.keys()
    assert evidence.recipe == RECIPE.to_json()
    assert "16 pixels" in evidence.preprocessing["made square"]
    assert evidence.notes == []


def test_each_answer_belongs_to_its_picture(whole, pictures):
    evidence, album = load_evidence(Path(whole.run) / "report")
    assert len(album.encoded) > 8
    for item in album.encoded:
        path = evidence.paths[item]
        assert path.split("/")[:2] == ["test", evidence.classes[evidence.labels[item]]]
        with Image.open(pictures / path) as image:
            there = np.asarray(image.crop((0, 2, 16, 18)), dtype=float)
        assert np.abs(album.picture(item) - there).mean() < 12


def test_the_filters_are_those_of_the_weights(whole):
    evidence, _ = load_evidence(Path(whole.run) / "report")
    state = load_weights(whole.run).state
    np.testing.assert_array_equal(evidence.filters, state["conv1.weight"].numpy())


def test_a_finished_run_is_not_trained_again(whole, train, tmp_path, caplog):
    shutil.copytree(whole.run, tmp_path / "run")
    before = lines(tmp_path / "run")
    with caplog.at_level(logging.INFO):
        again = train()
    assert again.already_finished
    assert again.results == whole.results
    assert lines(tmp_path / "run") == before
    assert "is finished. To train again, name another folder, or start anew with" in caplog.text


def test_stopped_in_an_epoch_it_goes_on_and_ends_the_same(whole, train, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        Interrupted, match=r"Stopped by SIGTERM after step 1\. The same command continues the run\."
    ):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert [line["event"] for line in lines(tmp_path / "run")] == ["begin", "stopped"]
    assert not (tmp_path / "run" / "results.json").exists()
    report = train()
    assert report.continued
    assert report.results == whole.results
    one, other = load_weights(whole.run), load_weights(report.run)
    assert all((one.state[name] == other.state[name]).all() for name in one.state)


def test_a_signal_ends_the_preparation_at_once(pictures, tmp_path):
    def make():
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("goes on")

    words = r"Stopped by Ctrl-C\. No step was made; the same command goes on\."
    with pytest.raises(Interrupted, match=words):
        conduct(make, pictures, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_signal_ends_the_measuring_at_once_and_it_is_done_again(
    whole, train, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with monkeypatch.context() as patched:
        patched.setattr(
            "alexnet.runs.session.write_report", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
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
        (tmp_path / "run" / n).read_bytes() == Path(whole.run, n).read_bytes() for n in names
    )


def test_anew_begins_again_and_keeps_the_old_run(whole, train, tmp_path):
    shutil.copytree(whole.run, tmp_path / "run")
    other = dataclasses.replace(RECIPE, lr=0.5, epochs=1)
    with pytest.raises(Interrupted):
        train(recipe=other, during=lambda: os.kill(os.getpid(), signal.SIGTERM), anew=True)
    aside = tmp_path / "run.before-1"
    assert (aside / "results.json").read_bytes() == Path(whole.run, "results.json").read_bytes()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"]["lr"] == 0.5


def test_without_a_folder_anew_takes_a_new_one(train, pictures, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    short = dataclasses.replace(RECIPE, epochs=1)
    first = train(run=None, recipe=short, source=pictures / "train")
    other = train(run=None, recipe=short, source=pictures / "train", anew=True)
    assert other.run == f"{first.run}-2"
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
    monkeypatch.setitem(sys.modules, "matplotlib", None)
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
    assert (tmp_path / "run" / weights).read_bytes() == Path(whole.run, weights).read_bytes()


def test_a_run_keeps_to_what_it_began_with_and_says_where_it_cannot(train, tmp_path, caplog):
    with pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    kept = tmp_path / "run" / "run.json"
    asked = json.loads(kept.read_text())
    asked["versions"]["torch"] = "1.0"
    asked["device"]["precision"] = "bf16"
    kept.write_text(json.dumps(asked))
    with caplog.at_level(logging.INFO), pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert lines(tmp_path / "run")[-2]["device"]["precision"] == "bf16"
    assert "This run began otherwise (torch: 1.0 then, " in caplog.text


def test_without_a_folder_the_same_question_finds_its_run(train, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    short = dataclasses.replace(RECIPE, epochs=1)
    first = train(run=None, recipe=short, source=pictures / "train")
    assert Path(first.run).parent == Path("runs")
    assert first.run.endswith("-train-cifar_26pct")
    again = train(run=None, recipe=short, source=pictures / "train")
    assert (again.run, again.already_finished) == (first.run, True)


def test_the_page_warns_where_the_figure_also_chose_the_epoch(
    train, pictures, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report = train(recipe=dataclasses.replace(RECIPE, epochs=1), source=pictures / "train")
    assert report.split == "val"
    evidence, _ = load_evidence(tmp_path / "run" / "report")
    assert evidence.notes[0].startswith("These validation pictures also chose the best epoch")


def test_the_folder_of_another_question_is_refused(whole, train, tmp_path):
    shutil.copytree(whole.run, tmp_path / "run")
    other = dataclasses.replace(RECIPE, lr=0.5)
    with pytest.raises(RunError, match=r"holds another run\. It differs in lr: 0\.02 then, 0\.5"):
        train(recipe=other)


def test_a_loss_that_is_not_finite_names_a_lower_rate(train, tmp_path):
    wild = dataclasses.replace(RECIPE, lr=1e30)
    with pytest.raises(Diverged, match=r"no longer finite.*Try: --lr 1e\+29 --anew, which moves"):
        train(recipe=wild)
    last = lines(tmp_path / "run")[-1]
    assert last["event"] == "diverged"
    assert "The rate is the likeliest cause." in last["sentence"]


def test_from_python_the_command_is_the_program_that_called(train, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study.py"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "study.py", "--fast"])
    with pytest.raises(Interrupted):
        train(during=lambda: os.kill(os.getpid(), signal.SIGTERM))
    asked = json.loads((tmp_path / "run" / "run.json").read_text())
    assert asked["command"] == ["python", "study.py", "--fast"]


@pytest.mark.parametrize("grey", [False, True])
def test_filters_are_turned_to_red_green_blue_and_added_up_for_grey_pictures(grey):
    network = build_model("cifar_26pct", classes=2)
    weight = network.get_submodule("conv1").get_parameter("weight").detach().numpy()
    found, _ = first_filters(network, "RGB", grey=grey)
    turned, _ = first_filters(network, "BGR", grey=grey)
    if grey:
        np.testing.assert_allclose(found, weight.sum(axis=1, keepdims=True).repeat(3, 1))
    else:
        np.testing.assert_array_equal(found, weight)
        np.testing.assert_array_equal(turned, weight[:, ::-1])


def test_a_network_without_convolutions_says_so():
    found, why = first_filters(build_model("mlp", classes=2), "RGB", grey=False)
    assert found is None
    assert why == "The first layer of mlp, flatten, is not a convolution."
