"""Layers of the network of 2012: exact to the paper and to its authors' program."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
