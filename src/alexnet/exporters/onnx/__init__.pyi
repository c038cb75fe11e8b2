from .model import onnx_bytes, open_onnx, write_onnx

__all__ = [
    "onnx_bytes",
    "open_onnx",
    "write_onnx",
]
