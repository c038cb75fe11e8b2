"""Many trainings: search spaces, samplers, workers, the learning-rate finder.

On Optuna, which is asked for when a study is opened; the learning-rate finder needs nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
