"""The weights file: one safetensors file that is enough by itself to answer for a picture.

It holds the tensors, the model's name and arguments, the classes, the preprocessing, the recipe
and the results, and no code: nothing is ever unpickled.
"""

from alexnet.weights.file import Storage, load_weights, save_weights, weights_file
from alexnet.weights.published import PUBLISHED, get_weights
from alexnet.weights.torchvision_file import read_torchvision
from alexnet.weights.weights import Weights, current_versions

__all__ = [
    "PUBLISHED",
    "Storage",
    "Weights",
    "current_versions",
    "get_weights",
    "load_weights",
    "read_torchvision",
    "save_weights",
    "weights_file",
]
