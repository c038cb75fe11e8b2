"""Whatever is asked for and wherever it is stopped: a run ends as if it had not been."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from alexnet.data import open_source
from alexnet.devices import Device
from alexnet.errors import Interrupted
from alexnet.recipe import Recipe
from alexnet.runs import session
from alexnet.runs.job import Job, Packing, prepare
from alexnet.runs.session import conduct

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
TIMES = {"time", "seconds", "images_per_s", "saving_seconds", "checkpoint_bytes"}
STEPS = 8  # in two epochs of 20 pictures
PACKING = Packing(cache="none")

recipes = st.builds(
    Recipe,
    model=st.sampled_from(["mlp", "cifar_26pct"]),
    image_px=st.just(16),
    crop_px=st.sampled_from([14, 16]),
    initialisation=st.just("he"),
    activation=st.sampled_from(["relu", "tanh"]),
    dropout=st.sampled_from([None, 0.3]),
    mean=st.sampled_from(["image", "central", "channel", "none"]),
    standardise=st.just(True),
    val_fraction=st.just(0.25),
    crop_group=st.sampled_from([1, 3]),
    colour_noise=st.sampled_from([0.0, 0.1]),
    colour_until=st.sampled_from([None, 1]),
    loss=st.sampled_from(["softmax", "squared"]),
    class_weights=st.sampled_from(["none", "auto"]),
    sampling=st.sampled_from(["shuffle", "balanced"]),
    epochs=st.just(2),
    batch=st.just(6),
    lr=st.sampled_from([1e-4, 3e-4]),
    bias_lr_ratio=st.sampled_from([1.0, 2.0]),
    layer_lr=st.sampled_from([(), ("fc*=0.5",), ("fc[14]@1=0",)]),
    schedule=st.sampled_from(["constant", "cosine", "plateau", "steps"]),
    cuts=st.just((1,)),
    patience=st.just(1),
    warmup_epochs=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 2**63 - 1),
)

stops = st.lists(
    st.tuples(
        st.integers(0, STEPS - 1),
        st.sampled_from(["SIGTERM", "Ctrl-C", "crash"]),
        st.sampled_from(["nothing", "cut", "flip", "half written", "torn journal"]),
    ),
    min_size=1,
    max_size=3,
)


class Crash(BaseException):
    """Ends a run without a word."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    draw = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 3)):
        for name, light in (("day", 120), ("night", 0)):
            place = folder / split / name
            place.mkdir(parents=True)
            for i in range(count - (name == "day")):
                pixels = draw.integers(light, light + 130, (16, 17, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return folder


@given(recipe=recipes, stops=stops, every=st.sampled_from(["1 step", "3 steps", 10]))
@settings(max_examples=12, deadline=None, database=None, phases=[Phase.generate])
def test_a_run_ends_as_if_it_had_not_been_stopped(pictures, tmp_path_factory, recipe, stops, every):
    place = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "write_report", lambda *_: None)
        patch.setattr(session, "run_evidence", lambda *_, **__: None)
        train(pictures, place / "whole", recipe, every)
        for step, how, damage in stops:
            stopped(pictures, place / "run", recipe, every, step, how)
            do_damage(place / "run", damage)
        train(pictures, place / "run", recipe, every)
    for name in ("weights.safetensors", "split.csv", "skipped.csv"):
        assert (place / "whole" / name).read_bytes() == (place / "run" / name).read_bytes()
    assert events(place / "whole") == events(place / "run")
    whole, run = (json.loads((place / n / "results.json").read_text()) for n in ("whole", "run"))
    assert (whole["results"], whole["best_epoch"]) == (run["results"], run["best_epoch"])
    assert not list((place / "run").rglob(".*"))
    shutil.rmtree(place)


def train(pictures: Path, run: Path, recipe: Recipe, every: Any, on_batch=lambda step: None):
    def make() -> Job:
        job = prepare(open_source(pictures), recipe, device=DEVICE, packing=PACKING)
        batches = job.training.batches

        def watched(epoch, start):
            for batch in batches(epoch, start):
                on_batch(job.training.state.step)
                yield batch

        job.training.batches = watched
        return job

    return conduct(make, pictures, run, save_every=every)


def stopped(pictures: Path, run: Path, recipe: Recipe, every: Any, at: int, how: str) -> None:
    """Begin a run, or go on with it, and stop it in a step; one that is past it goes to its end."""

    def on_batch(step: int) -> None:
        if step == at and how == "crash":
            raise Crash
        if step == at:
            os.kill(os.getpid(), signal.SIGTERM if how == "SIGTERM" else signal.SIGINT)

    try:
        train(pictures, run, recipe, every, on_batch)
    except Interrupted as error:
        assert f"Stopped by {how} after step {at + 1}." in str(error)
    except Crash:
        pass


def do_damage(run: Path, damage: str) -> None:
    """Do what a dying machine might; of checkpoints to the newest of two alone."""
    if (run / "results.json").exists():
        return
    checkpoints = sorted((run / "checkpoints").glob("step-*.checkpoint"))
    if damage == "torn journal":
        with (run / "journal.jsonl").open("ab") as journal:
            journal.write(b'{"event": "epoch", "epo')
    elif damage == "half written":
        (run / ".weights.safetensors.x.unfinished").write_bytes(b"half")
    elif damage in ("cut", "flip") and len(checkpoints) == 2:
        content = bytearray(checkpoints[-1].read_bytes())
        content[len(content) // 2] ^= 1
        checkpoints[-1].write_bytes(content if damage == "flip" else content[: len(content) // 2])


def events(run: Path) -> list[dict[str, Any]]:
    """Return what a run's journal says happened, without times, beginnings and stops."""
    lines = [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]
    return [
        {name: value for name, value in line.items() if name not in TIMES}
        for line in lines
        if line["event"] not in ("begin", "stopped")
    ]
