"""The momentum rule over lists, with its rate in memory: the printed rule, for any rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from alexnet.kernels.foreach_momentum import DeviceLearningRate, foreach_momentum_step
from alexnet.recipe import Recipe
from alexnet.training import PaperMomentum, Rates

SHAPES = ((8, 3, 5, 5), (37, 53), (7,))


def tensors(seed: int, dtype=torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for shape in SHAPES]


@pytest.mark.parametrize("weight_decay", [0.0, 0.0005])
def test_foreach_step_is_the_printed_rule_and_follows_set_lr(weight_decay):
    w, v, g = tensors(0), tensors(1), tensors(2)
    wanted = [each.clone() for each in w], [each.clone() for each in v]
    rate = DeviceLearningRate(w[0], weight_decay)
    places = rate.lr.data_ptr(), rate.lr_times_weight_decay.data_ptr()
    for number in (0.01, 0.01, 0.002):
        rate.set_lr(number)
        foreach_momentum_step(w, v, g, 0.9, rate)
        for one_w, one_v, one_g in zip(*wanted, g, strict=True):
            one_v.copy_(0.9 * one_v - weight_decay * number * one_w - number * one_g)
            one_w += one_v
    for found, should in zip([*w, *v], [*wanted[0], *wanted[1]], strict=True):
        torch.testing.assert_close(found, should, rtol=1e-13, atol=1e-15)
    assert places == (rate.lr.data_ptr(), rate.lr_times_weight_decay.data_ptr())


def test_foreach_step_in_fp32_equals_single_tensor_operators():
    w, v, g = (tensors(seed, torch.float32) for seed in range(3))
    alone = [[each.clone() for each in some] for some in (w, v)]
    rate = DeviceLearningRate(w[0], 0.0005)
    rate.set_lr(0.013)
    foreach_momentum_step(w, v, g, 0.9, rate)
    for one_w, one_v, one_g in zip(*alone, g, strict=True):
        one_v.mul_(0.9).add_(one_w, alpha=-0.0005 * 0.013).add_(one_g, alpha=-0.013)
        one_w.add_(one_v)
    for found, should in zip([*w, *v], [*alone[0], *alone[1]], strict=True):
        torch.testing.assert_close(found, should, rtol=3e-7, atol=3e-7)


def network() -> nn.Module:
    torch.manual_seed(0)
    made = nn.Sequential()
    made.add_module("conv1", nn.Conv2d(3, 4, 3))
    made.add_module("flatten", nn.Flatten())
    made.add_module("fc1", nn.Linear(64, 8))
    made.add_module("fc2", nn.Linear(8, 2))
    return made.double()


def test_foreach_and_per_tensor_optimizer_train_alike():
    recipe = Recipe(
        momentum=0.9,
        weight_decay=0.01,
        bias_weight_decay=False,
        layer_lr=("fc1@2=0.1", "conv1@4=0", "fc2.bias=3"),
        layer_weight_decay=("fc2=0.3",),
        layer_momentum=("fc1=0.5",),
    )
    found = []
    for on_device in (False, True):
        made = network()
        rule = PaperMomentum(made, recipe, rates_on_device=on_device)
        for step in range(6):
            rule.prepare(step)
            x = torch.linspace(-1, 1, 2 * 108, dtype=torch.float64).reshape(2, 3, 6, 6)
            made(x * (step + 1)).square().mean().backward()
            rule.set_lr(Rates(weights=0.01 / (step + 1), biases=0.02, epoch=step))
            rule.step()
            made.zero_grad()
        found.append([*made.state_dict().values(), *rule.state().values()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_no_gradient_or_zero_lr_changes_nothing():
    made = network()
    rule = PaperMomentum(made, Recipe(), rates_on_device=True)
    for slot in rule.slots.values():
        slot.velocity.fill_(1.0)
    before = [each.clone() for each in made.state_dict().values()]
    rule.set_lr(Rates(0.1, 0.1, 0))
    rule.step()
    made(torch.ones(1, 3, 6, 6, dtype=torch.float64)).sum().backward()
    rule.set_lr(Rates(0.0, 0.0, 0))
    rule.step()
    for one, other in zip(before, made.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert all(float(slot.velocity.min()) == 1.0 for slot in rule.slots.values())


def test_plan_says_which_parameters_move_and_have_gradients():
    rule = PaperMomentum(network(), Recipe(layer_lr=("fc1@1=0",)))
    rule.set_lr(Rates(0.1, 0.1, 0))
    first = rule.plan()
    rule.set_lr(Rates(0.2, 0.3, 0))
    assert rule.plan() == first, "a rate is no part of it"
    rule.set_lr(Rates(0.1, 0.1, 1))
    second = rule.plan()
    rule.prepare(1)
    assert len({first, second, rule.plan()}) == 3
