"""Many trainings: search spaces, samplers, trials, workers, and the learning-rate range test.

Studies are Optuna's, which is imported when one is opened; the range test does without.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
