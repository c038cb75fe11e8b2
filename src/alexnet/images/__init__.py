"""From an image file to the numbers that a network takes: one decoder, one preprocessing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
