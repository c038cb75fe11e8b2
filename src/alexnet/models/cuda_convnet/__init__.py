"""Networks in the files of the authors' own program: layers in one, their rates in another."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
