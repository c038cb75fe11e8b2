"""Layers of the network of 2012, one a file: exact to the paper and to its authors' program."""

from alexnet.nn.activation import activation_layer
from alexnet.nn.caffe_pool import CaffePool, PoolKind
from alexnet.nn.channel_scale import ChannelScale
from alexnet.nn.contrast_norm import ContrastNorm
from alexnet.nn.convolution import Convolution
from alexnet.nn.dropout import Dropout
from alexnet.nn.initialise import gaussian, he, uniform
from alexnet.nn.joining import Combine, Combining, Concat
from alexnet.nn.linear import FullyConnected
from alexnet.nn.local import LocallyConnected
from alexnet.nn.neurons import NEURONS, Neuron, neuron_layer
from alexnet.nn.norm_and_pool import norm_and_pool
from alexnet.nn.offset_pool import OffsetPool, Pooling
from alexnet.nn.plain import PlainLocal, PlainNorm, plain_layers
from alexnet.nn.pooling import MaxPool, MeanPool
from alexnet.nn.reshaping import Grey, Part, Reshape
from alexnet.nn.response_norm import Region, ResponseNorm, normalisation_form, normalisation_in
from alexnet.nn.windows import Window

__all__ = [
    "NEURONS",
    "CaffePool",
    "ChannelScale",
    "Combine",
    "Combining",
    "Concat",
    "ContrastNorm",
    "Convolution",
    "Dropout",
    "FullyConnected",
    "Grey",
    "LocallyConnected",
    "MaxPool",
    "MeanPool",
    "Neuron",
    "OffsetPool",
    "Part",
    "PlainLocal",
    "PlainNorm",
    "PoolKind",
    "Pooling",
    "Region",
    "Reshape",
    "ResponseNorm",
    "Window",
    "activation_layer",
    "gaussian",
    "he",
    "neuron_layer",
    "norm_and_pool",
    "normalisation_form",
    "normalisation_in",
    "plain_layers",
    "uniform",
]
