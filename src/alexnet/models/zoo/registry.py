"""Every model by name, and building one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from alexnet.errors import RecipeError, did_you_mean
from alexnet.models import cuda_convnet
from alexnet.models.builder import Options, WindowTooLargeError
from alexnet.models.external import build_external, is_external
from alexnet.models.graph.network import GRAPH, build_graph
from alexnet.models.headed_network import with_head
from alexnet.models.network import Network
from alexnet.models.smallest import describe_smallest
from alexnet.models.zoo import cifar, imagenet, small
from alexnet.recipe import Activation, Initialization

__all__ = ["MODELS", "build_model", "is_layer_file"]

_BUILDERS = (
    imagenet.alexnet,
    imagenet.alexnet_program,
    imagenet.alexnet_caffe,
    imagenet.caffenet,
    imagenet.one_column,
    imagenet.one_gpu,
    imagenet.alexnet_sixth_conv,
    imagenet.alexnet_bn,
    cifar.cifar_26pct,
    cifar.cifar_18pct,
    cifar.cifar_13pct,
    cifar.cifar_13pct_norm,
    cifar.cifar_11pct,
    cifar.cifar_11pct_no_norm,
    small.alexnet_small,
    small.alexnet_adaptive,
    small.mlp,
)

MODELS: Mapping[str, Callable[[Options], Network]] = {build.__name__: build for build in _BUILDERS}
"""Each model's name and the function that builds it."""


def build_model(
    name: str,
    *,
    classes: int,
    activation: Activation | None = None,
    dropout: float | None = None,
    image_px: int | None = None,
    crop_px: int | None = None,
    initialization: Initialization = "model",
    seed: int = 0,
    files: Mapping[str, str] | None = None,
    graph: Mapping[str, Any] | None = None,
    head: Mapping[str, Any] | None = None,
) -> Network:
    """Build a network with its initial weights; the same arguments give the same bits.

    Args:
        name: one of `MODELS`; "FILE.cfg" or "FILE.cfg,PARAMETERS.cfg", layer files of the authors'
            program; "package.module:function", which is trusted (`alexnet.trusting`) and makes a
            torch module; "timm:NAME"; or "graph" and "cuda_convnet", as weights have them.
        classes: K, outputs of the last layer.
        activation: of the hidden layers; None: the model's own.
        dropout: probability of dropping a unit; None: the model's own.
        image_px: side of the stored image; None: the model's own.
        crop_px: side of the crop that the network takes; None: in proportion to `image_px`.
        initialization: "model": as published; "he": He's initial weights in every layer.
        seed: of the initial weights. torch's global generator is neither used nor moved.
        files: texts that the model is made of, as `network.arguments` holds them for the model
            "cuda_convnet".
        graph: description of a network that no model is (see `models.graph`); "graph" alone.
        head: description of a head that predicts in place of the last layer (see `models.heads`).

    Raises:
        RecipeError: no such model, or sizes that cannot work; the smallest that do are named.
    """
    if (name == GRAPH) != (graph is not None):
        raise RecipeError(f'The model "{GRAPH}" needs a description as graph, and no other does.')
    options = Options(
        classes=classes,
        activation=activation,
        dropout=dropout,
        image_px=image_px,
        crop_px=crop_px,
        initialization=initialization,
        seed=seed,
    )
    network = _build(name, options, files, graph)
    return network if head is None else with_head(network, head)


def _build(
    name: str,
    options: Options,
    files: Mapping[str, str] | None,
    graph: Mapping[str, Any] | None,
) -> Network:
    if is_layer_file(name):
        return _from_layer_files(name, options)
    if graph is not None:
        return build_graph(graph, options)
    if name == cuda_convnet.MODEL:
        return cuda_convnet.build(options, files)
    if is_external(name):
        return build_external(name, options)
    if name not in MODELS:
        raise RecipeError(
            f'There is no model "{name}".{did_you_mean(name, MODELS)} Models: {", ".join(MODELS)}; '
            "or layers-X.cfg, package.module:function, timm:NAME."
        )
    build = MODELS[name]
    try:
        return build(options)
    except WindowTooLargeError as error:
        remedy = describe_smallest(build, options) or "Use a smaller model."
        raise RecipeError(f"{error} {remedy}") from None


def is_layer_file(name: str) -> bool:
    """Whether a model's name is a layer file of the authors' program, or a pair of them."""
    return name.partition(",")[0].strip().endswith(".cfg")


def _from_layer_files(name: str, options: Options) -> Network:
    files = cuda_convnet.read_layer_files(name)
    classes = cuda_convnet.classes_of(files)
    if classes != options.classes:
        raise RecipeError(
            f"{name} is written for {classes} classes, and there are {options.classes}. "
            "Change the outputs of its last layer."
        )
    return cuda_convnet.build(options, files)
