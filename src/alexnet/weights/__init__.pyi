from .companions import COMPANIONS
from .file import Storage, load_weights, save_weights
from .location import DEFAULT_WEIGHTS, RUN_WEIGHTS, bundled_file, made_file, weights_file
from .registry import PUBLISHED, bundled_list, find_published, get_weights, suggested_weights
from .weights import Weights, current_versions

__all__ = [
    "COMPANIONS",
    "DEFAULT_WEIGHTS",
    "PUBLISHED",
    "RUN_WEIGHTS",
    "Storage",
    "Weights",
    "bundled_file",
    "bundled_list",
    "current_versions",
    "find_published",
    "get_weights",
    "load_weights",
    "made_file",
    "save_weights",
    "suggested_weights",
    "weights_file",
]
