"""Several processes that train as one: who they are, what they hold, how numbers meet."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
