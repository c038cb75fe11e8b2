"""Limits: what a step of each does, and that it leaves the caller's random stream alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from alexnet.benchmarking import limits
from alexnet.benchmarking.workloads import make_photographs, write_folder
from alexnet.images import decode


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_product_counts_its_multiply_adds_twice(monkeypatch, precision):
    monkeypatch.setattr(limits, "_MIN_PRODUCT_S", 0.0)
    before = torch.get_rng_state()
    each = limits.matmul(precision, "cpu")
    assert each.name == limits.MATMUL[precision]
    assert each.step() == pytest.approx(2 * 256**3 / 1e9)
    assert torch.equal(torch.get_rng_state(), before)


def test_products_grow_until_they_take_long_enough(monkeypatch):
    monkeypatch.setattr(limits, "_MAX_SIDE", 512)
    monkeypatch.setattr(limits, "_MIN_PRODUCT_S", 1e9)
    assert limits.matmul("fp32", "cpu").step() == pytest.approx(2 * 512**3 / 1e9)


def test_a_copy_is_read_and_written(monkeypatch):
    monkeypatch.setattr(limits, "_COPY_SIZE", 1000)
    assert limits.memory_copy().step() == pytest.approx(2 * 4000 / 1e9)


def test_photographs_are_of_one_size_and_the_same_each_time(tmp_path):
    files = make_photographs(3)
    assert files == make_photographs(3)
    assert len(set(files)) == 3
    assert decode(files[0], "a").shape == (375, 500, 3)
    assert 30_000 < len(files[0]) < 300_000
    names = [each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*.jpg")]
    assert not names
    write_folder(tmp_path, files, 4)
    names = sorted(each.relative_to(tmp_path).as_posix() for each in tmp_path.rglob("*.jpg"))
    assert names == ["class 0/0.jpg", "class 0/2.jpg", "class 1/1.jpg", "class 1/3.jpg"]
    with ThreadPoolExecutor(2) as pool:
        assert limits.jpeg_decoding(files, pool).step() == 3
