"""How good is it: crops, averaged predictions, metrics with intervals.

Works on networks and preprocessing, from wherever they come: training validates through it, the
verbs `evaluate` and `predict` answer through it, and so all three agree.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
