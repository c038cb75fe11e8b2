from .build import MODEL, build, classes_of
from .files import read_layer_files
from .hyperparameters import layer_file_hyperparameters

__all__ = [
    "MODEL",
    "build",
    "classes_of",
    "layer_file_hyperparameters",
    "read_layer_files",
]
