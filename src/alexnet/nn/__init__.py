"""Layers of the network of 2012, one a file: exact to the paper and to its authors' program."""

from alexnet.nn.activation import activation_layer
from alexnet.nn.contrast_norm import ContrastNorm
from alexnet.nn.convolution import Convolution
from alexnet.nn.dropout import Dropout
from alexnet.nn.initialise import gaussian, he, uniform
from alexnet.nn.local import LocallyConnected
from alexnet.nn.norm_and_pool import norm_and_pool
from alexnet.nn.pooling import MaxPool, MeanPool
from alexnet.nn.response_norm import Region, ResponseNorm, normalisation_form
from alexnet.nn.windows import Window

__all__ = [
    "ContrastNorm",
    "Convolution",
    "Dropout",
    "LocallyConnected",
    "MaxPool",
    "MeanPool",
    "Region",
    "ResponseNorm",
    "Window",
    "activation_layer",
    "gaussian",
    "he",
    "norm_and_pool",
    "normalisation_form",
    "uniform",
]
