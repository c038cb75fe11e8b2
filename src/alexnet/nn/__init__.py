"""Layers of the network of 2012, one a file: exact to the paper and to its authors' program."""

from alexnet.nn.activation import activation_layer
from alexnet.nn.contrast_norm import ContrastNorm
from alexnet.nn.convolution import Convolution
from alexnet.nn.dropout import Dropout
from alexnet.nn.initialise import gaussian, he, uniform
from alexnet.nn.linear import FullyConnected
from alexnet.nn.local import LocallyConnected
from alexnet.nn.pooling import MaxPool, MeanPool
from alexnet.nn.response_norm import Region, ResponseNorm, normalisation_form
from alexnet.nn.windows import Window

__all__ = [
    "ContrastNorm",
    "Convolution",
    "Dropout",
    "FullyConnected",
    "LocallyConnected",
    "MaxPool",
    "MeanPool",
    "Region",
    "ResponseNorm",
    "Window",
    "activation_layer",
    "gaussian",
    "he",
    "normalisation_form",
    "uniform",
]
