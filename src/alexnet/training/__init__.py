"""Training: loss, momentum rule, schedule, step, loop, checkpoints.

The room is handed a network and batches; it builds neither.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
