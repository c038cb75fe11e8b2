"""Weights for OpenVINO: its own reader of ONNX makes the two files, .xml and .bin, of our graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alexnet.errors import AlexNetError, WeightsError
from alexnet.exporters.onnx.model import onnx_bytes
from alexnet.exporters.request import ExportedModel, ExportRequest, file_metadata
from alexnet.weights import Weights

__all__ = ["open_openvino", "write_openvino"]


def write_openvino(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as `path`, which ends in .xml, and a .bin beside it.

    With fp16 the numbers are kept in half precision, and the device computes as it does best.

    Raises:
        WeightsError: another ending, or a layer that cannot be written.
        AlexNetError: onnx or openvino is not installed.
    """
    if path.suffix != ".xml":
        raise WeightsError(
            f"OpenVINO has two files, NAME.xml and NAME.bin; got {path.name}. Name the .xml file."
        )
    openvino = _openvino()
    model = openvino.Core().read_model(onnx_bytes(weights, request, keep_float32=True))
    for name, text in file_metadata(weights, request).items():
        model.set_rt_info(text, ["alexnet", name])
    openvino.save_model(model, str(path), compress_to_fp16=request.precision == "fp16")


def open_openvino(path: Path) -> ExportedModel:
    """Open the files with OpenVINO, on this processor and in float32.

    Raises:
        AlexNetError: openvino is not installed.
    """
    openvino = _openvino()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.array(compiled(images)[0])

    version = str(openvino.__version__).partition("-")[0]
    return ExportedModel(f"OpenVINO {version}", run=run)


def _openvino() -> Any:
    try:
        import openvino
    except ImportError:
        raise AlexNetError(
            'OpenVINO\'s files need openvino: pip install "alexnet[export]"'
        ) from None
    return openvino
