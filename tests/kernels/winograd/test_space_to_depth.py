from __future__ import annotations

import pytest
import torch
from torch.nn import functional

pytest.importorskip("numba")

from alexnet.kernels.winograd.space_to_depth import blocked_weight, unblocked_weight


def blocks_of(images: torch.Tensor, side: int) -> torch.Tensor:
    """Return (N, side * side * C, H / side, W / side); a block holds its rows in order."""
    count, channels, height, width = images.shape
    split = images.reshape(count, channels, height // side, side, width // side, side)
    return split.permute(0, 3, 5, 1, 2, 4).reshape(count, -1, height // side, width // side)


@pytest.mark.parametrize(("kernel", "side"), [(11, 4), (12, 4), (9, 4), (5, 2)])
def test_windows_of_blocks_that_move_by_one_are_windows_with_a_stride(kernel, side):
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, 48, 40, dtype=torch.float64, generator=draw)
    weight = torch.randn(5, 3, kernel, kernel, dtype=torch.float64, generator=draw)
    plain = functional.conv2d(images, weight, stride=side)
    found = functional.conv2d(blocks_of(images, side), blocked_weight(weight, side))
    height, width = plain.shape[2:]  # the last window in blocks may lie beyond the image
    assert torch.allclose(found[:, :, :height, :width], plain, atol=1e-12)


def test_the_gradient_of_the_blocked_form_is_turned_back():
    draw = torch.Generator().manual_seed(0)
    weight = torch.randn(4, 3, 11, 11, dtype=torch.float64, generator=draw, requires_grad=True)
    blocked = blocked_weight(weight, 4)
    gradient = torch.randn(blocked.shape, dtype=torch.float64, generator=draw)
    (wanted,) = torch.autograd.grad(blocked, weight, gradient)
    assert torch.equal(unblocked_weight(gradient, weight.shape, 4), wanted)
    assert torch.equal(unblocked_weight(blocked, weight.shape, 4), weight)
