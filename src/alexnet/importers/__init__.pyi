from .request import ImportedModel, ImportRequest

__all__ = [
    "ImportRequest",
    "ImportedModel",
]
