"""Models that Caffe trained, read without Caffe: files of all its generations."""

from alexnet.weights.caffe.importer import import_caffe

__all__ = ["import_caffe"]
