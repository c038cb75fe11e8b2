"""Response normalization in every reading, against loops and, where it is the same, torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from alexnet.errors import RecipeError
from alexnet.nn import ResponseNorm

PLAIN = {"size": 5, "alpha": 0.3, "beta": 0.75, "k": 2.0}


def naive(x: Tensor, norm: ResponseNorm) -> Tensor:
    """The formula of section 3.3, map by map or position by position; autograd goes through it."""
    before, after = norm.size // 2, norm.size - norm.size // 2 - 1
    columns = []
    for at in range(x.shape[1]):
        if norm.region == "spatial":
            energy = spatial_energy(x[:, at], before, after)
        else:
            width = x.shape[1] // norm.towers
            first = at // width * width
            near = range(max(first, at - before), min(first + width - 1, at + after) + 1)
            energy = sum(x[:, j] ** 2 for j in near)
        window = norm.size if norm.region == "channels" else norm.size**2
        alpha = norm.alpha / window if norm.divide else norm.alpha
        columns.append(x[:, at] / (norm.k + alpha * energy) ** norm.beta)
    return torch.stack(columns, dim=1)


def spatial_energy(x: Tensor, before: int, after: int) -> Tensor:
    """Return the sum of squares of each patch of (N, H, W)."""
    rows = []
    for top in range(x.shape[1]):
        for left in range(x.shape[2]):
            patch = x[
                :,
                max(0, top - before) : top + after + 1,
                max(0, left - before) : left + after + 1,
            ]
            rows.append((patch**2).sum(dim=(1, 2)))
    return torch.stack(rows, dim=1).unflatten(1, x.shape[1:])


def activations(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, dtype=dtype, generator=generator)


def both_ways(function, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """Return output and gradient."""
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = function(leaf)
    y.backward(g)
    assert leaf.grad is not None
    return y.detach(), leaf.grad


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 10),
    alpha=st.floats(1e-4, 1.0),
    beta=st.sampled_from([0.75, 0.5, 1.0, 1.3]),
    k=st.sampled_from([0.5, 1.0, 2.0]),
    divide=st.booleans(),
    towers=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 99),
)
def test_across_maps_it_equals_the_loop_forward_and_backward(
    size, alpha, beta, k, divide, towers, seed
):
    norm = ResponseNorm(size, alpha=alpha, beta=beta, k=k, divide=divide, towers=towers)
    x, g = activations(2, 8, 3, 4, seed=seed), activations(2, 8, 3, 4, seed=seed + 100)
    found, wanted = both_ways(norm, x, g), both_ways(lambda x: naive(x, norm), x, g)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 6),
    beta=st.sampled_from([0.75, 1.3]),
    divide=st.booleans(),
    seed=st.integers(0, 99),
)
def test_inside_a_map_it_equals_the_loop_forward_and_backward(size, beta, divide, seed):
    norm = ResponseNorm(size, alpha=0.2, beta=beta, k=1.0, divide=divide, region="spatial")
    x, g = activations(2, 3, 5, 4, seed=seed), activations(2, 3, 5, 4, seed=seed + 100)
    found, wanted = both_ways(norm, x, g), both_ways(lambda x: naive(x, norm), x, g)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 9])
@pytest.mark.parametrize("divide", [True, False])
def test_over_the_whole_layer_it_equals_torch(size, divide):
    """torch divides alpha by the window; for the printed, plain sum it is given alpha * size."""
    norm = ResponseNorm(size, alpha=0.1, beta=0.75, k=2.0, divide=divide)
    alpha = 0.1 if divide else 0.1 * size
    reference = nn.LocalResponseNorm(size, alpha=alpha, beta=0.75, k=2.0)
    x, g = activations(2, 7, 3, 3), activations(2, 7, 3, 3, seed=1)
    found, wanted = both_ways(norm, x, g), both_ways(reference, x, g)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_the_printed_formula_by_hand():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    whole = ResponseNorm(3, alpha=0.5, beta=1.0, k=2.0)(x).flatten().tolist()
    assert whole == pytest.approx([1 / 4.5, 2 / 9, 3 / 16.5, 4 / 14.5])
    towers = ResponseNorm(3, alpha=0.5, beta=1.0, k=2.0, towers=2)(x).flatten().tolist()
    assert towers == pytest.approx([1 / 4.5, 2 / 4.5, 3 / 14.5, 4 / 14.5])


def test_the_constants_of_the_paper_are_the_defaults():
    norm = ResponseNorm()
    assert (norm.size, norm.alpha, norm.beta, norm.k, norm.divide) == (5, 1e-4, 0.75, 2.0, False)
    assert ResponseNorm(divide=True).scale == pytest.approx(2e-5)
    spatial = ResponseNorm(5, alpha=1e-3, divide=True, region="spatial")
    assert spatial.scale == pytest.approx(4e-5)  # configuration 145


@pytest.mark.parametrize("towers", [1, 2])
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 2e-6), (torch.float64, 1e-12), (torch.bfloat16, 8e-3)],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_norm_keeps_dtype_and_memory_format(towers, dtype, tolerance, layout):
    norm = ResponseNorm(**PLAIN, towers=towers)
    x = activations(2, 16, 5, 3).to(dtype).contiguous(memory_format=layout)
    g = activations(2, 16, 5, 3, seed=1).to(dtype).contiguous(memory_format=layout)
    y, dx = both_ways(norm, x, g)
    wanted = both_ways(lambda x: naive(x, norm), x.double(), g.double())
    for found, right in zip((y, dx), wanted, strict=True):
        assert found.dtype == dtype
        assert found.is_contiguous(memory_format=layout)
        torch.testing.assert_close(found.double(), right, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"size": 4, "divide": True, "towers": 2},
        {"beta": 1.1},
        {"region": "spatial", "size": 3, "divide": True},
        {"region": "spatial", "size": 4},
    ],
)
def test_gradients_agree_with_differences(reading):
    norm = ResponseNorm(**{**PLAIN, **reading})
    x = activations(2, 6, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(norm, (x,))


def test_sums_stay_in_float32_under_autocast_in_both_directions():
    norm = ResponseNorm(**PLAIN, towers=2)
    x, g = (activations(2, 16, 4, 4, seed=s, dtype=torch.float32) for s in (0, 1))
    plain = both_ways(norm, x, g)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = both_ways(norm, x, g)
    torch.testing.assert_close(cast, plain, rtol=0, atol=0)


def test_second_derivative_raises():
    x = activations(1, 4, 2, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(ResponseNorm()(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_zero_and_empty_inputs_pass():
    norm = ResponseNorm(**PLAIN)
    assert not norm(torch.zeros(1, 8, 2, 2)).any()
    assert norm(torch.zeros(0, 8, 2, 2)).shape == (0, 8, 2, 2)


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        ({"size": 0}, "size and towers must be at least 1; got 0 and 1"),
        ({"towers": 0}, "size and towers must be at least 1; got 5 and 0"),
        ({"k": 0.0}, "k must be above 0, or neighbors of zero divide by zero; got 0.0"),
        ({"region": "spatial", "towers": 2}, "leave towers at 1"),
        ({"region": "chanels"}, 'no region "chanels". Did you mean "channels"'),
    ],
)
def test_invalid_norm_settings_raise(reading, words):
    with pytest.raises(RecipeError, match=words):
        ResponseNorm(**reading)


@pytest.mark.parametrize("shape", [(2, 8), (8,), (), (1, 7, 4), (2, 7, 4, 4), (1, 2, 1, 1, 1, 1)])
def test_norm_input_of_other_shape_raises(shape):
    for function in (ResponseNorm(towers=2), ResponseNorm(towers=2).torch_forward):
        with pytest.raises(RecipeError, match=r"\(N, C, L\), .* C divisible by 2 towers; got \("):
            function(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(2, 8, 4), (2, 8, 2, 3, 4)])
def test_a_spatial_norm_takes_maps_alone(shape):
    with pytest.raises(RecipeError, match=r"inside maps takes \(N, C, H, W\); got \(2, 8"):
        ResponseNorm(3, region="spatial")(torch.zeros(shape))


SHAPES = [(2, 7, 9), (3, 7, 5, 4), (2, 7, 3, 4, 2), (1, 7, 1), (2, 7, 1, 1, 1)]


def laid_out(x: Tensor, channels_last: bool) -> Tensor:
    """Return the same numbers, in memory with the channels last or not."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if channels_last else x.contiguous()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_rows_maps_and_volumes_are_normalized_as_torch_does(shape, channels_last, size, dtype):
    norm = ResponseNorm(size, alpha=0.3, beta=0.75, k=1.5, divide=True)
    reference = nn.LocalResponseNorm(size, alpha=0.3, beta=0.75, k=1.5)
    x = laid_out(activations(*shape, dtype=dtype), channels_last)
    g = activations(*shape, seed=1, dtype=dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 3e-6
    for function in (norm, norm.torch_forward):
        y, dx = both_ways(function, x, g)
        wanted = both_ways(reference, x, g)
        torch.testing.assert_close((y, dx), wanted, rtol=tolerance, atol=tolerance)
        assert (y.dtype, y.stride()) == (dtype, x.stride())


@pytest.mark.parametrize("shape", [(2, 8, 9), (2, 8, 3, 4, 2)])
def test_towers_and_relu_hold_for_rows_and_volumes(shape):
    norm = ResponseNorm(**PLAIN, towers=2)
    x = activations(*shape, dtype=torch.float32)
    wanted = naive(x.flatten(2).unsqueeze(3).relu().double(), norm).view(shape)
    torch.testing.assert_close(norm(x, relu=True).double(), wanted, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("shape", [(2, 6, 3), (2, 6, 2, 2, 2)])
def test_gradients_of_rows_and_volumes_agree_with_differences(shape):
    x = activations(*shape).requires_grad_()
    assert torch.autograd.gradcheck(ResponseNorm(**PLAIN), (x,))


@pytest.mark.parametrize(
    "shape", [(0, 8, 3), (2, 8, 0), (2, 8, 0, 3), (2, 8, 3, 0, 2), (0, 8, 1, 1, 1)]
)
def test_empty_rows_maps_and_volumes_pass(shape):
    x = torch.zeros(shape, requires_grad=True)
    y = ResponseNorm(**PLAIN)(x)
    y.sum().backward()
    assert x.grad is not None
    assert y.shape == x.grad.shape == shape


def test_norm_repr_shows_its_settings():
    text = repr(ResponseNorm(divide=True, towers=2))
    assert "5, alpha=0.0001 (divided), beta=0.75, k=2, towers=2, channels" in text
