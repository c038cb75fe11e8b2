"""A graph of ONNX in int8: weights and activations, their ranges taken from pictures.

ONNX Runtime's own quantiser writes the steps of rounding into the graph, around each convolution,
product and pool. Preprocessing, normalisation and softmax stay in float32.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters.onnx.graph import onnx_library

__all__ = ["quantised"]

_OPERATORS = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "Concat")


def quantised(model: Any, pictures: Iterable[NDArray[Any]]) -> Any:
    """Return a model in int8.

    Weights have a range for each map, of 7 bits: processors without VNNI add up two products in 16
    bits, which 8 times 8 bits pass.

    Args:
        model: the ModelProto in float32.
        pictures: batches of what it takes; the ranges of activations are seen on them.

    Raises:
        WeightsError: there is no picture.
        AlexNetError: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ImportError:
        raise AlexNetError(
            'int8 is worked out by ONNX Runtime: pip install "alexnet[export]"'
        ) from None
    tools: Any = quantization
    (taken,) = (each.name for each in model.graph.input)
    feeds = ({taken: np.ascontiguousarray(each)} for each in pictures)
    first = next(feeds, None)
    if first is None:
        raise WeightsError(
            "There is no picture to see how large activations become. Name others after "
            "--calibrate."
        )

    class Reader(tools.CalibrationDataReader):
        """Hands out one batch after the other."""

        def __init__(self) -> None:
            self.waiting: Any = first

        def get_next(self) -> Any:
            """Return the next batch, or None."""
            now, self.waiting = self.waiting, None if self.waiting is None else next(feeds, None)
            return now

    inside = [node.name for node in model.graph.node if "/" in node.name]  # of normalisations
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        path = Path(scratch, "quantised.onnx")
        tools.quantize_static(
            model,
            str(path),
            Reader(),
            quant_format=tools.QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=inside,
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )
        found = onnx_library().load(str(path))
    found.producer_name = "alexnet"
    return found


@contextmanager
def _quiet() -> Any:
    """Keep the quantiser's advice off the screen: what it asks for is done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
