from .importer import import_caffe

__all__ = [
    "import_caffe",
]
