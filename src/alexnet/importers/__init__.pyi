from .file_kinds import FileKind, file_kind, require_importable
from .published import import_published
from .request import ImportedModel, ImportRequest

__all__ = [
    "FileKind",
    "ImportRequest",
    "ImportedModel",
    "file_kind",
    "import_published",
    "require_importable",
]
