"""Fine-tuning: a network for other classes out of trained weights, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alexnet.errors import RecipeError, WeightsError, did_you_mean
from alexnet.models import Network, backbone_of, build_model, without_bent_scores
from alexnet.models.builder import Options, sizes
from alexnet.recipe import WITH_WEIGHTS, Mean, Recipe, RecipeChanges, changed
from alexnet.recipes import choose_recipe, finetuning
from alexnet.runs.job import Start
from alexnet.text import format_count
from alexnet.transfer.last_layer import is_fittable
from alexnet.weights import Weights

__all__ = [
    "finetuning_recipe",
    "frozen_layers",
    "last_layer",
    "resized_weights",
    "scratch_recipe",
    "with_first_weights",
    "with_new_head",
]


_SIZES = ("image_px", "crop_px")
"""Fields that weights of some models can follow: `resized_weights`."""


def resized_weights(weights: Weights, changes: RecipeChanges) -> Weights:
    """Return the weights for the sides of images and crops that are asked for, or as they are.

    Args:
        weights: trained weights.
        changes: fields of the recipe; of `image_px` and `crop_px` one alone gives the other, as
            `build_model` does.

    Raises:
        RecipeError: sides that cannot work, or a layer that fixes the size.
    """
    image_px, crop_px = changes.get("image_px"), changes.get("crop_px")
    rule = weights.preprocessing
    options = Options(classes=len(weights.classes), image_px=image_px, crop_px=crop_px)
    image_px, crop_px = sizes(options, rule.image_px, rule.crop_px)
    return weights.resized(image_px=image_px, crop_px=crop_px)


def with_new_head(weights: Weights, classes: int, *, seed: int = 0) -> Start:
    """Build the weights' network for `classes` classes; the last layer is a new one.

    An activation behind the last layer of a graph is left out: see `without_bent_scores`.

    Args:
        weights: trained weights.
        classes: of the new last layer.
        seed: of the new layer's first weights.

    Returns:
        The network, every tensor but those of its last layer as trained, and its preprocessing.

    Raises:
        WeightsError: the weights do not fit their own network.
    """
    trained = backbone_of(weights.network())
    arguments = _arguments_for(trained.arguments, classes)
    network = build_model(trained.model, **arguments, seed=seed)
    head = last_layer(network)
    own = network.state_dict()
    backbone = {
        name: tensor
        for name, tensor in trained.state_dict().items()
        if name in own and not name.startswith(f"{head}.") and tensor.shape == own[name].shape
    }
    network.load_state_dict({**own, **backbone})
    fits = is_fittable(network)
    return Start(network, weights.preprocessing, weights.digest, fits_last_layer=fits)


def _arguments_for(arguments: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """Return what builds a trained network for other classes."""
    others: dict[str, Any] = {**arguments, "classes": classes}
    if "graph" in others:
        others["graph"] = without_bent_scores(others["graph"])
    return others


def last_layer(network: Network) -> str:
    """Return the name of the last layer that has weights."""
    if not network.head:
        raise WeightsError(f'The model "{network.model}" has no layer with weights to replace.')
    return network.head


def with_first_weights(weights: Weights, recipe: Recipe, classes: int) -> Start:
    """Build the weights' network for `classes` classes as it was before any training.

    Args:
        weights: name the network and its preprocessing; their tensors are not used.
        recipe: of the training from scratch: its seed and initialization.
        classes: of the last layer.
    """
    arguments: dict[str, Any] = {**_arguments_for(weights.arguments, classes), "head": None}
    network = build_model(
        weights.model, **arguments, initialization=recipe.initialization, seed=recipe.seed
    )
    return Start(network, weights.preprocessing, None)


def finetuning_recipe(
    start: Start,
    *,
    head_lr: float,
    backbone_lr: float,
    changes: RecipeChanges,
    freeze: Sequence[str] = (),
    head_epochs: int | None = None,
) -> Recipe:
    """Return the recipe: the last layer is trained at `head_lr`, all others at `backbone_lr`.

    As in the program's fine-tuning (`layer-params-146-2012-2011.cfg`), where the rate of the
    new layer is ten times that of the old ones. Network and preprocessing are those of the weights.

    Args:
        start: the network that training starts from.
        head_lr: rate of the last layer.
        backbone_lr: rate of the others; 0 freezes them.
        changes: fields of the recipe.
        freeze: layers that keep their weights: names, or ranges such as "conv1..conv3".
        head_epochs: epochs in which the last layer alone is trained; None: none where it is fitted
            before, else a tenth of all.

    Raises:
        RecipeError: a change of what comes with the weights, a field or a layer that there is not,
            or no epoch left for the old layers.
    """
    fields = _fields_of(start)
    for name in (*WITH_WEIGHTS, *_SIZES):
        if name in changes and not (name in _SIZES and changes.get(name) in (None, fields[name])):
            raise RecipeError(
                f"{name} cannot be chosen here: fine-tuning keeps the network and the "
                "preprocessing of its weights. Leave it out, or train from the beginning: alexnet "
                "train."
            )
    recipe = changed(finetuning(), {**fields, **_crop_fields(finetuning(), fields), "lr": head_lr})
    own = ("layer_lr", *_SIZES)
    recipe = changed(recipe, {name: each for name, each in changes.items() if name not in own})
    alone = head_epochs
    if alone is None:
        alone = 0 if start.fits_last_layer else recipe.epochs // 10
    if alone < 0 or (alone >= recipe.epochs and backbone_lr > 0):
        raise RecipeError(
            "head_epochs must be at least 0 and leave some of "
            f"{format_count(recipe.epochs, 'epoch')} for the other layers; got {alone}. Ask for "
            "more --epochs, or freeze the other layers with --backbone-lr 0."
        )
    frozen = frozen_layers(start.network, freeze)
    rates: list[str] = []
    for name in _backbone_layers(start.network):
        ratio = 0.0 if name in frozen else backbone_lr / head_lr
        rates += (
            [f"{name}=0", f"{name}@{alone}={ratio:g}"] if alone and ratio else [f"{name}={ratio:g}"]
        )
    return changed(recipe, {"layer_lr": changes.get("layer_lr", tuple(rates))})


def scratch_recipe(start: Start, tuned: Recipe) -> Recipe:
    """Return the recipe that suits the network, for a training from scratch on the same terms.

    Network, preprocessing, split, batch and class weights are those of the fine-tuning, the rate in
    proportion to the batch; there are at least twice as many epochs.

    Args:
        start: the network with its first weights.
        tuned: the fine-tuning that it is compared with.
    """
    own = choose_recipe(None, {"model": start.network.model})
    fields = _fields_of(start)
    batch = min(own.batch_size, tuned.batch_size)
    same = {
        name: getattr(tuned, name) for name in ("seed", "val_fraction", "class_weights", "flip")
    }
    return changed(
        own,
        {
            **fields,
            **_crop_fields(own, fields),
            **same,
            "batch_size": batch,
            "lr": own.lr * batch / own.batch_size,
            "epochs": max(own.epochs, 2 * tuned.epochs),
        },
    )


def frozen_layers(network: Network, freeze: Sequence[str]) -> set[str]:
    """Return the layers with weights that names and ranges stand for.

    A batch normalization right behind a layer belongs to it.

    Args:
        network: its layers, in order.
        freeze: names, or ranges such as "conv1..conv3".

    Raises:
        RecipeError: no such layer, the new last one, or a range that leads back.
    """
    layers, last = _backbone_layers(network), last_layer(network)
    frozen: set[str] = set()
    for text in freeze:
        first, dots, end = text.partition("..")
        ends = (first, end if dots else first)
        for name in ends:
            if name == last:
                raise RecipeError(
                    f"{last} cannot be frozen: it is the new last layer. Freeze layers before it."
                )
            if name not in layers:
                raise RecipeError(
                    f'freeze names the layer "{name}", which has no weights here.'
                    f"{did_you_mean(name, layers)} Layers: {', '.join(layers)}; "
                    f"{last} is the new last one, which cannot be frozen."
                )
        start, stop = map(layers.index, ends)
        if stop < start:
            raise RecipeError(f'freeze: "{text}" leads back; write {end}..{first}.')
        while stop + 1 < len(layers) and _scales_alone(network, layers[stop + 1]):
            stop += 1
        frozen.update(layers[start : stop + 1])
    return frozen


def _scales_alone(network: Network, layer: str) -> bool:
    """Whether a layer has a number for each channel alone, as a batch normalization has."""
    return all(each.dim() <= 1 for each in network.get_submodule(layer).parameters(recurse=False))


def _backbone_layers(network: Network) -> list[str]:
    """Return the layers with weights but for the last, in order."""
    head = last_layer(network)
    names = (name for name, _ in network.named_parameters() if not name.startswith(f"{head}."))
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


def _crop_fields(recipe: Recipe, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether crops are resized: a mean image cannot follow, so crops keep their size."""
    return {"random_resized_crop": 1.0 if fields["mean"] == "image" else recipe.random_resized_crop}


def _fields_of(start: Start) -> dict[str, Any]:
    """Return the recipe's fields that come with the weights: network and preprocessing."""
    rule, arguments = start.preprocessing, start.network.arguments
    mean: Mean = "none"
    if rule.mean is not None:
        whole = "central" if rule.mean_at == "center" else "image"
        mean = whole if rule.mean.ndim == 3 else "channel"
    return {
        "model": start.network.model,
        "activation": arguments.get("activation"),
        "dropout": arguments.get("dropout"),
        "image_px": rule.image_px,
        "crop_px": rule.crop_px,
        "resize_mode": rule.resize_mode,
        "mean": mean,
        "normalize": rule.std is not None,
    }
