"""The kernels of Triton against loops in float64; on a processor Triton's interpreter runs them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from alexnet.nn import ResponseNorm, describe_normalization, norm_backend, response_norm

pytest.importorskip("triton", reason="the kernels need triton")

from alexnet.kernels import norm as numba_norm
from alexnet.kernels import triton_norm

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
READINGS = [
    {"size": 5, "towers": 2, "k": 2.0},
    {"size": 5, "k": 1.0, "divide": True},
    {"size": 9, "alpha": 0.001, "k": 1.0, "divide": True},
    {"size": 3, "beta": 0.5},
    {"size": 4, "towers": 3, "alpha": 0.01},
    {"size": 1},
]


@pytest.fixture(autouse=True, scope="module")
def used():
    """Wherever a form is chosen, take these kernels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(response_norm, "norm_kernels", lambda kind: triton_norm)
        yield


def loops(x: Tensor, norm: ResponseNorm) -> Tensor:
    """Section 3.3 of the paper, map by map."""
    before, after = norm.size // 2, norm.size - norm.size // 2 - 1
    width, maps = x.shape[1] // norm.towers, []
    for at in range(x.shape[1]):
        first = at // width * width
        near = range(max(first, at - before), min(first + width - 1, at + after) + 1)
        energy = sum(x[:, j] ** 2 for j in near)
        maps.append(x[:, at] / (norm.k + norm.scale * energy) ** norm.beta)
    return torch.stack(maps, dim=1)


def activations(shape: tuple[int, ...], dtype=torch.float32, *, seed=0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = (30 * torch.randn(shape, generator=generator)).to(DEVICE, dtype)
    return x.contiguous(memory_format=torch.channels_last)


def both_ways(function, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    y = function(leaf)
    y.backward(g)
    assert leaf.grad is not None
    return y.detach(), leaf.grad


def compare(norm: ResponseNorm, shape, dtype, tolerance, *, relu=False, seed=0) -> None:
    x, g = activations(shape, dtype, seed=seed), activations(shape, dtype, seed=seed + 1)
    assert norm.can_fuse(x)
    found = both_ways(lambda x: norm(x, relu=relu), x, g)
    wanted = both_ways(lambda x: loops(x.relu() if relu else x, norm), x.double(), g.double())
    for each, right in zip(found, wanted, strict=True):
        assert each.dtype == dtype
        assert each.is_contiguous(memory_format=torch.channels_last)
        largest = float(right.abs().max())
        assert float((each.double() - right).abs().max()) <= tolerance * largest


@settings(max_examples=25, deadline=None)
@given(
    towers=st.integers(1, 3),
    width=st.integers(1, 11),
    place=st.tuples(st.integers(1, 2), st.integers(1, 4), st.integers(1, 3)),
    size=st.integers(1, 9),
    alpha=st.floats(1e-5, 1e-2),
    beta=st.sampled_from([0.75, 0.5, 1.3]),
    divide=st.booleans(),
    relu=st.booleans(),
    seed=st.integers(0, 99),
)
def test_triton_norm_equals_loops_forward_and_backward(
    towers, width, place, size, alpha, beta, divide, relu, seed
):
    norm = ResponseNorm(size, alpha=alpha, beta=beta, k=2.0, divide=divide, towers=towers)
    shape = (place[0], towers * width, *place[1:])
    compare(norm, shape, torch.float32, 3e-6, relu=relu, seed=seed)


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float32, 3e-6), (torch.bfloat16, 2**-7), (torch.float16, 2**-9)],
    ids=["fp32", "bf16", "fp16"],
)
def test_every_type_is_rounded_once(reading, dtype, tolerance):
    compare(ResponseNorm(**reading), (2, 48, 5, 7), dtype, tolerance)  # several programs, one part


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_fused_relu_gives_the_same_bits(dtype):
    norm = ResponseNorm(5, alpha=0.01, towers=2)
    x, g = activations((2, 12, 3, 5), dtype), activations((2, 12, 3, 5), dtype, seed=1)
    x[0, 0, 0, :3] = torch.tensor([0.0, -0.0, float("nan")])
    first = both_ways(lambda x: norm(x.relu()), x, g)
    second = both_ways(lambda x: norm(x, relu=True), x, g)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.nan_to_num(7), other.nan_to_num(7))


def test_the_bits_do_not_depend_on_the_batch():
    norm = ResponseNorm(5, towers=2)
    x, g = activations((5, 24, 7, 5)), activations((5, 24, 7, 5), seed=1)
    together = both_ways(norm, x, g)
    apart = both_ways(norm, x[3:4], g[3:4])
    for one, other in zip(together, apart, strict=True):
        assert torch.equal(one[3:4], other)


def test_norm_saves_only_its_input():
    x = activations((1, 8, 3, 3)).requires_grad_()
    y = ResponseNorm(5)(x)
    (kept,) = y.grad_fn.saved_tensors  # type: ignore[union-attr]
    assert kept.data_ptr() == x.data_ptr()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, in the interpreter
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity_are_kept(bad):
    x = activations((3, 12, 4, 4))
    x[1, 4, 2, 2] = bad
    found = ResponseNorm(5)(x)
    assert not bool(found[1].isfinite().all())
    assert bool(found[0].isfinite().all())
    assert bool(found[1, 7:].isfinite().all())  # beyond the window


@pytest.mark.parametrize("size", [1e-20, 1e-3, 1.0, 1e3, 1e8])
def test_inputs_of_any_scale_keep_their_relative_precision(size):
    norm = ResponseNorm(5, alpha=1.0)
    x = activations((1, 12, 3, 3)) * (size / 30)
    found, wanted = norm(x).double(), loops(x.double(), norm)
    assert float(((found - wanted).abs() / wanted.abs().clamp_min(1e-300)).max()) < 3e-6


@pytest.mark.parametrize(
    ("settings", "dtype", "layout"),
    [
        ({"region": "spatial", "size": 3}, torch.float32, torch.channels_last),
        ({"size": 10}, torch.float32, torch.channels_last),
        ({"size": 5}, torch.float64, torch.channels_last),
        ({"size": 5}, torch.float32, torch.contiguous_format),
    ],
    ids=["inside maps", "a wide window", "float64", "channels first"],
)
def test_unsupported_inputs_use_torch_operators(settings, dtype, layout):
    norm = ResponseNorm(**settings)
    x = activations((2, 12, 3, 4)).to(dtype).contiguous(memory_format=layout)
    assert not norm.can_fuse(x)
    assert torch.equal(norm(x), norm.torch_forward(x))
    assert not norm.can_fuse(x[:0].contiguous(memory_format=torch.channels_last))


def test_numba_and_triton_norm_agree():
    pytest.importorskip("numba", reason="one of the two needs numba")
    norm = ResponseNorm(5, towers=2, alpha=0.01)
    x = activations((2, 24, 3, 5)).cpu()
    g, other = torch.empty_like(x), torch.empty_like(x)
    numba_norm.forward(norm.settings, x, g, relu=True)
    there = torch.empty_like(x, device=DEVICE)
    triton_norm.forward(norm.settings, x.to(DEVICE), there, relu=True)
    other.copy_(there)
    torch.testing.assert_close(g, other, rtol=2e-6, atol=1e-6)


def test_find_mismatch_passes_and_finds_a_wrong_gradient(monkeypatch):
    assert triton_norm.find_mismatch(DEVICE) is None
    backward = triton_norm.backward

    def wrong_backward(norm, x, g, dx, *, relu):
        backward(norm, x, g, dx, relu=relu)
        dx[1, 2, 0, 0] += 3

    monkeypatch.setattr(triton_norm, "backward", wrong_backward)
    assert "the gradient in bfloat16 differs by" in (triton_norm.find_mismatch(DEVICE) or "")


@pytest.mark.parametrize("inside", [torch.no_grad, torch.inference_mode])
def test_find_mismatch_works_inside_other_contexts(inside):
    with inside(), torch.autocast(DEVICE, dtype=torch.bfloat16):
        assert triton_norm.find_mismatch(DEVICE) is None


def test_norm_backend_is_described(monkeypatch):
    layers = [ResponseNorm(5), ResponseNorm(3, region="spatial")]
    network = torch.nn.Sequential(*layers)
    assert norm_backend("cuda") == "fused, compiled by Triton"
    both = "fused, compiled by Triton; inside maps by torch's pooling"
    assert describe_normalization(network, "cuda") == both
    assert describe_normalization(network[1:], "cuda") == "inside maps by torch's pooling"
    assert describe_normalization(torch.nn.Sequential(), "cuda") is None
    monkeypatch.setattr(response_norm, "norm_kernels", lambda kind: None)
    assert norm_backend("cuda") == "as a product with a banded matrix"
    monkeypatch.setattr(response_norm, "has_triton", lambda: False)
    assert "banded matrix (pip install triton fuses it)" in norm_backend("cuda")
