"""A few rows times weights kept in 16 or 8 bits, against float64."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("numba")

from alexnet.kernels import narrow_product

KINDS = (torch.float16, torch.bfloat16, torch.int8)


def drawn(kind, n, k, seed=0):
    values = torch.randn(n, k, generator=torch.Generator().manual_seed(seed))
    return (
        (40 * values).clamp(-127, 127).round().to(kind) if kind is torch.int8 else values.to(kind)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m", [1, 2, 3, 4, 5, 7, 16])
@pytest.mark.parametrize(("n", "k"), [(8, 64), (10, 48), (3, 16), (37, 160)])
def test_products_are_those_of_float64(kind, m, n, k):
    weights, x = drawn(kind, n, k), torch.randn(m, k, generator=torch.Generator().manual_seed(m))
    assert narrow_product.supports(weights)
    found = narrow_product.multiply(x, weights).double()
    terms = x.double().abs() @ weights.double().abs().T
    assert ((found - x.double() @ weights.double().T).abs() <= 2**-22 * terms).all()


@pytest.mark.parametrize("kind", KINDS)
def test_bits_depend_neither_on_rows_at_once_nor_on_threads(kind):
    weights, x = drawn(kind, 29, 96), torch.randn(7, 96, generator=torch.Generator().manual_seed(1))
    together = narrow_product.multiply(x, weights)
    alone = torch.cat([narrow_product.multiply(row[None], weights) for row in x])
    assert torch.equal(together, alone)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert torch.equal(narrow_product.multiply(x, weights), together)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_every_number_of_16_bits_is_widened_exactly(kind):
    every = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(kind)
    weights = torch.zeros(2**16, 16, dtype=kind)
    weights[:, 3] = every
    x = torch.zeros(1, 16)
    x[0, 3] = 1
    found, wanted = narrow_product.multiply(x, weights)[0], every.float()
    finite = wanted.isfinite()
    assert torch.equal(found[finite], wanted[finite])  # subnormal ones too
    assert not found[~finite].isfinite().any()


def test_not_a_number_spreads_to_its_own_output_alone():
    weights, x = drawn(torch.float16, 11, 32), torch.ones(5, 32)
    weights[6, 17] = float("nan")
    bad = narrow_product.multiply(x, weights).isnan()
    assert bad[:, 6].all()
    assert bad.sum() == 5


def test_rows_that_are_no_whole_vectors_are_not_supported():
    assert not narrow_product.supports(torch.zeros(4, 20, dtype=torch.float16))
    assert not narrow_product.supports(torch.zeros(4, 32))
