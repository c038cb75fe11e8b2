from .export import TOLERANCES, ExportFormat, export_weights
from .onnx.model import open_onnx, write_onnx
from .openvino import open_openvino, write_openvino
from .request import (
    ExportedModel,
    ExportRequest,
    Precision,
    describe_input,
    open_safetensors,
    prepare_input,
    write_safetensors,
)
from .test_vectors import write_test_vectors
from .torchscript import open_torchscript, write_torchscript

__all__ = [
    "TOLERANCES",
    "ExportFormat",
    "ExportRequest",
    "ExportedModel",
    "Precision",
    "describe_input",
    "export_weights",
    "open_onnx",
    "open_openvino",
    "open_safetensors",
    "open_torchscript",
    "prepare_input",
    "write_onnx",
    "write_openvino",
    "write_safetensors",
    "write_test_vectors",
    "write_torchscript",
]
