from .export import BOUNDS, ExportFormat, export_weights
from .onnx.model import open_onnx, write_onnx
from .openvino import open_openvino, write_openvino
from .request import (
    ExportRequest,
    Precision,
    Runnable,
    handed_over,
    open_safetensors,
    takes_in_words,
    write_safetensors,
)
from .test_vectors import write_vectors
from .torchscript import open_torchscript, write_torchscript

__all__ = [
    "BOUNDS",
    "ExportFormat",
    "ExportRequest",
    "Precision",
    "Runnable",
    "export_weights",
    "handed_over",
    "open_onnx",
    "open_openvino",
    "open_safetensors",
    "open_torchscript",
    "takes_in_words",
    "write_onnx",
    "write_openvino",
    "write_safetensors",
    "write_torchscript",
    "write_vectors",
]
