"""Networks as ONNX files: the graph written node by node, under the names of the layers."""

from alexnet.weights.onnx.model import open_onnx, write_onnx

__all__ = ["open_onnx", "write_onnx"]
