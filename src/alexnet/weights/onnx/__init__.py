"""Networks as ONNX files: the graph written node by node, under the names of the layers."""

from alexnet.weights.onnx.model import onnx_bytes, open_onnx, write_onnx

__all__ = ["onnx_bytes", "open_onnx", "write_onnx"]
