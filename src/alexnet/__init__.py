"""A folder of images in, a measured classifier out: the network of 2012, exact and fast."""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
