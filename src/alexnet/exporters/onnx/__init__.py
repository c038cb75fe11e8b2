"""Networks as ONNX files: the graph written node by node, under the names of the layers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
