from .activation import (
    NEURONS,
    Neuron,
    activation_layer,
    neuron_layer,
)
from .contrast_norm import ContrastNorm
from .convolution import Convolution, FullyConnected
from .dropout import Dropout
from .initialization import gaussian, he, uniform
from .local import LocallyConnected
from .norm_and_pool import norm_and_pool
from .pooling import (
    CaffePool,
    MaxPool,
    MeanPool,
    OffsetPool,
    Pooling,
    PoolKind,
)
from .portable import PlainLocal, PlainNorm, plain_layers
from .response_norm import (
    Region,
    ResponseNorm,
    normalisation_form,
    normalisation_in,
)
from .shape import (
    ChannelScale,
    Combine,
    Combining,
    Concat,
    Grey,
    Part,
    Reshape,
)
from .windows import Window

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
