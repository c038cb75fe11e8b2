"""`alexnet bench`: a small network measured, its table in 100 columns, its JSON, its file."""

from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console

from alexnet import bench, describe
from alexnet.benchmarking import bench as measuring
from alexnet.benchmarking import limits, work
from alexnet.benchmarking import work as photographs
from alexnet.cli.console.models import render_bench
from alexnet.commands import bench as module
from alexnet.errors import RecipeError


@pytest.fixture(scope="module")
def small():
    """As little of everything as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_QUICK_SECONDS", 0.0)
        patch.setattr(measuring, "_DISTINCT", 8)
        patch.setattr(photographs, "_SIZE", (60, 40))
        patch.setattr(limits, "_ENOUGH_S", 0.0)
        patch.setattr(limits, "_COPIED", 1 << 16)
        yield


@pytest.fixture(scope="module")
def report(small):
    threads = torch.get_num_threads()
    found = bench("cifar_18pct", batch=4, quick=True)
    torch.set_num_threads(threads)
    return found


def test_every_part_has_a_figure_and_a_limit(report):
    names = [each.name for each in report.figures]
    assert names == [
        work.STEP,
        work.FED,
        work.LOADING,
        work.PACKING,
        work.PREDICTING,
        work.ONE,
    ]
    assert [each.unit for each in report.limits] == ["GFLOP/s", "GFLOP/s", "GB/s", "images/s"]
    assert all(0 < each.least <= each.value <= each.most for each in report.figures)
    assert all(each.limit > 0 and each.share > 0 for each in report.figures)
    assert (report.model, report.batch, report.crop_px, report.out) == ("cifar_18pct", 4, 32, None)
    assert report.normalisation
    assert report.advice


def test_limits_follow_from_multiply_adds_and_bytes(report):
    most = {each.name: each.value for each in report.limits}
    shape = describe("cifar_18pct", classes=2, crop_px=32)
    first = shape.layers[0].multiply_adds
    products = most[limits.PRODUCTS[report.precision]] * 1e9
    found = {each.name: each for each in report.figures}
    assert found[work.STEP].limit == pytest.approx(products / (6 * shape.multiply_adds - 2 * first))
    fp32 = most[limits.PRODUCTS["fp32"]] * 1e9
    assert found[work.PREDICTING].limit == pytest.approx(fp32 / (2 * shape.multiply_adds))
    assert found[work.FED].limit == found[work.STEP].value
    bytes_each = 3 * 32 * 32 * 5
    assert found[work.LOADING].limit == pytest.approx(most[limits.COPYING] * 1e9 / bytes_each)


def test_it_fits_into_a_hundred_columns(report):
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        render_bench(report, console)
    text = capture.get()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "training step, fed" in text
    assert "GFLOP/s" in text
    assert "- " in text


def test_json_and_file_are_the_same(small, alexnet, tmp_path):
    out = tmp_path / "bench.json"
    said = alexnet("bench", "mlp", "--batch", 4, "--quick", "--json", "--out", out)
    assert said.code == 0
    found = json.loads(said.out)
    assert found == json.loads(out.read_text())
    assert (found["out"], found["normalisation"]) == (str(out), None)


def test_what_cannot_be_is_said_before_anything_is_measured(alexnet):
    with pytest.raises(RecipeError, match="batch must be at least 1 picture; got 0"):
        bench(batch=0)
    said = alexnet("bench", "alexnett", "--quick")
    assert said.code == 2
    assert 'no model "alexnett"' in said.err
