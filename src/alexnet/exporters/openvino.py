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

__all__ = ["import_openvino", "open_openvino", "write_openvino"]

_LARGEST_HALF = 65504.0


def write_openvino(weights: Weights, request: ExportRequest, path: Path) -> None:
    """Write weights as `path`, which ends in .xml, and a .bin beside it.

    With fp16 the numbers are kept in half precision, and the device computes as it does best.

    Raises:
        WeightsError: another ending, a layer that cannot be written, or numbers that fp16 cannot
            hold.
        AlexNetError: onnx or openvino is not installed.
    """
    if path.suffix != ".xml":
        raise WeightsError(
            f"OpenVINO has two files, NAME.xml and NAME.bin; got {path.name}. Name the .xml file."
        )
    openvino = import_openvino()
    model = openvino.Core().read_model(onnx_bytes(weights, request, keep_float32=True))
    if request.precision == "fp16":
        _require_half_range(model)
    for name, text in file_metadata(weights, request).items():
        model.set_rt_info(text, ["alexnet", name])
    openvino.save_model(model, str(path), compress_to_fp16=request.precision == "fp16")


def _require_half_range(model: Any) -> None:
    """Refuse what OpenVINO would save as 65504 without a word (findings/openvino-fp16.sh)."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type().get_type_name() != "f32":
            continue
        sizes = np.abs(node.data)
        largest = float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))
        if largest > _LARGEST_HALF:
            raise WeightsError(
                f'The tensor "{node.get_friendly_name()}" reaches {largest:.3g}, which fp16 cannot '
                "hold. Choose --precision fp32."
            )


def open_openvino(path: Path) -> ExportedModel:
    """Open the files with OpenVINO, on this processor and in float32.

    Raises:
        AlexNetError: openvino is not installed.
    """
    openvino = import_openvino()
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
    }
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)

    def run(images: NDArray[Any]) -> NDArray[np.float32]:
        return np.array(compiled(images)[0])

    version = str(openvino.__version__).partition("-")[0]
    return ExportedModel(f"OpenVINO {version}", run=run)


def import_openvino() -> Any:
    """Return the module `openvino`.

    Raises:
        AlexNetError: it is not installed.
    """
    try:
        import openvino
    except ImportError:
        raise AlexNetError(
            'OpenVINO\'s files need openvino: pip install "alexnet[export]"'
        ) from None
    return openvino
