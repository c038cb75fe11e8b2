"""Weights in the forms that other programs run, each compared with the original on images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
