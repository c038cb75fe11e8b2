"""`alexnet bench`: a small network measured, its table in 100 columns, its JSON, its file."""

from __future__ import annotations

import json

import pytest
import torch
from rich.console import Console

from alexnet import bench, describe
from alexnet.benchmarking import bench as measuring
from alexnet.benchmarking import limits, workloads
from alexnet.cli.console.benchmarking import render_bench
from alexnet.commands import bench as module
from alexnet.errors import RecipeError


@pytest.fixture(scope="module")
def small():
    """As little of everything as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_QUICK_SECONDS", 0.0)
        patch.setattr(measuring, "_PHOTOGRAPHS", 8)
        patch.setattr(workloads, "_SIZE", (60, 40))
        patch.setattr(limits, "_MIN_PRODUCT_S", 0.0)
        patch.setattr(limits, "_COPY_SIZE", 1 << 16)
        yield


@pytest.fixture(scope="module")
def report(small):
    threads = torch.get_num_threads()
    found = bench("cifar_18pct", batch_size=4, quick=True)
    torch.set_num_threads(threads)
    return found


def test_every_workload_has_a_throughput_and_a_limit(report):
    names = [each.name for each in report.throughputs]
    assert names == [
        workloads.STEP,
        workloads.LOADED_STEP,
        workloads.LOADING,
        workloads.PACKING,
        workloads.PREDICTING_BATCHES,
        workloads.PREDICTING_SINGLY,
    ]
    assert [each.unit for each in report.limits] == ["GFLOP/s", "GFLOP/s", "GB/s", "images/s"]
    assert all(0 < each.min <= each.median <= each.max for each in report.throughputs)
    assert all(each.limit > 0 and each.utilization > 0 for each in report.throughputs)
    assert (report.model, report.batch_size, report.crop_px, report.out) == (
        "cifar_18pct",
        4,
        32,
        None,
    )
    assert report.normalization
    assert report.advice


def test_limits_follow_from_multiply_adds_and_bytes(report):
    limit = {each.name: each.max for each in report.limits}
    shape = describe("cifar_18pct", classes=2, crop_px=32)
    first = shape.layers[0].multiply_adds
    products = limit[limits.MATMUL[report.precision]] * 1e9
    found = {each.name: each for each in report.throughputs}
    assert found[workloads.STEP].limit == pytest.approx(
        products / (6 * shape.multiply_adds - 2 * first)
    )
    fp32 = limit[limits.MATMUL["fp32"]] * 1e9
    assert found[workloads.PREDICTING_BATCHES].limit == pytest.approx(
        fp32 / (2 * shape.multiply_adds)
    )
    assert found[workloads.LOADED_STEP].limit == found[workloads.STEP].median
    bytes_each = 3 * 32 * 32 * 5
    assert found[workloads.LOADING].limit == pytest.approx(
        limit[limits.MEMORY_COPY] * 1e9 / bytes_each
    )


def test_table_fits_into_100_columns(report):
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        render_bench(report, console)
    text = capture.get()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "training step with loading" in text
    assert "GFLOP/s" in text
    assert "- " in text


def test_json_and_file_are_the_same(small, alexnet, tmp_path):
    out = tmp_path / "bench.json"
    said = alexnet("bench", "mlp", "--batch-size", 4, "--quick", "--json", "--out", out)
    assert said.code == 0
    found = json.loads(said.out)
    assert found == json.loads(out.read_text())
    assert (found["out"], found["normalization"]) == (str(out), None)


def test_invalid_arguments(alexnet):
    with pytest.raises(RecipeError, match="batch_size must be at least 1; got 0"):
        bench(batch_size=0)
    said = alexnet("bench", "alexnett", "--quick")
    assert said.code == 2
    assert 'no model "alexnett"' in said.err
