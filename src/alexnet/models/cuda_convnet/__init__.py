"""Networks in the files of the authors' own program: layers in one, their rates in another."""

from alexnet.models.cuda_convnet.build import MODEL, build, classes_of
from alexnet.models.cuda_convnet.files import read_layer_files
from alexnet.models.cuda_convnet.rates import file_rates

__all__ = ["MODEL", "build", "classes_of", "file_rates", "read_layer_files"]
