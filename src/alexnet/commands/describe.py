"""`alexnet describe`: a network layer by layer, without building it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from alexnet.errors import RecipeError, WeightsError
from alexnet.files import require_usable_path
from alexnet.recipe import Activation
from alexnet.records import ModelList, NetworkSummary

__all__ = ["describe"]


def describe(
    model: str | None = None,
    partner: str | None = None,
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
        model: alexnet, alexnet_program, one_column, cifar_26pct, ...; a weights file, run folder or
            small-200, whose network is shown; net.prototxt of Caffe's; layers-X.cfg,
            package.module:function or timm:NAME; none: list them all.
        partner: file that belongs to it: layer-params-X.cfg to layers-X.cfg, net.caffemodel to
            net.prototxt; none: the one beside it for a layer file, none for a description.
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
    from alexnet.models import model_list, summarize_model
    from alexnet.trust import trusting

    settings = (image_px, crop_px, classes, activation)
    if model is None:
        if settings != (None, None, None, None):
            raise RecipeError("Name a model with these settings: alexnet describe MODEL ...")
        return model_list()
    file = _file(model)
    if file is not None and _kind(file) == "prototxt":
        if (classes, activation) != (None, None):
            raise RecipeError(f"{file} says its classes and activations itself. Leave them out.")
        return _of_caffe(file, partner, image_px=image_px, crop_px=crop_px)
    if partner is not None:
        model = _with_partner(model, partner)
    elif file is not None:
        if settings != (None, None, None, None):
            raise RecipeError(
                f"{model} is a file, whose network has settings of its own. Leave image_px, "
                "crop_px, classes and activation out."
            )
        _require_no_arrays(file)
        return _of_weights(file)
    with trusting(model):
        return summarize_model(
            model, classes=classes, image_px=image_px, crop_px=crop_px, activation=activation
        )


def _file(model: str) -> Path | None:
    """Return the file or folder that a name means; None: it is the name of a model."""
    from alexnet.models import MODELS, is_layer_file
    from alexnet.weights import bundled_file

    if model in MODELS or is_layer_file(model):
        return None
    require_usable_path(Path(model), WeightsError)
    there = Path(model).exists() or bundled_file(model) is not None
    return Path(model) if there else None


def _kind(file: Path) -> str:
    """Return what a file is; of a run folder or a name, nothing."""
    from alexnet.importers import file_kind
    from alexnet.weights.other_formats import what_it_is

    if file.is_file() and (what := what_it_is(file)) is not None:
        raise WeightsError(what)
    return file_kind(file) if file.is_file() else ""


def _require_no_arrays(file: Path) -> None:
    if _kind(file) in ("caffemodel", "binaryproto"):
        raise WeightsError(
            f"{file} holds arrays of Caffe's and no description. Name both: alexnet describe "
            f"net.prototxt {file}"
        )


def _of_weights(file: Path) -> NetworkSummary:
    from alexnet.models import summarize_network
    from alexnet.weights import load_weights

    return summarize_network(load_weights(file).network())


def _of_caffe(
    file: Path, partner: str | None, *, image_px: int | None, crop_px: int | None
) -> NetworkSummary:
    """Summarize a description, with the channels of its trained file where there is one."""
    from alexnet.importers import ImportRequest
    from alexnet.importers.caffe import import_caffe, read_description
    from alexnet.models import summarize_network

    if partner is None:
        network, said = read_description(file, image_px=image_px, crop_px=crop_px)
    else:
        request = ImportRequest(files=(file, Path(partner)), image_px=image_px or crop_px)
        imported = import_caffe(request)
        network, said = imported.weights.network(), imported.remarks
    return replace(summarize_network(network), images=list(said))


def _with_partner(model: str, partner: str) -> str:
    """Return a layer file and its parameters as a name of a model."""
    from alexnet.models import is_layer_file

    if not (is_layer_file(model) and is_layer_file(partner)) or "," in model:
        raise RecipeError(
            f"{partner} is no partner of {model}: a layer file has one (layers-X.cfg with "
            "layer-params-X.cfg), and a description of Caffe's (net.prototxt with net.caffemodel)."
        )
    if "params" in Path(model).name and "params" not in Path(partner).name:
        model, partner = partner, model
    return f"{model},{partner}"
