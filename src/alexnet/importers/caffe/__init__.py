"""Models that Caffe trained, read without Caffe: files of all its generations."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
