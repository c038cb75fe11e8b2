"""The weights file: one safetensors file that is enough by itself to answer for a picture.

It holds the tensors, the model's name and arguments, the classes, the preprocessing, the recipe
and the results, and no code: nothing is ever unpickled.
"""

from alexnet.weights.file import Storage, load_weights, save_weights, weights_file
from alexnet.weights.header import digest_of
from alexnet.weights.weights import Weights, current_versions

__all__ = [
    "Storage",
    "Weights",
    "current_versions",
    "digest_of",
    "load_weights",
    "save_weights",
    "weights_file",
]
