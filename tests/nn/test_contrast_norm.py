"""Contrast normalization against loops over positions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from alexnet.errors import RecipeError
from alexnet.nn import ContrastNorm


def patches(x: Tensor, size: int) -> list[Tensor]:
    """Return the patch of every position of (N, C, H, W), cut at the edge of the map."""
    before, after = size // 2, size - size // 2 - 1
    return [
        x[
            ...,
            max(0, top - before) : top + after + 1,
            max(0, left - before) : left + after + 1,
        ]
        for top in range(x.shape[2])
        for left in range(x.shape[3])
    ]


def naive(x: Tensor, norm: ContrastNorm) -> Tensor:
    means = [patch.mean(dim=(2, 3)) for patch in patches(x, norm.size)]
    difference = x - torch.stack(means, dim=2).reshape(x.shape)
    sums = [patch.square().sum(dim=(2, 3)) for patch in patches(difference, norm.size)]
    energy = torch.stack(sums, dim=2).reshape(x.shape) / norm.size**2
    return x * (norm.k + norm.alpha * energy) ** -norm.beta


def maps(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize(("alpha", "beta", "k"), [(0.5, 0.75, 1.0), (2.0, 0.5, 0.1)])
def test_it_equals_the_loop_forward_and_backward(size, alpha, beta, k):
    norm = ContrastNorm(size, alpha=alpha, beta=beta, k=k)
    x = maps(2, 3, 5, 4).requires_grad_()
    g = maps(2, 3, 5, 4, seed=1)
    torch.testing.assert_close(norm(x), naive(x, norm), rtol=1e-12, atol=1e-12)
    (found,) = torch.autograd.grad(norm(x), x, g)
    (wanted,) = torch.autograd.grad(naive(x, norm), x, g)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [3, 4])
def test_gradients_agree_with_differences(size):
    x = maps(1, 2, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(ContrastNorm(size, alpha=0.5), (x,))


def test_a_flat_map_is_divided_by_k_alone_also_at_its_edge():
    x = torch.full((1, 1, 4, 4), 7.0)
    torch.testing.assert_close(ContrastNorm(3, alpha=9.0, k=2.0)(x), x * 2**-0.75)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_type_stays_and_sums_are_float32(dtype):
    norm = ContrastNorm(3, alpha=0.5)
    x = maps(2, 3, 5, 4).to(dtype)
    found = norm(x)
    assert found.dtype == dtype
    tolerance = 8e-3 if dtype is torch.bfloat16 else 1e-5
    torch.testing.assert_close(found.double(), naive(x.double(), norm), rtol=tolerance, atol=1e-3)


def test_it_is_a_layer_like_any_other():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), ContrastNorm(4), nn.Flatten())
    assert network(torch.zeros(2, 3, 6, 6)).shape == (2, 64)
    assert not list(ContrastNorm().parameters())
    assert "5, alpha=0.001, beta=0.75, k=1" in repr(network[1].__class__())


def test_contrast_norm_with_invalid_settings_raises():
    with pytest.raises(RecipeError, match="size must be at least 1; got 0"):
        ContrastNorm(0)
    with pytest.raises(RecipeError, match="k must be above 0.*got 0"):
        ContrastNorm(k=0)
    with pytest.raises(RecipeError, match=r"takes \(N, C, H, W\); got \(3, 4\)"):
        ContrastNorm()(torch.zeros(3, 4))
