"""Models that other programs trained become weights files: Caffe's, torchvision's."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
