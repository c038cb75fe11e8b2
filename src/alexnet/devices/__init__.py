"""What this machine is and does best: precision, threads, memory layout; streams of a GPU."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
