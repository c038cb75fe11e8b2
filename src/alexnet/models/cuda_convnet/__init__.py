"""Networks in the files of the authors' program: layers in one, learning rates in another."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
