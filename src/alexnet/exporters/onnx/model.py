"""From weights to an ONNX file, and back to a model that runs: ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters.onnx.external import write_external
from alexnet.exporters.onnx.graph import OnnxGraph, Value
from alexnet.exporters.onnx.heads import head_layers, write_head
from alexnet.exporters.onnx.layers import write_layer
from alexnet.exporters.onnx.quantize import quantized
from alexnet.exporters.onnx.windows import crop
from alexnet.exporters.request import (
    ExportedModel,
    ExportRequest,
    InputType,
    file_metadata,
    prepare_input,
)
from alexnet.images import Preprocessing
from alexnet.models import (
    IMAGES,
    INPUT,
    ExternalNetwork,
    GraphNetwork,
    HeadedNetwork,
    LayerFileNetwork,
    Network,
)
from alexnet.weights import Weights

__all__ = [
    "onnx_bytes",
    "onnx_model",
    "open_onnx",
    "write_layers",
    "write_network",
    "write_onnx",
    "write_preprocessing",
]


_MAX_BYTES = 2**31 - 1  # of a protobuf message


def write_preprocessing(
    graph: OnnxGraph, input_name: str, rule: Preprocessing, input_type: InputType
) -> str:
    """Write the nodes from the input to (N, 3, c, c).

    Args:
        graph: the graph.
        input_name: name of the input.
        rule: the preprocessing.
        input_type: what the input is.
    """
    if input_type == "tensor":
        return graph.to_compute_dtype(input_name, "input")
    x, c = input_name, rule.crop_px
    if input_type == "image" and c < rule.image_px:
        start = rule.center_offset
        x = crop(graph, "crop", x, (1, 2), (start,) * 2, (start + c,) * 2)
    x = graph.cast_image(x, "pixels")
    if rule.center_mean is not None:
        mean = graph.tensor("preprocessing.mean", rule.center_mean, float32=True)
        x = graph.node("Sub", [x, mean], "centered")
    if rule.std is not None:
        std = graph.tensor("preprocessing.std", rule.std, float32=True)
        x = graph.node("Div", [x, std], "scaled")
    if rule.order == "BGR":
        order = graph.tensor("preprocessing.order", np.array([2, 1, 0], dtype=np.int64))
        x = graph.node("Gather", [x, order], "bgr", axis=3)
    x = graph.node("Transpose", [x], "channels_first", perm=[0, 3, 1, 2])
    return graph.to_compute_dtype(x, "input")


def write_onnx(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as one ONNX file.

    Raises:
        WeightsError: a layer that cannot be written, or numbers that the precision does not hold.
        AlexNetError: onnx is not installed.
    """
    path.write_bytes(onnx_bytes(weights, request))


def onnx_bytes(weights: Weights, request: ExportRequest, *, keep_float32: bool = False) -> bytes:
    """Return the bytes of the file; see `write_onnx`.

    Args:
        weights: what is written.
        request: how.
        keep_float32: also where the request is for half precision.
    """
    graph, model = _graph_and_model(weights, request, keep_float32=keep_float32)
    size = model.ByteSize()
    if size > _MAX_BYTES:
        raise WeightsError(
            f"The network has {size / 1e9:.1f} GB, and an ONNX file holds 2 GB. Choose "
            "--precision fp16 or --to torchscript."
        )
    if request.precision == "int8":
        if request.calibration is None:
            raise WeightsError(
                "int8 needs images to observe the ranges of activations on: name some, best those "
                "that the weights were trained on, with --calibrate SOURCE."
            )
        rule = weights.preprocessing
        images = (prepare_input(x, rule, request.input_type) for x in request.calibration())
        model = quantized(model, images, full_precision=graph.full_precision)
    return model.SerializeToString()


def onnx_model(weights: Weights, request: ExportRequest, *, keep_float32: bool = False) -> Any:
    """Return the ModelProto, int8 still in float32; see `onnx_bytes`."""
    return _graph_and_model(weights, request, keep_float32=keep_float32)[1]


def _graph_and_model(
    weights: Weights, request: ExportRequest, *, keep_float32: bool
) -> tuple[OnnxGraph, Any]:
    rule, network = weights.preprocessing, weights.network()
    half = request.precision == "fp16" and not keep_float32
    graph = OnnxGraph(half=half, plain=request.plain_operators)
    input_name = graph.name(request.input_type)
    x = write_preprocessing(graph, input_name, rule, request.input_type)
    logits = write_network(graph, network, Value(x, (3, rule.crop_px, rule.crop_px)))
    full = graph.to_float32(logits, f"{logits}/float32")
    if request.output_type == "probabilities":
        output_name = graph.node("Softmax", [full], request.output_type, axis=1)
    else:
        output_name = graph.node("Identity", [full], request.output_type)
    side = rule.image_px if request.input_type == "image" else rule.crop_px
    return graph, graph.model(
        input=(
            (input_name, "float32", (3, side, side))
            if request.input_type == "tensor"
            else (input_name, "uint8", (side, side, 3))
        ),
        output=(output_name, len(weights.classes)),
        title=weights.model,
        metadata=file_metadata(weights, request),
    )


def open_onnx(path: Path) -> ExportedModel:
    """Open a file with ONNX Runtime, on this processor.

    Raises:
        AlexNetError: onnxruntime is not installed.
        WeightsError: it refuses the file.
    """
    try:
        import onnxruntime
    except ImportError:
        raise AlexNetError(
            'The file is checked with ONNX Runtime: pip install "alexnet[export]"'
        ) from None
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors alone
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise WeightsError(
            f"ONNX Runtime {runtime.__version__} refuses the file: {' '.join(str(error).split())}"
        ) from error
    (input_name,) = (value.name for value in session.get_inputs())

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return session.run(None, {input_name: images})[0]

    return ExportedModel(f"ONNX Runtime {runtime.__version__}", run=run)


def write_network(graph: OnnxGraph, network: Network, x: Value) -> str:
    """Write any network; return the name of its logits."""
    if isinstance(network, ExternalNetwork):
        return write_external(graph, network, x)
    if not isinstance(network, HeadedNetwork):
        values = write_layers(graph, network, x)
        return values[next(reversed(values))].name
    if isinstance(network.backbone, ExternalNetwork):
        raise WeightsError(
            f"A head on {network.model} cannot be written as ONNX, since torch exports such a "
            "network as a whole. Choose --to torchscript."
        )
    names = head_layers(network.classifier)
    values = write_layers(graph, network.backbone, x, until=names)
    return write_head(graph, network.classifier, {name: values[name] for name in names})


def write_layers(
    graph: OnnxGraph, network: Network, x: Value, *, until: Sequence[str] = ()
) -> dict[str, Value]:
    """Write a network of ours layer by layer, perhaps only up to some; return their outputs.

    Raises:
        WeightsError: a layer without a rule.
        RecipeError: there is no such layer.
    """
    layers = dict(network.named_children())
    inputs = _layer_inputs(network, layers)
    readers = Counter([*(name for names in inputs.values() for name in names), *until])
    with torch.inference_mode():
        stages = network.stages(torch.zeros(1, *x.shape))  # for the shapes alone
    values = {INPUT: x, IMAGES: x}
    for name, layer in layers.items():
        output = write_layer(graph, name, layer, [values[each] for each in inputs[name]])
        values[name] = Value(output, tuple(stages[name].shape[1:]))
        if readers[name] == 1:
            graph.single_use.add(output)
        else:
            graph.single_use.discard(output)
        graph.shapes[output] = values[name].shape
        if until and all(each in values for each in until):
            break
    return values


def _layer_inputs(network: Network, layers: dict[str, nn.Module]) -> dict[str, tuple[str, ...]]:
    """Return the names of what each layer reads."""
    if isinstance(network, LayerFileNetwork | GraphNetwork):
        return network.inputs
    names = [IMAGES, *layers]
    return {name: (names[i],) for i, name in enumerate(layers)}
