"""Models that Caffe trained, read without Caffe: descriptions, weights and means of any generation."""

from alexnet.weights.caffe.importer import import_caffe

__all__ = ["import_caffe"]
