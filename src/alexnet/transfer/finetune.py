"""From trained weights to a network for other classes: all layers but the last are kept."""

from __future__ import annotations

from typing import Any

from alexnet.build import Start
from alexnet.errors import RecipeError, WeightsError
from alexnet.models import Network, bare, build_model
from alexnet.recipe import Mean, Recipe, RecipeChanges, changed
from alexnet.recipes import finetuning
from alexnet.weights import Weights

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
    trained = bare(weights.network())
    arguments: dict[str, Any] = {**trained.arguments, "classes": classes}
    network = build_model(trained.model, **arguments, seed=seed)
    head = last_layer(network)
    kept = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if not name.startswith(f"{head}.")
    }
    network.load_state_dict({**network.state_dict(), **kept})
    return Start(network, weights.preprocessing, weights.digest)


def last_layer(network: Network) -> str:
    """Return the name of the last layer that has weights."""
    if not network.head:
        raise WeightsError(f'The model "{network.model}" has no layer with weights to replace.')
    return network.head


def finetuning_recipe(
    start: Start, *, lr_new: float, lr_old: float, changes: RecipeChanges
) -> Recipe:
    """Return the recipe: the last layer learns at `lr_new`, all others at `lr_old`.

    As in the program's fine-tuning (`layer-params-146-2012-2011.cfg`), where the new layer learns
    ten times as fast as the old ones. Network and preprocessing are those of the weights.

    Raises:
        RecipeError: a change of what comes with the weights, or of a field that there is not.
    """
    network = start.network
    kept = _kept(start)
    for name in (*kept, "initialisation"):
        if name in changes:
            raise RecipeError(
                f"{name} cannot be chosen here: fine-tuning keeps the network and the "
                "preprocessing of its weights. Leave it out, or train from the beginning: alexnet "
                "train."
            )
    head = last_layer(network)
    names = (name for name, _ in network.named_parameters() if not name.startswith(f"{head}."))
    layers = dict.fromkeys(name.rpartition(".")[0] or name for name in names)
    slow = tuple(f"{name}={lr_old / lr_new:g}" for name in layers)
    recipe = changed(finetuning(), {**kept, "lr": lr_new, "layer_lr": slow})
    return changed(recipe, changes)


def _kept(start: Start) -> dict[str, Any]:
    """Return the fields of a recipe that are settled by the weights, as the weights have them."""
    rule, arguments = start.preprocessing, start.network.arguments
    mean: Mean = "none"
    if rule.mean is not None:
        whole = "central" if rule.mean_at == "centre" else "image"
        mean = whole if rule.mean.ndim == 3 else "channel"
    return {
        "model": start.network.model,
        "activation": arguments.get("activation"),
        "dropout": arguments.get("dropout"),
        "image_px": rule.image_px,
        "crop_px": rule.crop_px,
        "fit": rule.fit,
        "mean": mean,
        "standardise": rule.scale is not None,
    }
