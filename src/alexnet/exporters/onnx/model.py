"""From weights to a file of ONNX, and back to something that answers: ONNX Runtime."""

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
from alexnet.exporters.onnx.graph import Draft, Value
from alexnet.exporters.onnx.heads import write_head
from alexnet.exporters.onnx.layers import write_layer
from alexnet.exporters.onnx.quantize import quantised
from alexnet.exporters.onnx.traced import write_traced
from alexnet.exporters.onnx.windows import part
from alexnet.exporters.request import ExportRequest, Runnable, Takes, facts, handed_over
from alexnet.images import Preprocessing
from alexnet.models import (
    INPUT,
    PICTURES,
    ForeignNetwork,
    GraphNetwork,
    HeadedNetwork,
    Network,
    Wired,
)
from alexnet.weights.weights import Weights

__all__ = ["onnx_bytes", "onnx_model", "open_onnx", "write_onnx", "write_preprocessing"]


def write_preprocessing(draft: Draft, taken: str, rule: Preprocessing, takes: Takes) -> str:
    """Write the way from the input to (N, 3, c, c).

    Args:
        draft: the graph.
        taken: name of the input.
        rule: the preprocessing.
        takes: what the input is.
    """
    if takes == "numbers":
        return draft.narrow(taken, "input")
    x, c = taken, rule.crop_px
    if takes == "picture" and c < rule.image_px:
        start = rule.centre
        x = part(draft, "crop", x, (1, 2), (start,) * 2, (start + c,) * 2)
    x = draft.cast_picture(x, "bytes")
    mean = rule.central_mean
    if mean is not None:
        x = draft.node("Sub", [x, draft.tensor("preprocessing.mean", mean, full=True)], "centred")
    if rule.scale is not None:
        scale = draft.tensor("preprocessing.scale", rule.scale, full=True)
        x = draft.node("Div", [x, scale], "scaled")
    if rule.order == "BGR":
        turned = draft.tensor("preprocessing.order", np.array([2, 1, 0], dtype=np.int64))
        x = draft.node("Gather", [x, turned], "bgr", axis=3)
    x = draft.node("Transpose", [x], "numbers", perm=[0, 3, 1, 2])
    return draft.narrow(x, "input")


_MOST_BYTES = 2**31 - 1  # of a message of protobuf


def write_onnx(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as one ONNX file.

    Raises:
        WeightsError: a layer that cannot be written, or numbers that the precision does not hold.
        AlexNetError: onnx is not installed.
    """
    path.write_bytes(onnx_bytes(weights, request))


def onnx_bytes(weights: Weights, request: ExportRequest, *, wide: bool = False) -> bytes:
    """Return the bytes of the file; see `write_onnx`.

    Args:
        weights: what is written.
        request: how.
        wide: keep float32 where half precision is asked for.
    """
    model = onnx_model(weights, request, wide=wide)
    size = model.ByteSize()
    if size > _MOST_BYTES:
        raise WeightsError(
            f"The network has {size / 1e9:.1f} GB, and an ONNX file holds 2 GB. Choose "
            "--precision fp16 or --to torchscript."
        )
    if request.precision == "int8":
        if request.calibration is None:
            raise WeightsError(
                "int8 needs pictures to see how large activations become: name some, best those "
                "that the weights were trained on, with --calibrate SOURCE."
            )
        rule = weights.preprocessing
        pictures = (handed_over(each, rule, request.takes) for each in request.calibration())
        model = quantised(model, pictures)
    return model.SerializeToString()


def onnx_model(weights: Weights, request: ExportRequest, *, wide: bool = False) -> Any:
    """Return the ModelProto, int8 still in float32; see `onnx_bytes`."""
    rule, network = weights.preprocessing, weights.network()
    half = request.precision == "fp16" and not wide
    draft = Draft(half=half, plain=request.plain_operators)
    taken = draft.name(request.takes)
    x = Value(
        write_preprocessing(draft, taken, rule, request.takes), (3, rule.crop_px, rule.crop_px)
    )
    logits = _write(draft, network, x)
    full = draft.widen(logits, f"{logits}/full")
    if request.gives == "probabilities":
        given = draft.node("Softmax", [full], request.gives, axis=1)
    else:
        given = draft.node("Identity", [full], request.gives)
    side = rule.image_px if request.takes == "picture" else rule.crop_px
    takes = (
        (taken, "float32", (3, side, side))
        if request.takes == "numbers"
        else (taken, "uint8", (side, side, 3))
    )
    return draft.model(
        takes=takes,
        gives=(given, len(weights.classes)),
        title=weights.model,
        metadata=facts(weights, request),
    )


def open_onnx(path: Path) -> Runnable:
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
    (taken,) = (each.name for each in session.get_inputs())

    def run(numbers: NDArray[Any]) -> NDArray[np.float32]:
        return session.run(None, {taken: numbers})[0]

    return Runnable(f"ONNX Runtime {runtime.__version__}", run=run)


def _write(draft: Draft, network: Network, x: Value) -> str:
    """Write any network; return the name of what its softmax is taken of."""
    if isinstance(network, ForeignNetwork):
        return write_traced(draft, network, x)
    if not isinstance(network, HeadedNetwork):
        made = _write_layers(draft, network, x)
        return made[next(reversed(made))].name
    if isinstance(network.body, ForeignNetwork):
        raise WeightsError(
            f"A head on {network.model} cannot be written as ONNX, since torch takes such a "
            "network apart as a whole. Choose --to torchscript."
        )
    names = network.classifier.layer.split(",")
    made = _write_layers(draft, network.body, x, upto=names)
    return write_head(draft, network.classifier, [made[each] for each in names])


def _write_layers(
    draft: Draft, network: Network, x: Value, *, upto: Sequence[str] = ()
) -> dict[str, Value]:
    """Write a network of ours, layer by layer, perhaps only up to some; return what each makes."""
    layers = dict(network.named_children())
    inputs = _wiring(network, layers)
    readers = Counter(each for names in inputs.values() for each in names)
    with torch.inference_mode():
        stages = network.stages(torch.zeros(1, *x.shape))  # for the shapes alone
    made = {INPUT: x, PICTURES: x}
    for name, layer in layers.items():
        found = write_layer(draft, name, layer, [made[each] for each in inputs[name]])
        made[name] = Value(found, tuple(stages[name].shape[1:]))
        if readers[name] == 1:
            draft.single.add(found)
        else:
            draft.single.discard(found)
        draft.shapes[found] = made[name].shape
        if upto and all(each in made for each in upto):
            break
    return made


def _wiring(network: Network, layers: dict[str, nn.Module]) -> dict[str, tuple[str, ...]]:
    """Return what each layer reads."""
    if isinstance(network, Wired | GraphNetwork):
        return network.inputs
    names = [PICTURES, *layers]
    return {name: (names[i],) for i, name in enumerate(layers)}
