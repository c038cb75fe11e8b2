"""The weights file: one safetensors file that is enough by itself to classify an image.

It holds the tensors, the model's name and arguments, the classes, the preprocessing, the recipe
and the results, and no code: nothing is ever unpickled.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
