"""Named networks and their summaries: flat sequences of layers, readable stage by stage."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
