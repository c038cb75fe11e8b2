from .description import read_description
from .importer import import_caffe

__all__ = [
    "import_caffe",
    "read_description",
]
