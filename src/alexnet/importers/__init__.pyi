from .file_kinds import FileKind, file_kind, require_importable
from .request import ImportedModel, ImportRequest

__all__ = [
    "FileKind",
    "ImportRequest",
    "ImportedModel",
    "file_kind",
    "require_importable",
]
