"""The weights file: one safetensors file that is enough by itself to answer for a picture.

It holds the tensors, the model's name and arguments, the classes, the preprocessing, the recipe
and the results, and no code: nothing is ever unpickled. Files of other programs become such files
through importers, a folder each.
"""

from alexnet.weights.exporting import (
    ExportRequest,
    Precision,
    Runnable,
    handed_over,
    open_safetensors,
    takes_in_words,
    write_safetensors,
)
from alexnet.weights.file import Storage, load_weights, save_weights, weights_file
from alexnet.weights.importing import Imported, ImportRequest
from alexnet.weights.onnx import open_onnx, write_onnx
from alexnet.weights.openvino_file import open_openvino, write_openvino
from alexnet.weights.published import PUBLISHED, get_weights
from alexnet.weights.shipped import shipped_file, shipped_list
from alexnet.weights.torchscript import open_torchscript, write_torchscript
from alexnet.weights.weights import Weights, current_versions

__all__ = [
    "PUBLISHED",
    "ExportRequest",
    "ImportRequest",
    "Imported",
    "Precision",
    "Runnable",
    "Storage",
    "Weights",
    "current_versions",
    "get_weights",
    "handed_over",
    "load_weights",
    "open_onnx",
    "open_openvino",
    "open_safetensors",
    "open_torchscript",
    "save_weights",
    "shipped_file",
    "shipped_list",
    "takes_in_words",
    "weights_file",
    "write_onnx",
    "write_openvino",
    "write_safetensors",
    "write_torchscript",
]
