"""Splits of a run: the warnings of a set reach every place, and a run keeps those it began with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alexnet.data import open_source, read_split_csv
from alexnet.devices import Device
from alexnet.errors import Interrupted, RunError
from alexnet.recipe import Recipe
from alexnet.reporting.run.saved import load_report_data
from alexnet.runs import Packing, as_begun, fit, open_run, prepare, run_config, train_report
from alexnet.training import StopRequest
from alexnet.weights import load_weights

DEVICE = Device(kind="cpu", processor="a machine", precision="fp32", threads=1, reason="as asked")
RECIPE = Recipe(
    model="mlp",
    image_px=8,
    crop_px=8,
    initialization="he",
    mean="image",
    normalize=True,
    schedule="constant",
    lr=0.01,
    epochs=2,
    batch_size=8,
    val_fraction=0.25,
    flip=False,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Sixteen bright and sixteen dark images, and two of a third class."""
    folder = tmp_path_factory.mktemp("images") / "set"
    draw = np.random.default_rng(0)
    for name, light, count in (("day", 150, 16), ("night", 0, 16), ("rare", 80, 2)):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(light, light + 100, (12, 12, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def job_of(images, **options):
    packing = Packing(cache="none")
    return prepare(open_source(images), RECIPE, device=DEVICE, packing=packing, **options)


def trained(job, images, folder, *, stopped_after=None):
    stop = StopRequest()
    with open_run(folder, run_config(job, images)) as run:
        for epoch in fit(job, run, stop):
            if epoch.epoch == stopped_after:
                stop.request("a test")
        return train_report(job, run)


def other_splits(job):
    """A draw that the present rule would not make."""
    order = np.random.default_rng(9).permutation(len(job.pack))
    return {"train": np.sort(order[10:]), "val": np.sort(order[:10])}


def test_a_run_goes_on_with_the_split_that_it_began_with(images, tmp_path):
    drawn = job_of(images).splits
    splits = other_splits(job_of(images))
    whole = trained(job_of(images, splits=splits), images, tmp_path / "whole")
    with pytest.raises(Interrupted):
        trained(job_of(images, splits=splits), images, tmp_path / "run", stopped_after=1)
    report = trained(job_of(images), images, tmp_path / "run")  # as today's rule draws
    assert report.continued
    listed = [split for _, _, split in read_split_csv(tmp_path / "run" / "split.csv")]
    assert np.flatnonzero(np.array(listed) == "val").tolist() == splits["val"].tolist()
    assert splits["val"].tolist() != drawn["val"].tolist()
    assert report.results is not None
    assert report.results.images == 10
    states = [load_weights(Path(each.weights)).state for each in (whole, report)]
    assert all(np.array_equal(states[0][name], states[1][name]) for name in states[0])


def test_the_same_split_makes_no_new_job_and_another_one_does(images, tmp_path):
    job = job_of(images)
    assert as_begun(job, tmp_path / "split.csv") is job
    trained(job_of(images), images, tmp_path / "run")
    assert as_begun(job, tmp_path / "run" / "split.csv") is job
    trained(job_of(images, splits=other_splits(job)), images, tmp_path / "other")
    begun = as_begun(job, tmp_path / "other" / "split.csv")
    assert begun.preprocessing.mean is not None
    assert job.preprocessing.mean is not None
    assert not np.array_equal(begun.preprocessing.mean, job.preprocessing.mean)
    (tmp_path / "split.csv").write_text("path,class,split\na.png,day,train\n")
    with pytest.raises(RunError, match=r"lists 1 images, and the run has 34\. Restore"):
        as_begun(job, tmp_path / "split.csv")


def test_what_is_to_be_known_of_a_set_stands_in_journal_results_report_and_page(images, tmp_path):
    report = trained(job_of(images), images, tmp_path / "run")
    few = next(each for each in report.warnings if "rare" in each)
    assert 'Few images are held out (val) of "rare" (1), "day" (4), "night" (4): the' in few
    lines = (tmp_path / "run" / "journal.jsonl").read_text().splitlines()
    warned = [json.loads(line) for line in lines if '"warning"' in line]
    assert few in [line["sentence"] for line in warned]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert few in results["warnings"]
    assert results["results"]["majority_rate"] == pytest.approx(4 / 9)
    assert few in load_report_data(tmp_path / "run" / "report")[0].notes
    page = (tmp_path / "run" / "report" / "index.html").read_text(encoding="utf-8")
    assert "the recall of such a class" in page
    assert trained(job_of(images), images, tmp_path / "run").warnings == report.warnings


def test_a_val_that_repeats_train_is_said_and_the_figures_are_not_trusted(tmp_path):
    draw = np.random.default_rng(1)
    for name in ("a", "b"):
        for i in range(6):
            grid = Image.fromarray(draw.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            image = grid.resize((24, 24), Image.Resampling.BICUBIC)
            for split, kind in (("train", "png"), ("val", "bmp")):
                (tmp_path / "set" / split / name).mkdir(parents=True, exist_ok=True)
                image.save(tmp_path / "set" / split / name / f"{i}.{kind}")
    job = job_of(tmp_path / "set")
    assert "12 of 12 images in val are duplicates or near duplicates" in job.warnings[0]
    report = trained(job, tmp_path / "set", tmp_path / "run")
    assert report.warnings[0] == job.warnings[0]


def test_a_source_of_one_file_per_image_draws_as_before_packing_knew_of_looks(images):
    job = job_of(images)
    older = replace(job.pack, index=replace(job.pack.index, coefficients=None))
    again = prepare(older, RECIPE, device=DEVICE, packing=Packing())
    assert {k: v.tolist() for k, v in again.splits.items()} == {
        k: v.tolist() for k, v in job.splits.items()
    }
