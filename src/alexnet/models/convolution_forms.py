"""Which convolutions of a network Winograd's form computes, and which are left to torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any, TypedDict, cast

import torch
from torch import nn

from alexnet.devices import ConvolutionForm
from alexnet.models.evaluation_mode import evaluating
from alexnet.nn import Convolution
from alexnet.text import join_words

__all__ = ["LayerForm", "describe_convolutions", "describe_forms", "layer_form"]

_NAMED = 4  # layers that are named; of more, how many they are


class LayerForm(TypedDict):
    """What `LayerSummary` says of the form of a convolution; all None: it is none."""

    tile: int | None
    saving: float | None
    torch_because: str | None


def layer_form(parts: Iterable[tuple[nn.Module, tuple[int, ...]]]) -> LayerForm:
    """Return how Winograd's form computes a layer, or why it is left to torch.

    Nothing is computed and nothing is measured: shapes decide.

    Args:
        parts: the layer, or the layers that it is made of, with the shape of what each reads of one
            image. Where one of them is left to torch, or saves less, that is what is said.
    """
    convolutions = [(each, shape) for each, shape in parts if isinstance(each, nn.Conv2d)]
    found: list[Any] = [
        part.winograd_plan_or_reason((part.in_channels, *shape[1:]))
        if isinstance(part, Convolution)
        else "layers of torch's own have no other form"
        for part, shape in convolutions
    ]
    reason = next((each for each in found if isinstance(each, str)), None)
    if reason is not None or not found:
        return {"tile": None, "saving": None, "torch_because": reason}
    plan = min(found, key=lambda each: each.saving)
    return {"tile": plan.m, "saving": plan.saving, "torch_because": None}


def describe_convolutions(network: nn.Module, form: ConvolutionForm) -> str | None:
    """Say which layers are computed in which form; None where all are torch's.

    One image goes through the network, in evaluation mode, to see the sizes of its maps.

    Args:
        network: with an attribute `crop_px`, on its device.
        form: that is asked for.
    """
    modules = cast("Any", network).named_modules()
    layers: dict[str, nn.Conv2d] = {
        name: each for name, each in modules if isinstance(each, nn.Conv2d)
    }
    if form == "torch" or not layers:
        return None
    fast: list[str] = []
    for name, x in _inputs(network, layers).items():
        layer = layers[name]
        if isinstance(layer, Convolution) and layer.winograd_plan(x) is not None:
            fast.append(name)
    return describe_forms(fast, [name for name in layers if name not in fast])


def describe_forms(fast: list[str], plain: list[str]) -> str:
    """Say which layers are computed in which form.

    Args:
        fast: names of those that Winograd's form computes.
        plain: names of those that torch does.
    """
    if not plain:
        return "all by Winograd"
    if len(plain) > _NAMED:
        return f"{len(fast)} of {len(fast) + len(plain)} by Winograd, the others by torch"
    others = f"{join_words(plain)} by torch"
    return f"{others}, the others by Winograd" if fast else f"{others}: shapes without another form"


def _inputs(network: nn.Module, layers: dict[str, nn.Conv2d]) -> dict[str, torch.Tensor]:
    """Return what each layer reads of one image of zeros."""
    found: dict[str, torch.Tensor] = {}
    side: Any = network.crop_px
    device = next(iter(layers.values())).weight.device
    with contextlib.ExitStack() as hooks, evaluating(network), torch.inference_mode():
        for name, layer in layers.items():

            def keep(_: Any, given: tuple[torch.Tensor, ...], name: str = name) -> None:
                found[name] = given[0]

            hooks.callback(layer.register_forward_pre_hook(keep).remove)
        network(torch.zeros(1, 3, side, side, device=device))
    return found
