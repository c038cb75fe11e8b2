"""An ONNX graph in int8: weights and activations, their ranges observed on images.

ONNX Runtime's own quantizer writes the rounding into the graph, around each convolution, product
and pool. Preprocessing, normalization and softmax stay in float32.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Collection, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters.onnx.graph import import_onnx

__all__ = ["quantized"]

_OPERATORS = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool", "Concat")


def quantized(
    model: Any, images: Iterable[NDArray[Any]], *, full_precision: Collection[str] = ()
) -> Any:
    """Return a model in int8.

    Weights have a range for each output channel, of 7 bits: processors without VNNI add two
    products in 16 bits, which products of 8 and 8 bits overflow.

    Args:
        model: the ModelProto in float32.
        images: batches of its input; the ranges of activations are observed on them.
        full_precision: names of nodes that stay as they are.

    Raises:
        WeightsError: there is no image.
        AlexNetError: onnxruntime is not installed.
    """
    try:
        from onnxruntime import quantization
    except ImportError:
        raise AlexNetError('int8 needs ONNX Runtime: pip install "alexnet[export]"') from None
    tools: Any = quantization
    (input_name,) = (value.name for value in model.graph.input)
    feeds = ({input_name: np.ascontiguousarray(batch)} for batch in images)
    first = next(feeds, None)
    if first is None:
        raise WeightsError(
            "There is no image to observe the ranges of activations on. Name others after "
            "--calibrate."
        )

    class Reader(tools.CalibrationDataReader):
        """Hands out one batch after the other."""

        def __init__(self) -> None:
            self.upcoming: Any = first

        def get_next(self) -> Any:
            """Return the next batch, or None."""
            feed, self.upcoming = self.upcoming, next(feeds, None)
            return feed

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        path = Path(scratch, "quantized.onnx")
        tools.quantize_static(
            model,
            str(path),
            Reader(),
            quant_format=tools.QuantFormat.QDQ,
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=sorted(full_precision),
            per_channel=True,
            reduce_range=True,
            activation_type=tools.QuantType.QUInt8,
            weight_type=tools.QuantType.QInt8,
        )
        result = import_onnx().load(str(path))
    result.producer_name = "alexnet"
    return result


@contextmanager
def _quiet() -> Any:
    """Silence the quantizer's advice to preprocess the model: it has nothing left to do.

    It logs on the root logger; what other threads log there meanwhile is let through.
    """
    this_thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != this_thread

    logging.root.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        logging.root.removeFilter(is_of_another_thread)
