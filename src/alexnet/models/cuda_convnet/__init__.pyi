from .build import MODEL, build, classes_of
from .files import read_layer_files
from .rates import file_rates

__all__ = [
    "MODEL",
    "build",
    "classes_of",
    "file_rates",
    "read_layer_files",
]
