"""Factors and summands of fewer axes, orders of axes, and squares made rectangles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from alexnet.nn import AxisResize, Broadcast, ChannelBias, Permute, axis_weights


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("axis", "few", "by_hand"),
    [
        (1, (3,), "nchw,nc->nchw"),
        (2, (4,), "nchw,nh->nchw"),
        (1, (3, 4), "nchw,nch->nchw"),
        (2, (4, 5), "nchw,nhw->nchw"),
    ],
)
def test_each_image_has_factors_of_its_own(axis, few, by_hand):
    x, factors = numbers(2, 3, 4, 5), numbers(2, *few, seed=1)
    product = Broadcast("product", axis)(x, factors)
    assert torch.allclose(product, torch.einsum(by_hand, x, factors))
    added = Broadcast("sum", axis)(x, factors)
    assert torch.allclose(added, x + torch.einsum(by_hand, torch.ones_like(x), factors))


@pytest.mark.parametrize(("axis", "shape"), [(1, (3,)), (2, (4,)), (1, (3, 4))])
def test_a_bias_is_added_from_its_axis_on(axis, shape):
    layer = ChannelBias(shape, axis=axis)
    layer.bias.data = numbers(*shape, seed=1)
    x = numbers(2, 3, 4, 5).requires_grad_()
    found = layer(x)
    wanted = np.moveaxis(x.detach().numpy(), (1, 2), (1, 2)).copy()
    for index in np.ndindex(*wanted.shape):
        wanted[index] += layer.bias[index[axis : axis + len(shape)]].item()
    assert np.allclose(found.detach().numpy(), wanted)
    found.sum().backward()
    assert layer.bias.grad.shape == shape


def test_axes_change_places():
    x = numbers(2, 3, 4, 5)
    assert np.array_equal(Permute((2, 3, 1))(x).numpy(), x.numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize("size", [(9, 4), (3, 9), (9, 9), (5, 2), (1, 1)])
def test_a_square_is_resized_as_pillow_does(size):
    x = numbers(2, 3, 9, 9)
    found = AxisResize(size)(x)
    for image, maps in zip(x.numpy(), found.numpy(), strict=True):
        for channel, map_ in zip(image, maps, strict=True):
            wanted = Image.fromarray(channel).resize(size[::-1], Image.Resampling.BILINEAR)
            assert np.allclose(map_, np.asarray(wanted), atol=1e-5)
    assert torch.allclose(axis_weights(9, 4).sum(1), torch.ones(4))
