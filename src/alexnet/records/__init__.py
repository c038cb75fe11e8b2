"""What the verbs return, and what travels between rooms: plain values that become JSON."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
