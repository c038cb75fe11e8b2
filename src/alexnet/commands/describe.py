"""`alexnet describe`: a network layer by layer, without building it."""

from __future__ import annotations

from pathlib import Path

from alexnet.errors import RecipeError
from alexnet.recipe import Activation
from alexnet.records import ModelList, NetworkSummary

__all__ = ["describe"]


def describe(
    model: str | None = None,
    *,
    image_px: int | None = None,
    crop_px: int | None = None,
    classes: int | None = None,
    activation: Activation | None = None,
) -> NetworkSummary | ModelList:
    """Show a network layer by layer: windows, shapes, neurons, parameters, multiply-adds.

    It also says where windows do not cover their input exactly, with the padding that would, and
    how the network differs from the paper's. Without a model, all models are listed.

    Args:
        model: alexnet, alexnet_program, one_column, cifar_26pct, ...; a weights file or run folder,
            whose network is shown; layers-X.cfg, package.module:function or timm:NAME; none: list
            them all.
        image_px: side of the stored image; none: the model's own.
        crop_px: side of the crop that the network takes; none: in proportion to the image.
        classes: outputs of the last layer; none: those of the images it was made for.
        activation: of the hidden layers; none: the model's own.

    Returns:
        The summary of the network, or the list of models.

    Raises:
        RecipeError: no such model, or an invalid geometry.
        WeightsError: the weights cannot be read.
    """
    from alexnet.models import MODELS, is_layer_file, model_list, summarize_model, summarize_network
    from alexnet.trust import trusting

    file = None
    if model is not None and model not in MODELS and not is_layer_file(model):
        file = Path(model) if Path(model).exists() else None
    if model is None or file is not None:
        if (image_px, crop_px, classes, activation) != (None, None, None, None):
            raise RecipeError("Name a model with these settings: alexnet describe MODEL ...")
        if file is None:
            return model_list()
        from alexnet.weights import load_weights

        return summarize_network(load_weights(file).network())
    with trusting(model):
        return summarize_model(
            model, classes=classes, image_px=image_px, crop_px=crop_px, activation=activation
        )
