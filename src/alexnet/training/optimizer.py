"""The paper's momentum rule, with each layer's rate and decay.

    v <- momentum * v - decay * rate * w - rate * gradient
    w <- w + v

Section 5 of the paper and the program's `src/weights.cu`. The rate stands inside the velocity, so
after a drop the old, larger steps fade out; torch's SGD shrinks them at once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from alexnet.errors import RecipeError, did_you_mean
from alexnet.kernels.foreach_momentum import DeviceLearningRate, foreach_momentum_step
from alexnet.nn import FullyConnected
from alexnet.recipe import LayerSetting, Recipe

__all__ = ["PaperMomentum", "Rates"]


_LARGE = 1 << 20  # weights: 4 MB of a gradient

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Rates:
    """The learning rates of one step, before a layer's own multiple."""

    weights: float
    biases: float
    epoch: int  # counted from 0: which of the layers' multiples hold


@dataclass
class _Slot:
    """One parameter with its velocity and what the recipe says of its layer."""

    parameter: nn.Parameter
    velocity: Tensor
    is_bias: bool
    momentum: float
    weight_decay: float
    multiples: tuple[LayerSetting, ...]
    lr_limit: float = math.inf

    def multiple(self, epoch: int) -> float:
        """Return the layer's multiple of the rate: of its settings the last that has begun."""
        begun = [each for each in self.multiples if each.from_epoch <= epoch]
        return max(begun, key=lambda each: each.from_epoch).value if begun else 1.0


@dataclass
class _Group:
    """Parameters with the same momentum, decay and rate."""

    slots: list[_Slot]
    on_device: DeviceLearningRate | None  # where the rate must be a number in memory
    rate: float = 0.0

    def set_lr(self, rates: Rates) -> None:
        first = self.slots[0]
        base = rates.biases if first.is_bias else rates.weights
        self.rate = min(base * first.multiple(rates.epoch), first.lr_limit)
        if self.on_device is not None:
            self.on_device.set_lr(self.rate)

    def step(self) -> None:
        if self.rate == 0:
            return
        if self.on_device is None:
            for slot in self.slots:
                self.step_slot(slot)
            return
        slots = [slot for slot in self.slots if slot.parameter.grad is not None]
        foreach_momentum_step(
            [slot.parameter for slot in slots],
            [slot.velocity for slot in slots],
            [slot.parameter.grad for slot in slots if slot.parameter.grad is not None],
            self.slots[0].momentum,
            self.on_device,
        )

    @torch.no_grad()
    def step_slot(self, slot: _Slot) -> None:
        """Change one parameter, where it has a gradient, and where the rate is a plain number."""
        if self.rate != 0 and slot.parameter.grad is not None:
            _step(slot, slot.parameter, slot.velocity, slot.parameter.grad, self.rate)

    def step_at_gradient(self, slot: _Slot, parameter: Tensor) -> None:
        """Change one parameter whose gradient is there now, and let the gradient go."""
        self.step_slot(slot)
        parameter.grad = None

    @torch.no_grad()
    def step_rows(self, slot: _Slot, start: int, gradient: Tensor) -> None:
        """Change some rows of one parameter, from `start` on, by their gradient."""
        if self.rate != 0:
            rows = slice(start, start + len(gradient))
            _step(slot, slot.parameter[rows], slot.velocity[rows], gradient, self.rate)


class PaperMomentum:
    """Momentum as printed, over the named parameters of a network.

    Args:
        network: its parameters are named LAYER.weight and LAYER.bias.
        recipe: momentum, weight_decay, bias_weight_decay, layer_lr, layer_weight_decay and
            layer_momentum are read from it; these name layers, or single tensors such as
            "conv1.bias".
        published_decay: each layer's decay by its authors, used where `recipe.weight_decay` is
            None.
        rates_on_device: whether rates are numbers in the device's memory, as a graph of a step
            needs; None: on everything but a processor.

    Raises:
        RecipeError: layer_lr or layer_weight_decay names a layer that the network does not have.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        published_decay: dict[str, float] | None = None,
        *,
        rates_on_device: bool | None = None,
    ) -> None:
        names = [name for name, _ in network.named_parameters()]
        rates = _settings(recipe.layer_lr, "layer_lr", names)
        decays = _settings(recipe.layer_weight_decay, "layer_weight_decay", names)
        momenta = _settings(recipe.layer_momentum, "layer_momentum", names)
        self.slots: dict[str, _Slot] = {}
        self._network = network
        for name, parameter in network.named_parameters():
            layer, _, kind = name.rpartition(".")
            is_bias = kind == "bias" or parameter.dim() <= 1
            own = _values(decays, name)
            weight_decay = own[-1] if own else _decay(recipe, layer, published_decay or {})
            self.slots[name] = _Slot(
                parameter,
                torch.zeros_like(parameter),  # keeps the memory format of the parameter
                is_bias,
                (_values(momenta, name) or [recipe.momentum])[-1],
                weight_decay if recipe.bias_weight_decay or not is_bias else 0.0,
                tuple(each for each in rates if _holds_for(each, name)),
            )
        self._rates_on_device = rates_on_device
        self._groups = _grouped(list(self.slots.values()), rates_on_device)

    def prepare(self, epoch: int, *, keeps_statistics: bool = False) -> None:
        """Switch the gradients of frozen layers off before an epoch, and of the others on.

        A frozen batch normalization goes by the mean and deviation that it knows, and learns none
        from the batches: call this after the network was set to train. One without weights of its
        own (Caffe's, whose weights are a layer behind it) is frozen with the layer before it.

        Args:
            epoch: counted from 0.
            keeps_statistics: whether every batch normalization goes by what it knows.
        """
        for slot in self.slots.values():
            slot.parameter.requires_grad_(slot.multiple(epoch) > 0)
        learns = True
        for layer in self._network.modules():
            own = [*layer.parameters(recurse=False)]
            learns = any(p.requires_grad for p in own) if own else learns
            if isinstance(layer, _BATCH_NORMS) and (keeps_statistics or not learns):
                layer.eval()

    @property
    def lr_limits(self) -> dict[str, float]:
        """The largest rate of each layer that has one, whatever recipe and schedule say."""
        limited = {name: slot for name, slot in self.slots.items() if slot.lr_limit < math.inf}
        return {name.rpartition(".")[0]: slot.lr_limit for name, slot in limited.items()}

    def limit_lr(self, limits: Mapping[str, float]) -> None:
        """Give layers, by name, the largest rate at which they may learn; others have none."""
        if dict(limits) == self.lr_limits:
            return  # a recorded graph of a step goes on with the groups that it knows
        for name, slot in self.slots.items():
            slot.lr_limit = limits.get(name.rpartition(".")[0], math.inf)
        self._groups = _grouped(list(self.slots.values()), self._rates_on_device)

    def set_lr(self, rates: Rates) -> None:
        """Set the rates of the steps to come."""
        for group in self._groups:
            group.set_lr(rates)

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter that has a gradient; a rate of zero leaves it out entirely."""
        for group in self._groups:
            group.step()

    @contextmanager
    def stepping_in_backward(self) -> Generator[None]:
        """Change each parameter as soon as a backward pass has made its gradient; no `step` after.

        Both passes belong into it. The numbers are those of a `step` after the pass. A gradient
        lives until its parameter is changed, so that there is one at a time and not one of every
        parameter, which takes as much memory as the network; of a large fully connected layer there
        are some rows at a time. Rates must be plain numbers, as on a processor. No layer may read
        its weights in its backward pass but in the operator that also makes their gradient: ours do
        not; of an external model nobody knows.
        """
        layers = [each for each in self._network.modules() if isinstance(each, FullyConnected)]
        by_rows = {each.weight: each for each in layers if each.weight.numel() >= _LARGE}
        handles: list[Any] = []
        try:
            for group, slot in self._changing_slots():
                at_gradient = partial(group.step_at_gradient, slot)
                # also where a layer gives rows: in which precision it computes, it knows by itself
                handles.append(slot.parameter.register_post_accumulate_grad_hook(at_gradient))
                if slot.parameter in by_rows:
                    by_rows[slot.parameter].take_rows = partial(group.step_rows, slot)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for layer in by_rows.values():
                layer.take_rows = None

    def _changing_slots(self) -> list[tuple[_Group, _Slot]]:
        """Return the parameters that get gradients, each with its group."""
        slots = [(group, slot) for group in self._groups for slot in group.slots]
        return [(group, slot) for group, slot in slots if slot.parameter.requires_grad]

    def plan(self) -> tuple[bool, ...]:
        """Return what decides over a step's operators: rates of 0, parameters without gradient."""
        changing = [group.rate != 0 for group in self._groups]
        return (*changing, *(slot.parameter.requires_grad for slot in self.slots.values()))

    def state(self) -> dict[str, Tensor]:
        """Return the velocities by parameter name; the tensors themselves, not copies."""
        return {name: slot.velocity for name, slot in self.slots.items()}

    def release(self) -> None:
        """Let go of the velocities, as much memory as the weights; no step follows."""
        for slot in self.slots.values():
            slot.velocity = slot.velocity.new_empty(0)

    def load_state(self, velocities: dict[str, Tensor]) -> None:
        """Copy velocities back in; the names and shapes are those of `state()`."""
        for name, slot in self.slots.items():
            slot.velocity.copy_(velocities[name])


def _grouped(slots: list[_Slot], rates_on_device: bool | None) -> list[_Group]:
    """Put together what always has the same momentum, decay and rate."""
    groups: dict[Any, _Group] = {}
    for slot in slots:
        own = slot.parameter
        settings = (slot.is_bias, slot.multiples, slot.momentum, slot.weight_decay, slot.lr_limit)
        key = (*settings, own.dtype, own.device)
        if key not in groups:
            on_device = own.device.type != "cpu" if rates_on_device is None else rates_on_device
            rate = DeviceLearningRate(own, slot.weight_decay) if on_device else None
            groups[key] = _Group([], rate)
        groups[key].slots.append(slot)
    return list(groups.values())


def _step(slot: _Slot, parameter: Tensor, velocity: Tensor, gradient: Tensor, rate: float) -> None:
    """Change a parameter and its velocity, or some rows of both, by their gradient."""
    tensors = (parameter, velocity, gradient)
    if (kernels := _fused_momentum()) and kernels.supports(*tensors):
        kernels.momentum_step(*tensors, slot.momentum, slot.weight_decay, rate)
        return
    velocity.mul_(slot.momentum)
    if slot.weight_decay:
        velocity.add_(parameter, alpha=-slot.weight_decay * rate)
    velocity.add_(gradient, alpha=-rate)
    parameter.add_(velocity)


@functools.cache
def _fused_momentum() -> Any:
    """Return the module of the compiled rule, or None where numba is not installed."""
    try:
        from alexnet.kernels import momentum as fused_momentum
    except ImportError:
        return None
    return fused_momentum


def _decay(recipe: Recipe, layer: str, published: dict[str, float]) -> float:
    if recipe.weight_decay is not None:
        return recipe.weight_decay
    return published.get(layer, 0.0 if published else 0.0005)


def _holds_for(setting: LayerSetting, name: str) -> bool:
    """Say whether a setting names this tensor, or the layer that it belongs to."""
    layer = name.rpartition(".")[0]
    return fnmatchcase(layer, setting.layer) or fnmatchcase(name, setting.layer)


def _values(settings: list[LayerSetting], name: str) -> list[float]:
    return [each.value for each in settings if _holds_for(each, name)]


def _settings(texts: tuple[str, ...], field: str, names: list[str]) -> list[LayerSetting]:
    settings = [LayerSetting.parse(text, field) for text in texts]
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))
    for each in settings:
        if not any(_holds_for(each, name) for name in names):
            raise RecipeError(
                f'{field} names the layer "{each.layer}", which this network does not have.'
                f"{did_you_mean(each.layer, layers)} Its layers: {', '.join(layers)}."
            )
    return settings
