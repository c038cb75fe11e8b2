from .request import Imported, ImportRequest

__all__ = [
    "ImportRequest",
    "Imported",
]
