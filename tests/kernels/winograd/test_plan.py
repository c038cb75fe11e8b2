from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("numba")

from alexnet.kernels import vectors
from alexnet.kernels.winograd.plan import make_plan, plan_or_reason

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
    ("shape", "filters", "windows", "reason"),
    [
        ((64, 16, 16), (64, 64, 1, 1), (1, 0, 1), "windows are 1 x 1 and tiles are for 3 x 3"),
        ((64, 16, 16), (64, 64, 7, 7), (1, 3, 1), "windows are 7 x 7 and tiles are for 3 x 3"),
        ((64, 16, 16), (64, 64, 3, 5), (1, 1, 1), "windows of 3 x 5 are not square"),
        ((64, 16, 16), (64, 64, 3, 3), (2, 1, 1), "a stride of 2 over more than 4 channels"),
        ((3, 32, 32), (32, 3, 5, 5), (1, 2, 1), "3 channels in are no multiple of "),
        ((3, 56, 56), (64, 3, 5, 5), (2, 2, 1), "blocks of 2 x 2 make 12 channels, no multiple "),
        ((3, 56, 56), (64, 3, 7, 7), (4, 3, 1), "7 x 7, 2 x 2 in blocks of 4, and tiles are"),
        ((30, 16, 16), (64, 30, 3, 3), (1, 1, 1), "30 channels in are no multiple of "),
        ((64, 16, 16), (20, 64, 3, 3), (1, 1, 1), "20 channels out are no multiple of "),
        ((64, 2, 2), (64, 64, 3, 3), (1, 0, 1), "no tile fits"),
        ((64, 2, 2), (64, 64, 3, 3), (1, 1, 1), "2 x 2, take what 1.0 times fewer"),
        ((64, 16, 16), (64, 64, 3, 3), (1, 3, 1), "no tile fits"),
        ((32, 8, 8), (32, 32, 3, 3), (1, 1, 1), "8 x 8, take what 4.0 times fewer"),
        ((64, 3, 3), (64, 64, 5, 5), (1, 2, 1), "3 x 3, take what 3.5 times fewer"),
        ((3, 67, 67), (64, 3, 9, 9), (4, 0, 1), "15 x 15, take what 2.6 times fewer"),
    ],
    ids=[
        "1x1",
        "7x7",
        "not square",
        "stride",
        "images at stride 1",
        "conv1 of small-200",
        "images in blocks",
        "channels in",
        "channels out",
        "no output",
        "small maps",
        "much padding",
        "few channels",
        "one tile",
        "short windows of images",
    ],
)
@needs_fma
def test_other_convolutions_have_none_for_a_reason(
    shape: Any, filters: Any, windows: Any, reason: str
) -> None:
    assert make_plan(shape, filters, *windows) is None
    found = plan_or_reason(shape, filters, *windows)
    assert isinstance(found, str)
    assert reason in found


def test_a_processor_without_fused_multiply_add_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alexnet.kernels.vectors.has_fma", lambda: False)
    shapes = (96, 27, 27), (256, 96, 5, 5)
    found = plan_or_reason.__wrapped__(*shapes, 1, 2, 1)
    assert found == "this processor has no fused multiply-add"


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
