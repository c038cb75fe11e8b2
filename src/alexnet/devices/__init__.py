"""What this machine is and does best: precision, convolutions, threads, memory; GPU streams."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
