"""Normalization and pooling as one against the two layers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alexnet.nn import MaxPool, ResponseNorm, norm_and_pool, pooling

pytest.importorskip("numba", reason="the compiled form needs numba")


@settings(max_examples=40, deadline=None)
@given(
    kernel_and_stride=st.integers(1, 4).flatmap(lambda k: st.tuples(st.just(k), st.integers(1, k))),
    ceiling=st.booleans(),
    size=st.integers(1, 6),
    towers=st.sampled_from([1, 2]),
    height=st.integers(4, 10),
    width=st.integers(4, 10),
    before=st.booleans(),
    behind=st.booleans(),
)
def test_fused_norm_and_pool_equals_layers_bit_for_bit_in_fp32(
    kernel_and_stride, ceiling, size, towers, height, width, before, behind
):
    kernel, stride = kernel_and_stride
    norm = ResponseNorm(size, alpha=0.3, towers=towers)
    pool = MaxPool(kernel, stride=stride, ceiling=ceiling)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 6, height, width, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    together, apart = (x.clone().requires_grad_() for _ in range(2))
    found = norm_and_pool(together, norm, pool, relu_before=before, relu_after=behind)
    wanted = norm(apart.relu() if before else apart)
    wanted = pool(wanted)
    wanted = wanted.relu() if behind else wanted
    g = torch.randn(found.shape, generator=generator)
    found.backward(g)
    wanted.backward(g)
    assert type(found.grad_fn).__name__ == "_FusedBackward"
    assert torch.equal(found, wanted)
    assert torch.equal(together.grad, apart.grad)


def test_fused_norm_and_pool_in_bf16_equals_layers_within_rounding(monkeypatch):
    norm, pool = ResponseNorm(5, towers=2), MaxPool()
    generator = torch.Generator().manual_seed(0)
    x = 30 * torch.randn(2, 8, 11, 13, generator=generator)
    x = x.bfloat16().contiguous(memory_format=torch.channels_last)
    narrow, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    found = norm_and_pool(narrow, norm, pool, relu_before=True)
    wanted = norm_and_pool(wide, norm, pool, relu_before=True)  # float64 takes the plain form
    g = torch.randn(found.shape, generator=generator).bfloat16()
    found.backward(g)
    wanted.backward(g.double())
    torch.testing.assert_close(found.double(), wanted, rtol=2**-7, atol=1e-3)
    torch.testing.assert_close(narrow.grad.double(), wide.grad, rtol=2**-6, atol=1e-2)


def test_norm_and_pool_without_numba_calls_the_layers(monkeypatch):
    norm, pool = ResponseNorm(5), MaxPool()
    x = torch.randn(2, 8, 7, 7, generator=torch.Generator().manual_seed(0))
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    fused = norm_and_pool(x, norm, pool)
    monkeypatch.setattr(pooling, "pool_kernels", lambda: None)
    torch.testing.assert_close(norm_and_pool(x, norm, pool), fused)
