from .bundled import shipped_file, shipped_list
from .file import (
    Storage,
    load_weights,
    save_weights,
    weights_file,
)
from .registry import PUBLISHED, get_weights
from .weights import Weights, current_versions

__all__ = [
    "PUBLISHED",
    "Storage",
    "Weights",
    "current_versions",
    "get_weights",
    "load_weights",
    "save_weights",
    "shipped_file",
    "shipped_list",
    "weights_file",
]
