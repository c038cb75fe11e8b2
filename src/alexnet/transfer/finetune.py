"""From trained weights to a network for other classes: all layers but the last are kept."""

from __future__ import annotations

from typing import Any

from torch import nn

from alexnet.build import Start
from alexnet.errors import WeightsError
from alexnet.models import Network, build_model
from alexnet.recipe import Recipe, RecipeChanges, changed
from alexnet.recipes import finetuning
from alexnet.weights import Weights, digest_of

__all__ = ["finetuning_recipe", "with_new_head"]


def with_new_head(weights: Weights, classes: int, *, seed: int = 0) -> Start:
    """Build the weights' network for `classes` classes; the last layer starts anew.

    Args:
        weights: trained weights.
        classes: how many classes the new last layer answers for.
        seed: of the new layer's first weights.

    Returns:
        The network, every tensor but those of its last layer as trained, and its preprocessing.

    Raises:
        WeightsError: the weights do not fit their own network.
    """
    trained = weights.network()
    arguments: dict[str, Any] = {**trained.arguments, "classes": classes}
    network = build_model(trained.model, **arguments, seed=seed)
    head = last_layer(network)
    kept = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if name.rpartition(".")[0] != head
    }
    network.load_state_dict({**network.state_dict(), **kept})
    return Start(network, weights.preprocessing, digest_of(weights.state))


def last_layer(network: Network) -> str:
    """Return the name of the last layer that has weights."""
    named = [name for name, layer in network.named_children() if _has_weights(layer)]
    if not named:
        raise WeightsError(f'The model "{network.model}" has no layer with weights to replace.')
    return named[-1]


def finetuning_recipe(
    network: Network, *, lr_new: float, lr_old: float, changes: RecipeChanges
) -> Recipe:
    """Return the recipe: the last layer learns at `lr_new`, all others at `lr_old`.

    As in the program's fine-tuning (`layer-params-146-2012-2011.cfg`), where the new layer learns
    ten times as fast as the old ones.
    """
    head = last_layer(network)
    layers = [name for name, layer in network.named_children() if _has_weights(layer)]
    slow = tuple(f"{name}={lr_old / lr_new:g}" for name in layers if name != head)
    recipe = changed(finetuning(), {"model": network.model, "lr": lr_new, "layer_lr": slow})
    return changed(recipe, changes)


def _has_weights(layer: nn.Module) -> bool:
    return any(True for _ in layer.parameters())
