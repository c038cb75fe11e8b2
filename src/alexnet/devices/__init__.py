"""What this machine is and does best: precision, threads, memory layout, what a GPU is asked."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
