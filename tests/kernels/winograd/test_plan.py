from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("numba")

from alexnet.kernels import vectors
from alexnet.kernels.winograd.plan import make_plan

needs_fma = pytest.mark.skipif(not vectors.has_fma(), reason="no fused multiply-add here")


@needs_fma
@pytest.mark.parametrize(
    ("shape", "filters", "windows", "tile"),
    [
        ((3, 227, 227), (96, 3, 11, 11), (4, 0, 1), (5, 3)),
        ((96, 27, 27), (256, 48, 5, 5), (1, 2, 2), (4, 5)),
        ((256, 13, 13), (384, 256, 3, 3), (1, 1, 1), (5, 3)),
        ((384, 13, 13), (384, 192, 3, 3), (1, 1, 2), (5, 3)),
        ((128, 7, 7), (256, 128, 3, 3), (1, 1, 1), (4, 3)),
        ((32, 16, 16), (32, 32, 5, 5), (1, 2, 1), (4, 5)),
    ],
)
def test_layers_of_the_paper_and_the_cifar_nets_have_a_fast_form(
    shape: Any, filters: Any, windows: Any, tile: tuple[int, int]
) -> None:
    plan = make_plan(shape, filters, *windows)
    assert plan is not None
    assert (plan.m, plan.r) == tile
    assert plan.saving > 3


@pytest.mark.parametrize(
    ("shape", "filters", "windows"),
    [
        ((64, 16, 16), (64, 64, 1, 1), (1, 0, 1)),
        ((64, 16, 16), (64, 64, 7, 7), (1, 3, 1)),
        ((64, 16, 16), (64, 64, 3, 5), (1, 1, 1)),
        ((64, 16, 16), (64, 64, 3, 3), (2, 1, 1)),
        ((3, 32, 32), (32, 3, 5, 5), (1, 2, 1)),
        ((30, 16, 16), (64, 30, 3, 3), (1, 1, 1)),
        ((64, 16, 16), (20, 64, 3, 3), (1, 1, 1)),
        ((64, 2, 2), (64, 64, 3, 3), (1, 0, 1)),
        ((64, 2, 2), (64, 64, 3, 3), (1, 1, 1)),
        ((64, 16, 16), (64, 64, 3, 3), (1, 3, 1)),
    ],
    ids=[
        "1x1",
        "7x7",
        "not square",
        "stride",
        "images at stride 1",
        "channels in",
        "channels out",
        "no output",
        "small maps",
        "much padding",
    ],
)
def test_other_convolutions_have_none(shape: Any, filters: Any, windows: Any) -> None:
    assert make_plan(shape, filters, *windows) is None


@needs_fma
def test_units_cover_all_images_and_share_them_evenly() -> None:
    plan = make_plan((256, 13, 13), (384, 256, 3, 3), 1, 1, 1)
    assert plan is not None
    for images in (1, 2, 5, 31, 128):
        for threads in (1, 2, 3, 8):
            many, lines = plan.unit(images, threads)
            assert lines == plan.rows
            assert 1 <= many <= -(-images // threads)
            assert -(-images // many) * many >= images
