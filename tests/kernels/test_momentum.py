"""The compiled momentum rule against the same rule in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("numba", reason="the compiled form needs numba")

from alexnet.kernels.momentum import momentum_step, supports
from alexnet.recipe import Recipe
from alexnet.training import PaperMomentum, Rates
from alexnet.training import optimizer as optimizer

SHAPES = {"fc": (37, 53), "conv": (8, 3, 5, 5), "bias": (7,)}


def tensors(shape: tuple[int, ...], order: torch.memory_format) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    made = [torch.randn(shape, generator=generator) for _ in range(3)]
    return [each.contiguous(memory_format=order) if each.dim() == 4 else each for each in made]


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_momentum_step_is_the_printed_rule(shape, order):
    w, v, g = tensors(shape, order)
    wide_w, wide_v, wide_g = (each.double() for each in (w, v, g))
    assert supports(w, v, g)
    momentum_step(w, v, g, 0.9, 0.0005, 0.01)
    wide_v = 0.9 * wide_v - 0.0005 * 0.01 * wide_w - 0.01 * wide_g
    torch.testing.assert_close(v.double(), wide_v, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(w.double(), wide_w + wide_v, rtol=1e-6, atol=1e-6)


def test_the_bits_do_not_depend_on_the_threads():
    found = []
    before = torch.get_num_threads()
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        w, v, g = tensors((101, 103), torch.contiguous_format)
        momentum_step(w, v, g, 0.9, 0.0005, 0.01)
        found.append((w.numpy().tobytes(), v.numpy().tobytes()))
    torch.set_num_threads(before)
    assert len(set(found)) == 1


def test_other_memory_layouts_are_not_supported():
    w, v, g = tensors((6, 8), torch.contiguous_format)
    assert not supports(w, v, tensors((8, 6), torch.contiguous_format)[2].T)
    assert not supports(w.double(), v.double(), g.double())
    with_gaps = torch.zeros(6, 16)[:, :8]
    assert not supports(with_gaps, with_gaps, with_gaps)


def test_compiled_and_plain_momentum_train_alike(monkeypatch):
    results = []
    for fused in (True, False):
        if not fused:
            monkeypatch.setattr(optimizer, "_fused_momentum", lambda: None)
        torch.manual_seed(0)
        network = torch.nn.Sequential()
        network.add_module("fc1", torch.nn.Linear(5, 4))
        rule = PaperMomentum(network, Recipe(momentum=0.9, weight_decay=0.01))
        for step in range(20):
            network(torch.ones(2, 5) * (step - 7)).square().mean().backward()
            rule.set_lr(Rates(weights=0.001, biases=0.002, epoch=0))
            rule.step()
            network.zero_grad()
        results.append(np.concatenate([p.detach().numpy().ravel() for p in network.parameters()]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
