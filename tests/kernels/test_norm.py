"""The compiled normalization against the plain one in float64, in every reading."""

from __future__ import annotations

import threading

import pytest
import torch

from alexnet.nn import ResponseNorm, norm_backend, response_norm

pytest.importorskip("numba", reason="the compiled form needs numba")

READINGS = [
    {"size": 5, "towers": 2, "k": 2.0},
    {"size": 5, "towers": 1, "k": 1.0, "divide": True},
    {"size": 9, "alpha": 0.001, "k": 1.0, "divide": True},
    {"size": 3},
    {"size": 4, "towers": 2},
    {"size": 1},
    {"size": 40},
    {"size": 3, "alpha": 5e-5, "k": 1.0, "region": "spatial", "divide": True},
    {"size": 4, "alpha": 0.001, "region": "spatial"},
    {"size": 15, "alpha": 0.001, "region": "spatial"},
]


def images(seed: int, shape: tuple[int, ...] = (3, 12, 7, 5)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64) * 30
    return x.to(memory_format=torch.channels_last)


def both_ways(norm: ResponseNorm, x: torch.Tensor, g: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = norm(x)
    y.backward(g)
    assert x.grad is not None
    return [y.detach(), x.grad]


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 2**-7)], ids=["fp32", "bf16"]
)
def test_compiled_norm_equals_plain_norm_within_rounding(reading, dtype, tolerance):
    norm = ResponseNorm(**reading)
    x, g = images(0).to(dtype), images(1).to(dtype)
    assert norm.can_fuse(x)
    wanted = both_ways(norm, x.double(), g.double())  # float64 takes the plain form
    assert not norm.can_fuse(x.double())
    for found, reference in zip(both_ways(norm, x, g), wanted, strict=True):
        assert found.dtype == dtype
        assert found.is_contiguous(memory_format=torch.channels_last)
        largest = float(reference.abs().max())
        assert float((found.double() - reference).abs().max()) <= tolerance * largest


@pytest.mark.parametrize("size", [1e-20, 1e-3, 1.0, 1e3, 1e8])
def test_inputs_of_any_scale_keep_their_relative_precision(size):
    norm = ResponseNorm(5, alpha=1.0)
    x = (images(2) * size).float()
    wanted = norm(x.double())
    found = norm(x).double()
    assert float(((found - wanted).abs() / wanted.abs().clamp_min(1e-300)).max()) < 2e-6


def test_nan_and_infinity_are_kept():
    for bad in (float("nan"), float("inf")):
        x = images(3).float()
        x[1, 4, 2, 2] = bad
        for region in ("channels", "spatial"):
            found = ResponseNorm(5, region=region)(x)
            assert not bool(found.isfinite().all())
            assert bool(found[0].isfinite().all())


def test_the_bits_do_not_depend_on_the_number_of_threads():
    before = torch.get_num_threads()
    x, g = images(4, (8, 16, 9, 9)).float(), images(5, (8, 16, 9, 9)).float()
    for reading in ({"size": 5, "towers": 2}, {"size": 3, "region": "spatial"}):
        norm = ResponseNorm(**reading)
        found = []
        try:
            for threads in (1, 2):
                torch.set_num_threads(threads)
                found.append(both_ways(norm, x, g))
        finally:
            torch.set_num_threads(before)
        for one, other in zip(*found, strict=True):
            assert torch.equal(one, other)


def test_several_threads_may_call_at_once():
    norm, x = ResponseNorm(5), images(6, (16, 32, 9, 9)).float()
    wanted, found = norm(x), [None] * 4

    def call(i: int) -> None:
        found[i] = norm(x)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(each is not None and torch.equal(each, wanted) for each in found)


def test_without_numba_the_plain_norm_runs_and_is_reported(monkeypatch):
    x = images(7).float()
    fused = ResponseNorm(5)(x)
    assert norm_backend("cpu") == "fused, compiled by numba"
    monkeypatch.setattr(response_norm, "norm_kernels", lambda kind: None)
    assert not ResponseNorm(5).can_fuse(x)
    assert ResponseNorm(5)(x).numpy() == pytest.approx(fused.numpy(), rel=1e-6)
    assert 'pip install "alexnet[fast]"' in norm_backend("cpu")
    assert "banded matrix" in norm_backend("cuda")


@pytest.mark.parametrize("reason", ["beta", "layout", "dtype"])
def test_unsupported_inputs_use_the_plain_norm(reason):
    norm = ResponseNorm(5, beta=0.5 if reason == "beta" else 0.75)
    x = images(8).to(torch.float16 if reason == "dtype" else torch.float32)
    x = x.contiguous() if reason == "layout" else x
    assert not norm.can_fuse(x)
    assert norm(x).shape == x.shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("reading", READINGS[:3] + READINGS[-3:-2], ids=str)
def test_fused_relu_gives_the_same_bits(reading, dtype):
    norm = ResponseNorm(**reading)
    x, g = images(0).to(dtype), images(1).to(dtype)
    x[0, 0, 0, :3] = torch.tensor([0.0, -0.0, float("nan")])
    alone, taken = (each.clone().requires_grad_() for each in (x, x))
    first, second = norm(alone.relu()), norm(taken, relu=True)
    first.backward(g)
    second.backward(g)
    assert torch.equal(first.nan_to_num(7), second.nan_to_num(7))
    assert torch.equal(alone.grad.nan_to_num(7), taken.grad.nan_to_num(7))
