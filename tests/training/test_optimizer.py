"""The momentum rule against the same rule written out with Python's floats."""

from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from alexnet.errors import RecipeError
from alexnet.models import build_model
from alexnet.recipe import Recipe
from alexnet.training import PaperMomentum, Rates


def one_layer() -> nn.Module:
    network = nn.Sequential()
    network.add_module("fc1", nn.Linear(1, 1).double())
    network.add_module("fc2", nn.Linear(1, 1).double())
    return network


def naive(
    w: float, gradients: list[float], rates: list[float], m: float, weight_decay: float
) -> float:
    v = 0.0
    for gradient, rate in zip(gradients, rates, strict=True):
        v = m * v - weight_decay * rate * w - rate * gradient
        w = w + v
    return w


@settings(max_examples=30, deadline=None)
@given(
    gradients=st.lists(st.floats(-3, 3), min_size=1, max_size=12),
    drop_at=st.integers(0, 12),
    momentum=st.floats(0, 0.99),
    weight_decay=st.floats(0, 0.1),
)
def test_equals_the_printed_rule_across_a_drop(gradients, drop_at, momentum, weight_decay):
    network = one_layer()
    recipe = Recipe(momentum=momentum, weight_decay=weight_decay)
    optimizer = PaperMomentum(network, recipe)
    weight, bias = network[0].weight, network[0].bias
    rates = [0.1 if step < drop_at else 0.01 for step in range(len(gradients))]
    wanted_weight = naive(weight.item(), gradients, rates, momentum, weight_decay)
    wanted_bias = naive(bias.item(), gradients, [2 * r for r in rates], momentum, weight_decay)
    for gradient, rate in zip(gradients, rates, strict=True):
        weight.grad = torch.full_like(weight, gradient)
        bias.grad = torch.full_like(bias, gradient)
        optimizer.set_lr(Rates(weights=rate, biases=2 * rate, epoch=0))
        optimizer.step()
    assert weight.item() == pytest.approx(wanted_weight, rel=1e-12)
    assert bias.item() == pytest.approx(wanted_bias, rel=1e-12)


def test_differs_from_torch_sgd_only_after_a_drop():
    ours, theirs = one_layer(), one_layer()
    theirs.load_state_dict(ours.state_dict())
    optimizer = PaperMomentum(ours, Recipe(weight_decay=0.01))
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    for step in range(6):
        rate = 0.1 if step < 4 else 0.01
        for group in sgd.param_groups:
            group["lr"] = rate
        for network in (ours, theirs):
            for parameter in network.parameters():
                parameter.grad = torch.ones_like(parameter)
        optimizer.set_lr(Rates(rate, rate, 0))
        optimizer.step()
        sgd.step()
        same = torch.allclose(ours[0].weight, theirs[0].weight, atol=1e-12)
        assert same == (step < 4)


def test_biases_do_not_decay_when_the_recipe_says_so():
    network = one_layer()
    optimizer = PaperMomentum(network, Recipe(weight_decay=0.5, bias_weight_decay=False))
    assert optimizer.slots["fc1.weight"].weight_decay == 0.5
    assert optimizer.slots["fc1.bias"].weight_decay == 0


def test_a_frozen_layer_neither_changes_nor_needs_gradients():
    network = one_layer()
    recipe = Recipe(layer_lr=("fc1@2=0.1", "fc1@5=0"))
    optimizer = PaperMomentum(network, recipe)
    slot = optimizer.slots["fc1.weight"]
    assert [slot.multiple(epoch) for epoch in (0, 2, 4, 5, 9)] == [1.0, 0.1, 0.1, 0.0, 0.0]
    optimizer.prepare(5)
    assert not network[0].weight.requires_grad
    assert network[1].weight.requires_grad
    before = network[0].weight.clone()
    slot.velocity.fill_(1.0)
    network[0].weight.grad = torch.ones_like(before)
    optimizer.set_lr(Rates(0.1, 0.1, 5))
    optimizer.step()
    assert torch.equal(network[0].weight, before)
    assert slot.velocity.item() == 1.0, "skipped entirely: no momentum either"
    optimizer.prepare(0)
    assert network[0].weight.requires_grad


def test_published_decay_is_used_where_the_recipe_has_none():
    network = one_layer()
    optimizer = PaperMomentum(
        network, Recipe(weight_decay=None, layer_weight_decay=("fc2=7",)), {"fc1": 3.0}
    )
    assert optimizer.slots["fc1.weight"].weight_decay == 3.0
    assert optimizer.slots["fc2.weight"].weight_decay == 7.0


def test_unknown_layer_is_named_with_the_nearest():
    with pytest.raises(RecipeError, match=r'layer "fc3", which this network.*Did you mean'):
        PaperMomentum(one_layer(), Recipe(layer_lr=("fc3=0.1",)))


def test_state_round_trip():
    network = one_layer()
    optimizer = PaperMomentum(network, Recipe())
    for slot in optimizer.slots.values():
        slot.velocity.normal_()
    other = PaperMomentum(one_layer(), Recipe())
    other.load_state(optimizer.state())
    for name, velocity in optimizer.state().items():
        assert torch.equal(velocity, other.state()[name])


def test_settings_may_name_a_single_tensor():
    recipe = Recipe(
        weight_decay=0.1,
        layer_lr=("fc1.bias=3", "fc2=0.5"),
        layer_weight_decay=("fc2.weight=7",),
        layer_momentum=("fc1.weight=0", "fc2=0.5"),
    )
    slots = PaperMomentum(one_layer(), recipe).slots
    assert [slots[f"fc{n}.{k}"].multiple(0) for n in (1, 2) for k in ("weight", "bias")] == [
        *(1.0, 3.0, 0.5, 0.5)
    ]
    assert (slots["fc2.weight"].weight_decay, slots["fc2.bias"].weight_decay) == (7.0, 0.1)
    assert [slot.momentum for slot in slots.values()] == [0.0, 0.9, 0.5, 0.5]


def test_each_tensors_own_momentum_is_used():
    network = one_layer()
    recipe = Recipe(momentum=0.9, weight_decay=0, layer_momentum=("fc1=0.5",))
    optimizer = PaperMomentum(network, recipe)
    gradients, rates = [1.0, -2.0, 0.5], [0.1] * 3
    wanted = naive(network[0].weight.item(), gradients, rates, 0.5, 0)
    other = naive(network[1].weight.item(), gradients, rates, 0.9, 0)
    for gradient in gradients:
        for each in network.parameters():
            each.grad = torch.full_like(each, gradient)
        optimizer.set_lr(Rates(0.1, 0.1, 0))
        optimizer.step()
    assert network[0].weight.item() == pytest.approx(wanted, rel=1e-12)
    assert network[1].weight.item() == pytest.approx(other, rel=1e-12)


def test_a_parameter_of_the_network_itself_is_named_as_it_is():
    network = one_layer()
    network.register_parameter("shift", nn.Parameter(torch.zeros(1)))
    slots = PaperMomentum(network, Recipe(layer_lr=("shift=0.5",))).slots
    assert slots["shift"].multiple(0) == 0.5


def test_a_momentum_of_one_is_an_error():
    with pytest.raises(RecipeError, match="layer_momentum must be under 1; got 'fc1=1'"):
        Recipe(layer_momentum=("fc1=1",))


def test_statistics_of_frozen_batch_norms_stay_and_others_change():
    network = build_model("alexnet_small", classes=2, image_px=28, crop_px=24)
    rates = ("bn1=0", "bn2=0", "bn2@3=1")
    optimizer = PaperMomentum(network, Recipe(model="alexnet_small", layer_lr=rates))
    x = 5 + torch.randn(8, 3, 24, 24, generator=torch.Generator().manual_seed(0))

    def changed(epoch: int) -> set[str]:
        before = {name: each.clone() for name, each in network.named_buffers()}
        network.train()
        optimizer.prepare(epoch)
        network(x)
        named = network.named_buffers()
        return {name.split(".")[0] for name, each in named if not torch.equal(each, before[name])}

    assert changed(0) == {"bn3", "bn4", "bn5"}
    assert changed(3) == {"bn2", "bn3", "bn4", "bn5"}


def test_a_layer_learns_no_faster_than_its_limit():
    network = nn.Sequential(OrderedDict(a=nn.Linear(2, 2), b=nn.Linear(2, 2)))
    optimizer = PaperMomentum(network, Recipe(momentum=0.0, weight_decay=0.0))
    assert optimizer.lr_limits == {}
    optimizer.limit_lr({"b": 0.25})
    assert optimizer.lr_limits == {"b": 0.25}
    for rate, wanted in ((1.0, 0.25), (0.125, 0.125)):
        before = {name: each.detach().clone() for name, each in network.named_parameters()}
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.set_lr(Rates(rate, rate, 0))
        optimizer.step()
        for name, each in network.named_parameters():
            moved = float((before[name] - each.detach()).mean())
            assert moved == pytest.approx(wanted if name.startswith("b.") else rate), name
    optimizer.limit_lr({})
    assert optimizer.lr_limits == {}


@pytest.mark.parametrize(("frozen", "learns"), [((), True), (("conv=0",), False)])
def test_a_normalization_without_weights_is_frozen_with_the_layer_before_it(frozen, learns):
    layers = OrderedDict(conv=nn.Conv2d(3, 4, 1), bn=nn.BatchNorm2d(4, affine=False))
    network = nn.Sequential(OrderedDict(**layers, last=nn.Conv2d(4, 2, 1))).train()
    PaperMomentum(network, Recipe(layer_lr=frozen)).prepare(0)
    network(torch.randn(8, 3, 2, 2))
    assert bool(network.bn.running_mean.any()) == learns


@pytest.mark.parametrize("keeps", [False, True])
def test_statistics_are_kept_where_asked_and_weights_learn_all_the_same(keeps):
    network = nn.Sequential(OrderedDict(conv=nn.Conv2d(3, 4, 1), bn=nn.BatchNorm2d(4))).train()
    optimizer = PaperMomentum(network, Recipe())
    optimizer.prepare(0, keeps_statistics=keeps)
    network(torch.randn(8, 3, 2, 2)).square().sum().backward()
    assert bool(network.bn.running_mean.any()) != keeps
    assert network.bn.weight.grad is not None


def test_velocities_are_let_go():
    optimizer = PaperMomentum(one_layer(), Recipe())
    kept = optimizer.state()
    assert sum(each.numel() for each in kept.values()) == 4
    optimizer.release()
    assert sum(each.numel() for each in optimizer.state().values()) == 0
