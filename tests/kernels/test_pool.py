"""The compiled max pooling against torch's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from alexnet.nn import MaxPool

pytest.importorskip("numba", reason="the compiled form needs numba")


def images(seed: int, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator).to(dtype)
    return x.contiguous(memory_format=torch.channels_last)


@settings(max_examples=40, deadline=None)
@given(
    kernel_and_stride=st.integers(1, 4).flatmap(lambda k: st.tuples(st.just(k), st.integers(1, k))),
    height=st.integers(4, 11),
    width=st.integers(4, 11),
    ceiling=st.booleans(),
    relu=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_compiled_max_pool_equals_torch_forward_and_backward(
    kernel_and_stride, height, width, ceiling, relu, dtype
):
    kernel, stride = kernel_and_stride
    pool = MaxPool(kernel, stride=stride, ceiling=ceiling)
    x = images(0, (3, 5, height, width), dtype).requires_grad_()
    wide = x.detach().float().requires_grad_()
    assert pool.can_fuse(x)
    found = pool(x, relu=relu)
    wanted = functional.max_pool2d(wide, kernel, stride, ceil_mode=ceiling)
    wanted = wanted.relu() if relu else wanted
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found.float(), wanted)
    g = images(1, tuple(found.shape), dtype)
    found.backward(g)
    wanted.backward(g.float())
    tolerance = 1e-6 if dtype == torch.float32 else 2**-7
    torch.testing.assert_close(x.grad.float(), wide.grad, rtol=tolerance, atol=tolerance)


def test_nan_is_kept():
    x = images(0, (1, 2, 5, 5), torch.float32)
    x[0, 0, 2, 2] = float("nan")
    found = MaxPool()(x.requires_grad_(), relu=True)
    assert found[0, 0].isnan().all() and not found[0, 1].isnan().any()


def test_the_bits_do_not_depend_on_the_threads():
    found = set()
    before = torch.get_num_threads()
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        x = images(0, (5, 7, 13, 11), torch.float32).requires_grad_()
        y = MaxPool()(x, relu=True)
        y.backward(images(1, tuple(y.shape), torch.float32))
        found.add((y.detach().numpy().tobytes(), x.grad.numpy().tobytes()))
    torch.set_num_threads(before)
    assert len(found) == 1


def test_unsupported_inputs_use_torch_pooling():
    pool = MaxPool()
    x = images(0, (2, 3, 6, 7), torch.float32)
    assert not pool.can_fuse(x)
    assert not pool.can_fuse(x.contiguous().requires_grad_())
    assert not pool.can_fuse(x.double().requires_grad_())
